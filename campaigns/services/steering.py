"""Steering a launch: pause, resume, stop; nothing here waits for a call or a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import F, Q

from audit import actions
from audit.services import System, record
from billing.services import close_reservation, open_launches
from campaigns.dialling import waiting
from campaigns.enrolments import finish_if_complete
from campaigns.models import BatchCall, Campaign, Enrolment
from convomono.lib import live
from convomono.lib.db import atomic, on_commit, run_atomic
from convomono.lib.keys import beside
from convomono.lib.redis import ring

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.services import Actor

# Who launches new leads that nobody pressed for (`topping_up.py`; `recurring.py` sets when).
TOP_UP = System("top-up")
SLICE = 200  # rows of one transaction: it stays below 10 ms on SQLite
Status = BatchCall.Status
_ACTIVE = (Status.SCHEDULED, Status.RUNNING)
_LIVE = (*_ACTIVE, Status.PAUSED)
DRY = (waiting.PAUSED_CREDIT, waiting.PAUSED_DEBT)


class BatchCallNotRunning(Exception):
    """Somebody asked to pause a launch that isn't dialling."""


class BatchCallNotPaused(Exception):
    """Somebody asked to resume a launch that isn't paused."""


class BatchCallOver(Exception):
    """Somebody asked to stop a launch that is over."""


@atomic
def pause_batch_call(*, batch_call: BatchCall, actor: Actor, now: datetime) -> None:
    """
    Stop new calls from being placed; calls in progress go on.

    :raises BatchCallNotRunning: if it is paused or over
    """
    changed = BatchCall.objects.filter(pk=batch_call.pk, status__in=_ACTIVE).update(
        status=Status.PAUSED,
        paused_at=now,
        pause_reason=waiting.PAUSED_BY_PERSON,
        paused_by_email=actor.actor_email,
    )
    if not changed:
        raise BatchCallNotRunning
    _tell(actions.CAMPAIGN_PAUSED, batch_call=batch_call, actor=actor, now=now)


def pause_by_system(
    *,
    batch_call_id: UUID,
    reason: str,
    now: datetime,
    facts: dict[str, Any] | None = None,
    within: Callable[[], object] | None = None,
) -> bool:
    """
    Pause a launch because of what calls report; `reason` is a code the page has a sentence for.

    `facts` are the figures of that sentence. `within` is done in the same block, so that people hear of the
    pause whoever is killed. Return False if it was paused or over already.
    """
    active = BatchCall.objects.filter(status__in=_ACTIVE)
    return _pause_one(active, batch_call_id, reason, now, facts, within)


@atomic
def _pause_one(
    those: QuerySet[BatchCall],
    batch_call_id: UUID,
    reason: str,
    now: datetime,
    facts: dict[str, Any] | None,
    within: Callable[[], object] | None,
) -> bool:
    changed = those.filter(pk=batch_call_id).update(
        status=Status.PAUSED,
        paused_at=now,
        pause_reason=reason,
        paused_by_email="",
        waiting_facts=facts or {},
    )
    if changed:
        batch_call = BatchCall.objects.select_related("campaign").get(pk=batch_call_id)
        _tell(actions.CAMPAIGN_PAUSED, batch_call=batch_call, actor=System("dispatcher"), now=now)
        if within is not None:
            within()
    return bool(changed)


def pause_campaign_by_system(
    *,
    client_id: UUID,
    campaign_id: UUID,
    reason: str,
    now: datetime,
    facts: dict[str, Any] | None = None,
    within: Callable[[], object] | None = None,
) -> int:
    """
    Pause every launch of a campaign because of what its calls report; return how many were.

    One that waits for minutes is paused for this reason now: minutes alone let it go on no more. `within` is
    done in the block of each, as by `pause_by_system`.
    """
    mine = BatchCall.objects.filter(client_id=client_id, campaign_id=campaign_id)
    dry = mine.filter(status=Status.PAUSED, pause_reason__in=DRY)
    paused = 0
    # Those first that minutes may start meanwhile: whatever is started before is active then.
    for those in (dry, mine.filter(status__in=_ACTIVE)):
        for pk in list(those.values_list("pk", flat=True)):
            paused += _pause_one(those, pk, reason, now, facts, within)
    return paused


@atomic
def pause_dry(*, campaign: Campaign, actor: Actor, now: datetime) -> list[BatchCall]:
    """Let launches that wait for minutes wait for a person instead; return them."""
    dry = BatchCall.objects.filter(
        client_id=campaign.client_id,
        campaign=campaign,
        status=Status.PAUSED,
        pause_reason__in=DRY,
    )
    paused = []
    for row in dry.select_related("campaign", "client"):
        if dry.filter(pk=row.pk).update(
            pause_reason=waiting.PAUSED_BY_PERSON, paused_at=now, paused_by_email=actor.actor_email
        ):
            _tell(actions.CAMPAIGN_PAUSED, batch_call=row, actor=actor, now=now)
            paused.append(row)
    return paused


