"""A list on its way to Retell and back: filled, sent once and never again, and what became of its people."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from django.db.models import Max
from django.utils.translation import gettext as _

from accounts.models import Client
from billing.services import keep_holds, void
from campaigns.dialling.answers import halt_after, is_ours, record_placed
from campaigns.dialling.batch_windows import longest_day, open_for
from campaigns.dialling.gates import GateClosed, pass_gates
from campaigns.dialling.placing import Forbidden, Overtaken, stand_down
from campaigns.enrolments import finish_if_complete, move_enrolment
from campaigns.models import Attempt, BatchCall, Enrolment, Handover
from campaigns.settings_schema import max_call_seconds
from convomono.lib.db import IntegrityError, run_atomic
from convomono.lib.keys import beside
from leads.models import Lead
from leads.services import suppressed_numbers
from telephony.provider import Batch, BatchTask, CallTimeWindow, Rejected, UnknownOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from telephony.provider import CallPage, ProviderError

log = structlog.get_logger()
Status = Handover.Status

# So many are handed over at once: a list is armed in one transaction, below 10 ms on SQLite.
MOST_TASKS = 100
# Nobody of a list rang for so long, although it was calling time: who is left of it never will.
QUIET = timedelta(hours=1)
# What nobody may hold against the lead: Retell leaves no trace of a task that it refuses.
NEVER_RANG = "The voice platform had this number in a list and never called it."


def open_handover(
    *,
    batch_call: BatchCall,
    from_number: str,
    window: CallTimeWindow | None,
    until: datetime,
    now: datetime,
) -> Handover:
    """
    Begin a list: attempts of this launch, from one number, for one time zone's hours.

    It has to be sent before `until` (real time), when its leads' claims begin to run out.
    """
    return Handover.objects.create(
        client_id=batch_call.client_id,
        batch_call=batch_call,
        from_number=from_number,
        window=window_json(window),
        lease_until=until,
        created_at=now,
    )


def window_json(window: CallTimeWindow | None) -> dict[str, object]:
    """Return a window as a handover keeps it; empty for any hour."""
    if window is None:
        return {}
    return {
        "windows": [list(span) for span in window.windows],
        "timezone": window.timezone,
        "days": list(window.days),
    }


def window_of(handover: Handover) -> CallTimeWindow | None:
    """Return a handover's window; None for any hour."""
    kept = handover.window
    if not kept:
        return None
    return CallTimeWindow(
        windows=tuple((start, end) for start, end in kept["windows"]),
        timezone=kept["timezone"],
        days=tuple(kept["days"]),
    )


def arm_handover(*, handover: Handover, until: datetime, now: datetime) -> list[BatchTask]:
    """
    Check a last time who of a list may be called, and count the sending; the next step is the network.

    Returns the tasks to send, none if nobody is left. As with a single dial the launch and the gates
    are written under the condition that they let calls pass, so that a pause or stop collides. `until`
    (real time) says how long the answer may take: after that it counts as lost.

    :raises Forbidden: if launch or client isn't active any more, or dialling was stopped
    :raises Overtaken: if another dispatcher has sent or dropped it
    """

    def block() -> tuple[list[Attempt], list[Attempt]]:
        running = BatchCall.objects.filter(
            pk=handover.batch_call_id, status=BatchCall.Status.RUNNING
        ).update(last_dialled_at=now)
        is_active = Client.objects.filter(pk=handover.client_id, status=Client.Status.ACTIVE)
        if not running or not is_active.exists():
            raise Forbidden
        pass_gates(client_id=handover.client_id, now=now)
        # Somebody whose claim has run out waits in line again, and would be called twice.
        rows = list(unsent_of(handover).filter(enrolment__status=Enrolment.Status.DIALLING))
        go, left_out = _by_permission(handover, rows)
        armed = Handover.objects.filter(pk=handover.pk, status=Status.FILLING).update(
            status=Status.SENT if go else Status.OVER,
            tasks_count=len(go),
            sent_at=now,
            lease_until=until,
        )
        if not armed:
            raise Overtaken
        ids = [row.pk for row in go]
        Attempt.objects.filter(
            beside(status=Attempt.Status.DIALLING, sends_count=0), pk__in=ids
        ).update(sends_count=1, sent_at=now)
        # No lease: what becomes of them is told by Retell, or found out.
        claimed = Enrolment.objects.filter(
            beside(status=Enrolment.Status.DIALLING), pk__in=[row.enrolment_id for row in go]
        )
        if claimed.update(lease=None, lease_until=None) != len(go):
            raise Overtaken
        return go, left_out

    try:
        go, left_out = run_atomic(block)
    except GateClosed:
        raise Forbidden from None
    except IntegrityError:  # two processes made one gate at this very moment
        raise Overtaken from None
    for attempt in left_out:
        stand_down(attempt=attempt, reason=_("It may not be called any more."), now=now)
    handover.refresh_from_db()
    return [_task(row) for row in go]


