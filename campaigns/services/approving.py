"""Two people for a launch: the client's rule, and asking, declining and outdating of requests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from audit import actions
from audit.services import record
from campaigns.launch_requests import RequestOver, end_request, tell_of
from campaigns.models import Experiment, LaunchRequest, LaunchRule
from campaigns.services.authoring import content_of
from campaigns.services.launching import waiting_leads
from campaigns.services.policies import dialling_of
from campaigns.services.variables import variable_rules
from convomono.lib.db import IntegrityError, atomic, run_atomic

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from audit.services import Actor
    from campaigns.models import BatchCall, Campaign
    from campaigns.preflight import Preflight

Status = LaunchRequest.Status


class ApprovalNeeded(Exception):
    """The client wants a second person for a launch as large as this one."""


class RequestWaits(Exception):
    """Somebody has asked for a launch of this campaign already."""


class OthersRequest(Exception):
    """Somebody tried to take back what another person had asked for."""


class OwnRequest(Exception):
    """Somebody tried to approve what they had asked for themselves."""


# -- The rule --------------------------------------------------------------------------------------


def launch_rule(client_id: UUID) -> LaunchRule:
    """Return what the client wants; no second person while nobody has said so. One query."""
    rule = LaunchRule.objects.filter(client_id=client_id).first()
    return rule or LaunchRule(client_id=client_id)


def needs_approval(*, client_id: UUID, seconds: int) -> bool:
    """Tell whether a launch that may take so many seconds needs a second person. One query."""
    rule = launch_rule(client_id)
    return rule.is_active and seconds > rule.above_seconds


def set_launch_rule(
    *, client_id: UUID, is_active: bool, above_seconds: int, actor: Actor, now: datetime
) -> bool:
    """Say from which size on launches need a second person; tell if it changed. Requests go on waiting."""
    wanted = {"is_active": is_active, "above_seconds": above_seconds}
    by = {"changed_by_email": actor.actor_email, "changed_at": now}

    @atomic
    def block() -> bool:
        rule = LaunchRule.objects.filter(client_id=client_id).first()
        before = rule or LaunchRule(client_id=client_id)
        if all(getattr(before, name) == value for name, value in wanted.items()):
            return False
        if rule is None:
            rule = LaunchRule.objects.create(client_id=client_id, **wanted, **by)
        else:
            LaunchRule.objects.filter(pk=rule.pk).update(**wanted, **by)
        record(actions.LAUNCH_RULE_CHANGED, resource=rule, actor=actor, now=now, details=wanted)
        return True

    try:
        return block()
    except IntegrityError:  # somebody else has just set the first one
        return block()


# -- Asking and deciding ---------------------------------------------------------------------------


def ask_for_launch(  # noqa: PLR0913 - who asks for what, when, and on whose behalf
    *,
    campaign: Campaign,
    check: Preflight,
    request_id: UUID,
    starts_at: datetime | None,
    note: str,
    actor: Actor,
    now: datetime,
    asker_id: UUID | None = None,
    within: Callable[[], object] | None = None,
) -> LaunchRequest:
    """
    Ask for the launch of what a check without blockers found; the same id again returns the first.

    `asker_id` is the person for whom a part of the system asks. `within` is done in the same block: what it
    refuses undoes the request.

    :raises RequestWaits: if another request for this campaign waits
    """
    acted_for: Actor | None = getattr(actor, "acted_for", None)
    row = LaunchRequest(
        id=request_id,
        client_id=campaign.client_id,
        campaign=campaign,
        live_key=str(campaign.pk),
        fingerprint=fingerprint(campaign),
        version_number=campaign.published_version or 0,
        leads_count=check.counts.callable,
        seconds=check.reserve_seconds,
        cost_micros=check.cost_micros,
        starts_at=starts_at,
        note=note,
        asked_by_id=asker_id or actor.actor_id,
        asked_as_id=acted_for.actor_id if acted_for else None,
        asked_by_email=actor.actor_email,
        asked_at=now,
    )

    def block() -> None:
        row.save(force_insert=True)
        details = {"leads": row.leads_count, "seconds": row.seconds}
        record(actions.LAUNCH_ASKED, resource=row, actor=actor, now=now, details=details)
        said = {"who": row.asked_by_email, "name": campaign.name}
        tell_of(row, "asked", _("%(who)s asks for the launch of %(name)s") % said, now)
        if within is not None:
            within()

    try:
        run_atomic(block)
    except IntegrityError:
        first = LaunchRequest.objects.filter(pk=request_id, campaign=campaign).first()
        if first is None:
            raise RequestWaits from None
        return first
    return row


def is_asker(request: LaunchRequest, actor: Actor) -> bool:
    """Tell whether this person asked for it, in their own name or for somebody."""
    acted_for: Actor | None = getattr(actor, "acted_for", None)
    people = {actor.actor_id, acted_for.actor_id if acted_for else None}
    return bool({request.asked_by_id, request.asked_as_id} & people - {None})


def is_outdated(request: LaunchRequest, campaign: Campaign) -> bool:
    """Tell whether the campaign isn't any more what was asked for, or has got further leads. Some 8 queries."""
    newer = waiting_leads(campaign).filter(created_at__gt=request.asked_at)
    return request.fingerprint != fingerprint(campaign) or newer.exists()


