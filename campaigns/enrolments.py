"""The status of leads in a launch: the only way it changes, the counters that move with it, the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from accounts.models import ClientEvent, Notification
from accounts.notifications import notify
from accounts.outbox import publish_client_event
from billing.services import close_reservation
from campaigns import rules
from campaigns.models import Attempt, BatchCall, Enrolment
from convomono.lib import live
from convomono.lib.bulk import update_row
from convomono.lib.db import in_transaction, run_atomic
from convomono.lib.keys import beside
from telephony.models import Call
from telephony.rules import OutcomeClass

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

Status = Enrolment.Status
IN_PROGRESS = (Status.QUEUED, Status.DIALLING, Status.IN_CALL)
ENDS = (Status.DONE, Status.SUPPRESSED, Status.EXHAUSTED, Status.INVALID, Status.CANCELLED)
# Retell reads what was said within seconds; what comes later than this makes a follow-up (`next_steps`).
RESULTS_WITHIN = timedelta(minutes=2)
_AT_ONCE = 500
LIVE = (BatchCall.Status.SCHEDULED, BatchCall.Status.RUNNING, BatchCall.Status.PAUSED)


class MoveRefused(Exception):
    """The table of moves doesn't know this one: a programming error, not a race."""


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """
    The leads of a launch by status, counted from their rows.

    `enrolled` is how many were put in line; `counters_agree` tells whether the launch's own counters
    say the same.
    """

    enrolled: int
    queued: int = 0
    dialling: int = 0
    in_call: int = 0
    done: int = 0
    suppressed: int = 0
    exhausted: int = 0
    invalid: int = 0
    cancelled: int = 0
    counters_agree: bool = True

    @property
    def in_progress(self) -> int:
        return self.queued + self.dialling + self.in_call

    @property
    def ended(self) -> int:
        return self.done + self.suppressed + self.exhausted + self.invalid + self.cancelled

    @property
    def holds(self) -> bool:
        """Everybody enrolled is somewhere, once, and the counters know."""
        return self.counters_agree and self.enrolled == self.in_progress + self.ended


def move_enrolment(
    *,
    enrolment_id: UUID,
    from_statuses: Iterable[str],
    to_status: str,
    now: datetime,
    guards: dict[str, Any] | None = None,
    batch_call_id: UUID | None = None,
    counted: int = 0,
    **columns: Any,
) -> bool:
    """
    Move an enrolment by compare-and-set, its launch's counters with it, in one atomic block.

    `columns` are written with it and `guards` are further values the row must still have. The lease
    ends unless `columns` sets one; an end sets `completed_at`. `counted` is added to its attempts. Who knows the launch says so: with a
    single status to come from, nothing needs to be read then. False: it was in none of
    `from_statuses` (any more), and nothing was written.

    :raises MoveRefused: if the table of moves forbids one of them
    """
    wanted = tuple(from_statuses)
    if not all(rules.may_move(before, to_status) for before in wanted):
        raise MoveRefused(f"{wanted} -> {to_status}")
    written = {**moved_columns(to_status, now), **columns}

    def block() -> bool:
        same = {"id": enrolment_id, **(guards or {})}
        row = (wanted[0], batch_call_id)
        if batch_call_id is None or len(wanted) > 1:
            found = Enrolment.objects.filter(**same, status__in=wanted)
            read = found.values_list("status", "batch_call_id").first()
            if read is None:
                return False
            row = read
        # Compare-and-set on what was read: another process may have moved it since.
        same |= {"status": row[0], "batch_call_id": row[1]}
        moved = update_row(
            Enrolment, same, {"status": to_status, **written}, add={"attempts_count": counted}
        )
        if moved and row[1]:
            _count(row[1], before=row[0], after=to_status, number=1)
        return moved

    # Inside a caller's block errors leave the outermost one, so a savepoint would serve nobody.
    return block() if in_transaction() else run_atomic(block)


def completeness(batch_call_id: UUID) -> Completeness:
    """Count a launch's leads by status from their rows and compare with its counters; two queries."""
    batch_call = BatchCall.objects.get(pk=batch_call_id)
    counted = dict(
        Enrolment.objects.filter(batch_call_id=batch_call_id)
        .values_list("status")
        .annotate(number=Count("pk"))
        .order_by()
    )
    agree = all(
        getattr(batch_call, f"{status.value}_count") == counted.get(status.value, 0)
        for status in Status
    )
    return Completeness(enrolled=batch_call.tasks_count, counters_agree=agree, **counted)


def converted_count(batch_call_id: UUID) -> int:
    """Count a launch's leads that reached the goal; one query."""
    return Enrolment.objects.filter(batch_call_id=batch_call_id, is_converted=True).count()


