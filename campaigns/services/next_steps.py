"""Where a lead goes after a call: its end, a retry at a better time, or the call it asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from campaigns import rules
from campaigns.dialling import waiting
from campaigns.dialling.callbacks import CALLBACK_FIELD, CALLED_BACK, asked_time
from campaigns.dialling.candidates import dial_policy, dial_window
from campaigns.dialling.retrying import Earlier
from campaigns.dialling.windows import known_zones
from campaigns.enrolments import move_enrolment
from campaigns.models import Attempt, BatchCall, Enrolment
from campaigns.services.following import move_callback, move_promises, promise_callback

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from telephony.events import CallChange

Status = Enrolment.Status


def step_after(
    attempt: Attempt, enrolment: Enrolment, change: CallChange, counted: int, now: datetime
) -> rules.NextStep:
    """Return where the lead goes and when it is due again, as far as its status and launch allow."""
    batch_call = launches().get(pk=attempt.batch_call_id)

    def others() -> list[Attempt]:
        return list(Attempt.objects.filter(enrolment_id=enrolment.pk).exclude(pk=attempt.pk))

    return step_within(batch_call, attempt, enrolment, change, counted, others, now)


def launches() -> QuerySet[BatchCall]:
    """Return launches with all that `step_within` looks at."""
    return BatchCall.objects.select_related("campaign__retry_policy", "campaign__calling_window")


def step_within(  # as `step_after`, with what it would read
    batch_call: BatchCall,
    attempt: Attempt,
    enrolment: Enrolment,
    change: CallChange,
    counted: int,
    others: Callable[[], Sequence[Attempt]],
    now: datetime,
) -> rules.NextStep:
    """Return the step of `step_after`; `others` are the lead's other attempts in the campaign."""
    assert change.outcome is not None
    policy = dial_policy(batch_call)
    step = rules.next_step(
        outcome=change.outcome,
        policy=policy,
        attempts_count=enrolment.attempts_count + counted,
        had_same_reason=change.outcome.is_once and _had_same_reason(attempt, change, others()),
        ended_at=change.ended_at or now,
        said=_said(enrolment, change, now),
        earlier=_earlier(attempt, enrolment, change, policy, others),
        hours=dial_window(batch_call).hours,
    )
    return _as_allowed(step, enrolment, batch_call)


def _as_allowed(
    step: rules.NextStep, enrolment: Enrolment, batch_call: BatchCall
) -> rules.NextStep:
    """Return the step, or what is left of it where the launch is over or the lead may not move so."""
    if step.status == "queued" and batch_call.is_over:
        ended: Any = Status.EXHAUSTED
        if batch_call.status == BatchCall.Status.CANCELLED:
            ended = Status.CANCELLED
        elif step.callback_at is not None or enrolment.was_reached:
            ended = Status.DONE
        step = rules.NextStep(status=ended)
    if step.status != enrolment.status and not rules.may_move(enrolment.status, step.status):
        stays: Any = enrolment.status
        return rules.NextStep(status=stays)
    return step


def _said(enrolment: Enrolment, change: CallChange, now: datetime) -> rules.CallSaid:
    reason = change.after.disconnection_reason
    asked = _asked_time(enrolment, change, now)
    return rules.CallSaid(
        reason=reason,
        wants_callback=reason == CALLED_BACK or asked is not None,
        callback_at=asked,
        was_reached=enrolment.was_reached,
    )


def _asked_time(enrolment: Enrolment, change: CallChange, now: datetime) -> datetime | None:
    """Return when the person asked to be called back, if the analysis says so."""
    text = change.analysis_data.get(CALLBACK_FIELD)
    if not isinstance(text, str) or not text.strip():
        return None
    zones = known_zones([enrolment.lead.time_zone, *enrolment.zones])
    zone = zones[0] if zones else str(UTC)
    return asked_time(text, zone=zone, said_at=change.ended_at or now)