def _by_permission(handover: Handover, rows: list[Attempt]) -> tuple[list[Attempt], list[Attempt]]:
    """Part a list's attempts into those that may go and those whose person said no meanwhile."""
    given = Lead.objects.filter(
        pk__in=[row.lead_id for row in rows], consent_status=Lead.ConsentStatus.GIVEN
    )
    agree = dict(given.values_list("pk", "other_numbers"))
    numbers = {row.pk: [row.phone_number, *agree.get(row.lead_id, [])] for row in rows}
    suppressed = suppressed_numbers(
        client_id=handover.client_id,
        campaign_id=handover.batch_call.campaign_id,
        phone_numbers={number for some in numbers.values() for number in some},
    )
    go: list[Attempt] = []
    left_out: list[Attempt] = []
    for row in rows:
        may = row.lead_id in agree and not suppressed.keys() & set(numbers[row.pk])
        (go if may else left_out).append(row)
    return go, left_out


def drop(*, handover: Handover, now: datetime) -> bool:
    """Give up a list that was never sent; its people go back into the line. False if it was sent."""
    rows = Handover.objects.filter(pk=handover.pk, status=Status.FILLING)
    if not rows.update(status=Status.DROPPED):
        return False
    _stand_down_all(handover, "It was stopped before it was sent.", now)
    return True


def apply_batch_answer(*, handover: Handover, answer: Batch | ProviderError, now: datetime) -> None:
    """
    Write what Retell said to a list: it has it, it refused it, or nobody knows.

    There is no key under which it might be sent again, so after a lost answer it never is: its calls
    are looked for, and who was never called ends as not reached.
    """
    sent = Handover.objects.filter(pk=handover.pk, status=Status.SENT)
    if isinstance(answer, Batch):
        sent.update(status=Status.ACCEPTED, provider_batch_id=answer.batch_call_id)
        BatchCall.objects.filter(pk=handover.batch_call_id, provider_batch_id="").update(
            provider_batch_id=answer.batch_call_id
        )
    elif isinstance(answer, UnknownOutcome):
        note_lost(handover=handover, error=str(answer))
    elif sent.update(status=Status.REFUSED, error=str(answer)[:400]):
        _stand_down_all(handover, str(answer), now)
        if isinstance(answer, Rejected):
            halt_after(answer, batch_call_id=handover.batch_call_id, now=now)
            if not is_ours(answer):
                log.warning("handover.refused", handover_id=str(handover.pk))


def note_lost(*, handover: Handover, error: str) -> bool:
    """Note that nobody knows whether Retell has the list; False if that is known by now."""

    def block() -> bool:
        lost = Handover.objects.filter(pk=handover.pk, status=Status.SENT).update(
            status=Status.UNKNOWN, error=error[:400]
        )
        if lost:
            waiting_of(handover).update(was_lost=True)
        return bool(lost)

    return run_atomic(block)


def note_listed(*, handover: Handover, page: CallPage, now: datetime) -> int:
    """Take in which calls Retell lists of a handover; return how many were news."""
    listed = {str(call.metadata.get("attempt_id", "")): call.call_id for call in page.calls}
    found = 0
    for attempt in waiting_of(handover):
        if (call_id := listed.get(str(attempt.pk))) is not None:
            record_placed(attempt=attempt, provider_call_id=call_id, now=now)
            found += 1
    if found:
        Handover.objects.filter(pk=handover.pk, status=Status.UNKNOWN).update(
            status=Status.ACCEPTED
        )
    return found


def keep_alive(*, handover: Handover, now: datetime) -> None:
    """Keep the minutes of who still waits at Retell set aside."""
    keep_holds(
        attempt_ids=list(waiting_of(handover).values_list("pk", flat=True)),
        max_call_seconds=max_call_seconds(handover.batch_call.version.settings),
        now=now,
    )


