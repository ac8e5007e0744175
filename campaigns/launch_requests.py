"""The end of a request to launch, and what its client's people are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.notifications import notify
from audit import actions
from audit.services import System, record
from campaigns.models import BatchCall, LaunchRequest, LaunchRule

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from django.db.models import QuerySet

    from audit.services import Actor
    from campaigns.models import Campaign, CampaignVersion

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


def outdate_requests(*, campaign_ids: Collection[UUID], now: datetime) -> None:
    """End the requests that wait for any of these campaigns, as `outdate_request` does. One query if none."""
    keys = [str(one) for one in campaign_ids]
    for key in list(
        LaunchRequest.objects.filter(live_key__in=keys).values_list("live_key", flat=True)
    ):
        outdate_request(campaign_id=UUID(key), now=now)


def wants_two_people(*, client_id: UUID) -> bool:
    """Tell whether the client wants a second person for its launches; one query."""
    return LaunchRule.objects.filter(client_id=client_id, is_active=True).exists()


def live_launches(*, client_id: UUID, campaign_id: UUID) -> QuerySet[BatchCall]:
    """Return the launches that a new version or an edit would reach: those that aren't over."""
    over = (BatchCall.Status.FINISHED, BatchCall.Status.CANCELLED)
    return BatchCall.objects.filter(client_id=client_id, campaign_id=campaign_id).exclude(
        status__in=over
    )


def tell_of_edit(
    *, campaign: Campaign, changed: Collection[str], actor: Actor, now: datetime
) -> bool:
    """
    Tell a client that wants two people what one changed of launches that run; False if there is nothing.

    Hours, tries, numbers and lines hold at once, so that a mistake can be mended at once; nobody does it unseen.
    """
    if not changed or not wants_two_people(client_id=campaign.client_id):
        return False
    if not live_launches(client_id=campaign.client_id, campaign_id=campaign.pk).exists():
        return False
    said = {"who": actor.actor_email, "name": campaign.name}
    return notify(
        client=campaign.client,
        level="warn",
        title=(_("%(who)s changed how %(name)s dials, while it runs") % said)[:200],
        body=", ".join(sorted(one.replace("_", " ") for one in changed)),
        url=f"/app/campaigns/{campaign.pk}/",
        key=f"launch-edited:{campaign.pk}:{now.isoformat()}",
        now=now,
    )


def tell_of_version(*, version: CampaignVersion, now: datetime) -> bool:
    """Ask the client's people for a second one who lets running launches use a version."""
    name = version.campaign.name
    return notify(
        client=version.client,
        level="warn",
        title=(_("Running launches of %s wait for a second person") % name)[:200],
        body=_(
            "Version %(number)d is published. They go on with theirs until somebody else lets them use it."
        )
        % {"number": version.number},
        url=f"/app/campaigns/{version.campaign_id}/versions/{version.number}/",
        key=f"version-waits:{version.pk}",
        now=now,
    )


def tell_of_held(*, version: CampaignVersion, names: Collection[str], now: datetime) -> bool:
    """Tell the client's people that running launches can't say a version: nobody in them fills these variables."""
    said = {"number": version.number, "names": ", ".join(f"{{{{{name}}}}}" for name in names)}
    return notify(
        client=version.client,
        level="warn",
        title=(_("Running launches of %s keep their version") % version.campaign.name)[:200],
        body=_(
            "Version %(number)d is published, but none of their leads has a value for %(names)s. Give it a "
            "default or mend the script, and make it ready again."
        )
        % said,
        url=f"/app/campaigns/{version.campaign_id}/versions/{version.number}/",
        key=f"version-held:{version.pk}",
        now=now,
    )


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