def fingerprint(campaign: Campaign) -> str:
    """Return a hash of everything a second person agrees to: words, hours, numbers, tries, trials."""
    trial = Experiment.objects.filter(live_key=str(campaign.pk)).values_list("pk", flat=True)
    agreed: list[Any] = [
        asdict(content_of(campaign)),
        asdict(dialling_of(campaign)),
        campaign.status,
        campaign.published_version,
        list(trial),
    ]
    # What calls say depends on them; without any the hash is as it was before there were some.
    if rules := variable_rules(campaign.pk):
        agreed.append([asdict(rule) for rule in rules])
    return hashlib.sha256(json.dumps(agreed, sort_keys=True, default=str).encode()).hexdigest()


def mark_launched(
    *, request: LaunchRequest, batch_call: BatchCall, actor: Actor, now: datetime
) -> None:
    """
    Write that a request became this launch, inside the launch's own block.

    :raises OwnRequest: if it is the asker who approves
    :raises RequestOver: if it doesn't wait (any more); the launch is undone with the block
    """
    if is_asker(request, actor):
        raise OwnRequest
    more = {"batch_call_id": batch_call.pk}
    if not end_request(request, Status.LAUNCHED, actions.LAUNCH_APPROVED, actor, now, **more):
        raise RequestOver
    said = {"who": actor.actor_email, "name": batch_call.campaign.name}
    tell_of(request, "launched", _("%(who)s approved the launch of %(name)s") % said, now)


def decline_launch(*, request: LaunchRequest, reason: str, actor: Actor, now: datetime) -> None:
    """
    Decline a request of somebody else, and say why.

    :raises OwnRequest: if it is one's own: that is withdrawn instead
    :raises RequestOver: if it doesn't wait (any more)
    """
    if is_asker(request, actor):
        raise OwnRequest

    def block() -> None:
        if not end_request(
            request, Status.DECLINED, actions.LAUNCH_DECLINED, actor, now, reason=reason
        ):
            raise RequestOver
        said = {"who": actor.actor_email, "name": request.campaign.name}
        tell_of(request, "declined", _("%(who)s declined the launch of %(name)s") % said, now)

    run_atomic(block)


def withdraw_launch(*, request: LaunchRequest, actor: Actor, now: datetime) -> None:
    """
    Take one's own request back.

    :raises OthersRequest: if somebody else asked for it: that is declined instead
    :raises RequestOver: if it doesn't wait (any more)
    """

    if not is_asker(request, actor):
        raise OthersRequest

    def block() -> None:
        if not end_request(request, Status.WITHDRAWN, actions.LAUNCH_WITHDRAWN, actor, now):
            raise RequestOver

    run_atomic(block)