def is_quiet(*, handover: Handover, now: datetime) -> bool:
    """Tell whether nobody of a list rang for an hour of calling time, or on two whole days of it."""
    newest = Attempt.objects.filter(
        batch_call_id=handover.batch_call_id, handover_id=handover.pk
    ).aggregate(at=Max("placed_at"))["at"]
    last = max(at for at in (handover.sent_at, newest, handover.created_at) if at)
    window = window_of(handover)
    if window is None:
        return now - last >= QUIET
    return open_for(window, since=last, until=now) >= min(QUIET, 2 * longest_day(window))


def end_never_rung(*, handover: Handover, attempt_ids: Iterable[UUID], now: datetime) -> int:
    """
    End people whom Retell had in a list and never called, as not reached; return how many.

    They aren't dialled by other means: Retell might still have them. If it calls one after all, the
    call is taken in, charged and counted as any other.
    """
    ids = set(attempt_ids)
    ended = sum(_end_never_rung(one, now) for one in waiting_of(handover) if one.pk in ids)
    if ended:
        finish_if_complete(batch_call_id=handover.batch_call_id, now=now)
    return ended


def close_if_over(*, handover: Handover) -> bool:
    """Close a list of which nobody waits at Retell any more."""
    if waiting_of(handover).exists():
        return False
    rows = Handover.objects.filter(pk=handover.pk, status__in=(Status.ACCEPTED, Status.UNKNOWN))
    return bool(rows.update(status=Status.OVER))


def waiting_at_retell(*, client_id: UUID | None) -> int:
    """Count who waits in lists that Retell dials by itself, of a client or (None) of all."""
    waits = Attempt.objects.filter(
        status=Attempt.Status.DIALLING, handover_id__isnull=False, sends_count__gt=0
    )
    return (waits if client_id is None else waits.filter(client_id=client_id)).count()


def waiting_of(handover: Handover) -> QuerySet[Attempt]:
    """Return the attempts of a list that Retell has told nothing of, in the order of its tasks."""
    return Attempt.objects.filter(
        batch_call_id=handover.batch_call_id,
        status=Attempt.Status.DIALLING,
        handover_id=handover.pk,
        sends_count__gt=0,
    ).order_by("pk")


def unsent_of(handover: Handover) -> QuerySet[Attempt]:
    """Return the attempts that go with a list that is being filled."""
    return Attempt.objects.filter(
        batch_call_id=handover.batch_call_id,
        status=Attempt.Status.DIALLING,
        handover_id=handover.pk,
        sends_count=0,
    ).order_by("pk")


def _end_never_rung(attempt: Attempt, now: datetime) -> bool:
    def block() -> bool:
        ended = Attempt.objects.filter(
            pk=attempt.pk, status=Attempt.Status.DIALLING, provider_call_id=""
        ).update(status=Attempt.Status.NOT_PLACED, error=NEVER_RANG, ended_at=now)
        if ended:
            void(attempt_id=attempt.pk, now=now)
            move_enrolment(
                enrolment_id=attempt.enrolment_id,
                from_statuses=(Enrolment.Status.DIALLING,),
                to_status=Enrolment.Status.EXHAUSTED,
                now=now,
                guards={"attempt_number": attempt.number},
                batch_call_id=attempt.batch_call_id,
                last_outcome="not_placed",
            )
        return bool(ended)

    return run_atomic(block)


def _stand_down_all(handover: Handover, reason: str, now: datetime) -> None:
    """End attempts that were certainly never placed; one short transaction for each."""
    for rows in (unsent_of(handover), waiting_of(handover)):
        for attempt in rows:
            stand_down(attempt=attempt, reason=reason, now=now)
    finish_if_complete(batch_call_id=handover.batch_call_id, now=now)


def _task(attempt: Attempt) -> BatchTask:
    request = attempt.request
    return BatchTask(
        to_number=request["to_number"],
        dynamic_variables=request["dynamic_variables"],
        metadata=request["metadata"],
        agent_id=request["agent_id"],
        agent_version=request["agent_version"],
        max_call_duration_ms=request["max_call_duration_ms"],
        ring_duration_ms=request["ring_duration_ms"],
    )