@atomic
def resume_batch_call(
    *,
    batch_call: BatchCall,
    actor: Actor,
    now: datetime,
    reasons: Collection[str] | None = None,
) -> None:
    """
    Let calls be placed again, where it stopped: nothing is skipped, nothing repeated.

    With `reasons` only what is paused for one of them, because it is gone: then the circuit breaker goes on
    counting. Without, a person resumes it, whatever paused it, and the breaker counts anew.

    :raises BatchCallNotPaused: if it is running or over
    """
    paused = BatchCall.objects.filter(pk=batch_call.pk, status=Status.PAUSED)
    fields: dict[str, Any] = {
        "paused_at": None,
        "waiting_facts": {},
        "pause_reason": "",
        "paused_by_email": "",
        "waiting_reason": "",
    }
    if reasons is None:
        fields["resumed_at"] = now
    else:  # what somebody paused meanwhile, or calls did, goes on waiting
        paused = paused.filter(pause_reason__in=list(reasons))
    changed = paused.exclude(started_at=None).update(status=Status.RUNNING, **fields)
    changed = changed or paused.filter(started_at=None).update(status=Status.SCHEDULED, **fields)
    if not changed:
        raise BatchCallNotPaused
    _tell(actions.CAMPAIGN_RESUMED, batch_call=batch_call, actor=actor, now=now)


@atomic
def stop_batch_call(*, batch_call: BatchCall, actor: Actor, now: datetime) -> None:
    """
    End a launch for good: no new call from now on; calls in progress end by themselves.

    The waiting leads are taken out of the line by `cancel_slice`, which also frees the minutes.

    :raises BatchCallOver: if it was finished or stopped already
    """
    changed = BatchCall.objects.filter(pk=batch_call.pk, status__in=_LIVE).update(
        status=Status.CANCELLED, finished_at=now, waiting_reason="", waiting_until=None
    )
    if not changed:
        raise BatchCallOver
    _tell(actions.CAMPAIGN_STOPPED, batch_call=batch_call, actor=actor, now=now)


def cancel_slice(*, batch_call_id: UUID, now: datetime) -> bool:
    """
    Cancel up to 200 waiting leads of a stopped launch; True when none is left.

    Then the free minutes go back to the wallet; those held by calls in progress follow when they
    end. Killed anywhere, it goes on where it stopped.
    """
    keys = list(
        Enrolment.objects.filter(
            batch_call_id=batch_call_id, status=Enrolment.Status.QUEUED
        ).values_list("pk", flat=True)[:SLICE]
    )
    if not keys:
        close_reservation(batch_call_id=batch_call_id, now=now)
        finish_if_complete(batch_call_id=batch_call_id, now=now)
        return True
    run_atomic(lambda: _cancel(batch_call_id=batch_call_id, keys=keys, now=now))
    return False


def _cancel(*, batch_call_id: UUID, keys: list[UUID], now: datetime) -> None:
    cancelled = Enrolment.objects.filter(
        beside(status=Enrolment.Status.QUEUED, batch_call_id=batch_call_id), pk__in=keys
    ).update(status=Enrolment.Status.CANCELLED, completed_at=now, waiting_reason="")
    BatchCall.objects.filter(pk=batch_call_id).update(
        queued_count=F("queued_count") - cancelled, cancelled_count=F("cancelled_count") + cancelled
    )
    live.changed(batch_call_id=batch_call_id)


def left_behind() -> QuerySet[BatchCall, UUID]:
    """Return the ids of stopped launches with leads in line, and of ended ones with minutes set aside."""
    in_line = Q(status=Status.CANCELLED, queued_count__gt=0)
    ended = Q(status__in=(Status.CANCELLED, Status.FINISHED), pk__in=list(open_launches()))
    return BatchCall.objects.filter(in_line | ended).values_list("pk", flat=True)


def live_batch_calls(campaign: Campaign) -> list[BatchCall]:
    """Return the campaign's launches that aren't over, oldest first."""
    return list(
        BatchCall.objects.filter(
            client_id=campaign.client_id, campaign=campaign, status__in=_LIVE
        ).order_by("created_at", "pk")
    )


def each_live[Error: Exception](
    *, campaign: Campaign, change: Callable[[BatchCall], None], skip: type[Error]
) -> list[BatchCall]:
    """
    Change every launch of the campaign that isn't over; return those that were changed.

    :raises Error: `skip` itself, if there was none to change
    """
    changed = []
    for batch_call in live_batch_calls(campaign):
        try:
            change(batch_call)
        except skip:
            continue
        changed.append(batch_call)
    if not changed:
        raise skip
    return changed


def _tell(action: str, *, batch_call: BatchCall, actor: Actor, now: datetime) -> None:
    record(
        action,
        resource=batch_call.campaign,
        actor=actor,
        now=now,
        details={"batch_id": str(batch_call.pk)},
    )
    on_commit(lambda: ring("dispatcher"))