def _earlier(
    attempt: Attempt,
    enrolment: Enrolment,
    change: CallChange,
    policy: rules.DialPolicy,
    others: Callable[[], Sequence[Attempt]],
) -> Earlier:
    """Read the lead's earlier calls, where the campaign's policy looks at them."""
    zones = known_zones(enrolment.zones)
    zone = zones[0] if zones else ""
    reason = change.after.disconnection_reason
    if not (policy.is_other_time_of_day or reason in policy.dispositions):
        return Earlier(zone=zone, promised_at=enrolment.callback_at)
    ended = [one for one in others() if one.status == Attempt.Status.ENDED]
    return Earlier(
        zone=zone,
        called_at=(attempt.created_at, *(one.created_at for one in ended)),
        same_count=1 + sum(one.disconnection_reason == reason for one in ended),
        promised_at=enrolment.callback_at,
    )


def _had_same_reason(attempt: Attempt, change: CallChange, others: Sequence[Attempt]) -> bool:
    reason = change.after.disconnection_reason
    return any(one.number < attempt.number and one.disconnection_reason == reason for one in others)


def learn_end(attempt: Attempt, change: CallChange, ended_at: datetime, now: datetime) -> bool:
    """
    Write when a call ended, where the news that ended it came without the time, and what is due by it.

    Inside the caller's transaction. True if the lead is due at another time than was thought; whoever
    moved or dialled it meanwhile has the last word.
    """
    Attempt.objects.filter(pk=attempt.pk).update(ended_at=ended_at)
    move_promises(attempt, by=ended_at - (attempt.ended_at or ended_at), now=now)
    enrolment = Enrolment.objects.select_related("lead").get(pk=attempt.enrolment_id)
    before = replace(change, ended_at=attempt.ended_at)
    asked = [_asked_time(enrolment, one, now) for one in (before, change)]
    if asked[0] is not None and asked[1] is not None:
        move_callback(attempt, asked[0], asked[1])
    if enrolment.status != Status.QUEUED or enrolment.attempt_number != attempt.number:
        return False
    thought = step_after(attempt, enrolment, before, 0, now)
    step = step_after(attempt, enrolment, change, 0, now)
    if thought.next_attempt_at is None or step.next_attempt_at is None:
        return False
    waits = Enrolment.objects.filter(
        pk=enrolment.pk,
        status=Status.QUEUED,
        attempt_number=attempt.number,
        next_attempt_at=thought.next_attempt_at,
    )
    columns = {"next_attempt_at": step.next_attempt_at, "callback_at": step.callback_at}
    return bool(waits.update(**columns))


def asks_for_callback(change: CallChange) -> bool:
    """Tell whether the call's analysis says anything about when to call back."""
    return bool(str(change.analysis_data.get(CALLBACK_FIELD) or "").strip())


def keep_callback(attempt: Attempt, change: CallChange, now: datetime) -> bool:
    """
    Put a lead in line for the time it asked for, where only the analysis of the call tells it.

    Of a launch that is over somebody is to call back instead. Inside the caller's transaction. False:
    nothing was asked, it is known already, or the lead has gone elsewhere.
    """
    if not asks_for_callback(change):
        return False
    enrolment = Enrolment.objects.select_related("lead", "batch_call").get(pk=attempt.enrolment_id)
    asked = _asked_time(enrolment, change, now)
    batch_call = enrolment.batch_call
    is_newest = enrolment.attempt_number == attempt.number
    if asked is None or not is_newest:
        return False
    if batch_call is None or batch_call.is_over:
        is_theirs = enrolment.status == Status.DONE and enrolment.lead.erased_at is None
        return is_theirs and promise_callback(attempt, asked, now)
    columns: dict[str, Any] = {
        "next_attempt_at": asked,
        "callback_at": asked,
        "waiting_reason": waiting.CALLBACK,
    }
    if enrolment.status == Status.QUEUED:
        before = replace(change, ended_at=attempt.ended_at or change.ended_at)
        # Where only the end is news `learn_end` has seen to that.
        is_known = enrolment.callback_at in (asked, _asked_time(enrolment, before, now))
        queued = Enrolment.objects.filter(pk=enrolment.pk, status=Status.QUEUED)
        return not is_known and bool(queued.update(**columns))
    if enrolment.status != Status.DONE:
        return False
    return move_enrolment(
        enrolment_id=enrolment.pk,
        from_statuses=(Status.DONE,),
        to_status=Status.QUEUED,
        now=now,
        guards={"attempt_number": attempt.number},
        batch_call_id=batch_call.pk,
        **columns,
    )
