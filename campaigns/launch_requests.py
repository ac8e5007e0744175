"""The end of a request to launch, and what its client's people are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from accounts.notifications import notify
from audit import actions
from audit.services import System, record
from campaigns.models import LaunchRequest

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from audit.services import Actor

Status = LaunchRequest.Status
SYSTEM = System("approvals")


class RequestOver(Exception):
    """The request was decided, withdrawn or outdated before."""


def outdate_request(*, campaign_id: UUID, now: datetime) -> bool:
    """
    End the request that waits for this campaign: it isn't what was asked for any more. One query if none.

    It belongs into the block of the change, so that an approval finds it either waiting or changed.
    """
    request = (
        LaunchRequest.objects.select_related("campaign", "client")
        .filter(live_key=str(campaign_id))
        .first()
    )
    if request is None:
        return False
    if not end_request(request, Status.OUTDATED, actions.LAUNCH_OUTDATED, SYSTEM, now):
        return False
    title = _("The request to launch %s is out of date") % request.campaign.name
    tell_of(request, "outdated", title, now)
    return True


def end_request(
    request: LaunchRequest, status: str, action: str, actor: Actor, now: datetime, **more: Any
) -> bool:
    """Write how a request ended, by compare-and-set inside the caller's block; False if it had ended."""
    waiting = LaunchRequest.objects.filter(pk=request.pk, status=Status.WAITING)
    by = {"decided_by_email": actor.actor_email, "decided_at": now}
    if not waiting.update(status=status, live_key=str(request.pk), **by, **more):
        return False
    details = {"reason": more["reason"]} if more.get("reason") else {}
    record(action, resource=request, actor=actor, now=now, details=details)
    return True


def tell_of(request: LaunchRequest, what: str, title: str, now: datetime) -> None:
    """Tell the client's people what became of a request."""
    body = {
        "asked": request.note,
        "declined": _("The reason stands in the request."),
        "outdated": _("The campaign or its leads changed since. Ask again when it is done."),
    }.get(what, "")
    notify(
        client=request.client,
        level="warn" if what in {"asked", "outdated"} else "info",
        title=title[:200],
        body=body,
        url=f"/app/launch-requests/{request.pk}/",
        key=f"launch-{what}:{request.pk}",
        now=now,
    )