def awaits_results(*, batch_call_id: UUID, now: datetime) -> bool:
    """
    Tell whether what was said in one of a launch's last calls may still become known.

    The analysis may say that the person asked for another call, or was a machine after all.
    """
    ended = Attempt.objects.filter(
        beside(batch_call_id=batch_call_id, outcome_class=str(OutcomeClass.HUMAN)),
        ended_at__gt=now - RESULTS_WITHIN,
    )
    calls = [key for key in ended.values_list("call_id", flat=True) if key is not None]
    return any(
        Call.objects.filter(beside(analyzed_at=None), pk__in=some).exists()
        for some in batched(calls, _AT_ONCE)
    )


def finish_if_complete(*, batch_call_id: UUID, now: datetime) -> bool:
    """
    Finish a launch once nobody is queued, dialled or in a call and the numbers add up.

    It waits a while for what was said in its last calls (`awaits_results`). A launch that was stopped stays stopped. Either way its reservation is closed then, so that
    minutes nobody will use go back. True if this call finished it; a second time is nothing.
    """
    idle = Q(queued_count=0, dialling_count=0, in_call_count=0, attached_at__isnull=False)
    if not BatchCall.objects.filter(
        idle, pk=batch_call_id
    ).exists():  # cheap: asked after each call
        return False
    batch_call = BatchCall.objects.select_related("campaign", "client").get(pk=batch_call_id)
    if not batch_call.is_over and awaits_results(batch_call_id=batch_call_id, now=now):
        return False  # the dispatcher looks again
    if not completeness(batch_call_id).holds:
        return False
    if batch_call.is_over:
        close_reservation(batch_call_id=batch_call_id, now=now)
        return False

    converted = converted_count(batch_call_id)

    def block() -> bool:
        finished = BatchCall.objects.filter(idle, pk=batch_call_id, status__in=LIVE).update(
            status=BatchCall.Status.FINISHED,
            finished_at=now,
            converted_count=converted,
            waiting_reason="",
            waiting_until=None,
            waiting_facts={},
        )
        if finished:
            live.changed(client_id=batch_call.client_id, batch_call_id=batch_call_id)
            _tell_finished(batch_call, now=now)
        return bool(finished)

    finished = run_atomic(block)
    if finished:
        # A transaction of its own: together they take too long. Who is killed between them leaves the
        # minutes to `steering.left_behind`.
        close_reservation(batch_call_id=batch_call_id, now=now)
    return finished


def moved_columns(to_status: str, now: datetime) -> dict[str, Any]:
    """Return what every move to this status writes, unless the mover sets it."""
    if to_status in ENDS:
        return {"lease": None, "lease_until": None, "completed_at": now, "waiting_reason": ""}
    return {"lease": None, "lease_until": None, "completed_at": None}


def count_moves(batch_call: BatchCall, moves: Iterable[tuple[str, str]]) -> bool:
    """
    Move a launch's counters for many leads, (from, to) each, inside the caller's transaction.

    False, and nothing is counted, if the launch isn't in the status any more that `batch_call` has.
    """
    deltas: Counter[str] = Counter()
    for before, after in moves:
        deltas[f"{before}_count"] -= 1
        deltas[f"{after}_count"] += 1
    changes = {name: deltas[name] for name in sorted(deltas) if deltas[name]}
    same = {"id": batch_call.pk, "status": batch_call.status}
    # The status is written too: moves that cancel each other leave nothing else to write.
    if not update_row(BatchCall, same, {"status": batch_call.status}, add=changes):
        return False
    live.changed(batch_call_id=batch_call.pk)
    return True


def _count(batch_call_id: UUID, *, before: str, after: str, number: int) -> None:
    if before == after:
        return
    moves = {f"{before}_count": -number, f"{after}_count": number}
    update_row(BatchCall, {"id": batch_call_id}, {}, add=moves)
    live.changed(batch_call_id=batch_call_id)


def _tell_finished(batch_call: BatchCall, *, now: datetime) -> None:
    campaign = batch_call.campaign
    notify(
        client=batch_call.client,
        level=Notification.Level.INFO,
        title=_("%(campaign)s is finished") % {"campaign": campaign.name},
        body=_("%(done)d people were reached of %(all)d.")
        % {"done": batch_call.done_count, "all": batch_call.tasks_count},
        url=f"/app/campaigns/{campaign.pk}/report/",
        key=f"batch.finished:{batch_call.pk}",
        now=now,
    )
    publish_client_event(
        client_id=batch_call.client_id,
        kind=ClientEvent.Kind.CAMPAIGN_FINISHED,
        key=f"campaign.finished:{batch_call.pk}",
        data={
            "campaign_id": str(campaign.pk),
            "campaign": campaign.name,
            "batch_id": str(batch_call.pk),
            "leads": batch_call.tasks_count,
            "done": batch_call.done_count,
        },
        now=now,
    )
