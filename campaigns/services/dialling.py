"""What a call's news means for the lead that was called, and what is done about lost answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from campaigns import rules
from campaigns.agent_settings import CONVERTED_FIELD
from campaigns.dialling import recovery, waiting
from campaigns.dialling.answers import (
    halt_campaign,
    halt_everything,
    may_be_placed,
    note_placed,
    reason_to_halt,
)
from campaigns.enrolments import finish_if_complete, move_enrolment
from campaigns.models import Attempt, Enrolment
from campaigns.services.automating import note_outcome
from campaigns.services.following import follow_call, move_promises
from campaigns.services.next_steps import keep_callback, learn_end, step_after
from campaigns.services.opt_outs import suppress_called
from convomono.lib.bulk import update_row
from convomono.lib.redis import ring
from leads.models import Lead
from leads.services import change_conversion, record_summary
from telephony.provider import ProviderError
from telephony.retell import retell_gateway
from telephony.rules import OutcomeClass, Stops
from telephony.services import rest_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    from billing.services import Charge
    from leads.services.people import Summary
    from telephony.events import CallChange
    from telephony.rules import Outcome

Status = Enrolment.Status
NUMBER_RESTS = timedelta(hours=24)
STILL_HOLDS = timedelta(hours=1)
_LEAD_STATUS = {
    Status.DONE: Lead.Status.REACHED,
    Status.EXHAUSTED: Lead.Status.EXHAUSTED,
    Status.INVALID: Lead.Status.INVALID,
    Status.SUPPRESSED: Lead.Status.SUPPRESSED,
}


class AttemptMovedOn(Exception):
    """Another process changed the attempt between our reading and writing; the block has to run again."""


@dataclass(frozen=True, kw_only=True)
class OutcomeEffect:
    """What a settled call did to its lead; equal statuses if the lead stayed where it was."""

    before: str
    after: str
    counted: int  # what was added to the lead's attempts: -1, 0 or 1


def record_outcome(
    *, change: CallChange, charge: Charge | None, now: datetime
) -> OutcomeEffect | None:
    """
    Move the lead of a call to where its news leads, inside the caller's transaction.

    Any order and any number of times gives the same rows. An analysis may change a call's class
    afterwards: the lead moves then, it isn't counted again. None: the call has no attempt of ours,
    isn't settled yet, or told nothing new.

    :raises AttemptMovedOn: if another process changed the attempt meanwhile
    :raises IntegrityError: if one made a follow-up of it meanwhile
    """
    attempt = Attempt.objects.filter(pk=change.attempt_id).first() if change.attempt_id else None
    if attempt is None:
        return None
    # Its news may overtake the answer to the dial, or replace a lost one.
    if may_be_placed(attempt) and note_placed(
        attempt=attempt, provider_call_id=change.provider_call_id, call_id=change.call_id, now=now
    ):
        attempt.status = Attempt.Status.PLACED
    if change.outcome is None:
        return None
    outcome = change.outcome
    if attempt.outcome_class:  # when it is thought to have ended holds until an event tells it
        change = replace(change, ended_at=change.ended_at or attempt.ended_at)
    is_news = _end_attempt(attempt, change, outcome, now)
    if not is_news:
        if _note_result(attempt, change, outcome, now):
            _promise(attempt, change, now)
        return None
    enrolment = Enrolment.objects.get(pk=attempt.enrolment_id)
    effect = _move_lead(attempt, enrolment, change, outcome, now)
    if attempt.outcome_class and attempt.ended_at and change.ended_at:
        move_promises(attempt, by=change.ended_at - attempt.ended_at, now=now)
    _follow_up(attempt, change, outcome, now)
    if outcome.outcome_class == OutcomeClass.HUMAN:
        keep_callback(attempt, change, now)  # where the step after it couldn't: the launch is over
    _summarise(attempt, enrolment, change, now)
    note_outcome(attempt=attempt, now=now)
    _promise(attempt, change, now)
    return effect


def free_lines(*, changes: Iterable[CallChange], now: datetime) -> int:
    """
    Wake the dispatcher, and finish launches whose last lead moved; return how many.

    For after the commit, once for many calls: closing a launch takes as long as a call, pausing all of
    them far longer, and no write transaction may take that much longer. Whoever is killed before leaves
    it to the dispatcher: a campaign's pause to its breaker, everybody's to the next call that isn't paid for.
    """
    changes = list(changes)
    for halt in dict.fromkeys(_halts(changes, now)):
        halt.carry_out(now)
    ended = {change.batch_call_id for change in changes if change.outcome is not None}
    if ended:
        ring("dispatcher")  # a line has fallen free
    return sum(finish_if_complete(batch_call_id=pk, now=now) for pk in ended if pk is not None)


@dataclass(frozen=True)
class _Halt:
    """What must not go on: a client's campaign, or without one everything."""

    reason: str
    client_id: UUID | None = None
    campaign_id: UUID | None = None

    def carry_out(self, now: datetime) -> None:
        if self.client_id is None or self.campaign_id is None:
            halt_everything(reason=self.reason, now=now)
        else:
            halt_campaign(
                client_id=self.client_id,
                campaign_id=self.campaign_id,
                reason=self.reason,
                now=now,
            )


def _halts(changes: Iterable[CallChange], now: datetime) -> Iterator[_Halt]:
    """
    Yield what calls have just ended by and no other call gets past.

    News of long ago tell nothing of now, and a test call to somebody's own phone nothing of a campaign.
    """
    for change in changes:
        if change.before.outcome_class or change.outcome is None:
            continue
        if (change.ended_at or change.created_at) <= now - STILL_HOLDS:
            continue
        if change.outcome.stops == Stops.EVERYTHING:
            yield _Halt(waiting.PAUSED_PAYMENT)
        elif change.outcome.stops == Stops.CAMPAIGN and change.attempt_id is not None:
            reason = reason_to_halt(change.after.disconnection_reason)
            yield _Halt(reason, change.client_id, change.campaign_id)


def resolve_unknown_attempts(*, now: datetime) -> int:
    """
    Ask Retell for attempts whose answer was lost, and settle those it lists or will never list.

    Sending again under the same key is left to the dispatcher, which paces it. Asks Retell, so it
    must not run inside a transaction; safe beside a running dispatcher. Returns how many it settled.
    """
    settled = 0
    for attempt in recovery.unknown_attempts(now=now):
        try:
            page = retell_gateway().list_calls(attempt_id=str(attempt.pk))
        except ProviderError:
            break  # asked again the next time
        done = recovery.settle_unknown(attempt=attempt, page=page, now=now)
        settled += done in {"placed", "given_up"}
    return settled


def _end_attempt(attempt: Attempt, change: CallChange, outcome: Outcome, now: datetime) -> bool:
    """Write how the attempt ended; False if it is known already."""
    reason = change.after.disconnection_reason
    known = (attempt.outcome_class, attempt.disconnection_reason)
    if known == (str(outcome.outcome_class), reason):
        return False
    # Compare-and-set on what the lead's count is moved by.
    ended = Attempt.objects.filter(
        pk=attempt.pk, status=attempt.status, outcome_class=attempt.outcome_class
    ).update(**end_columns(change, outcome, now))
    if not ended:
        raise AttemptMovedOn(str(attempt.pk))
    return True


def end_columns(change: CallChange, outcome: Outcome, now: datetime) -> dict[str, Any]:
    """Return what is written on an attempt whose call is over."""
    status = Attempt.Status.ENDED if outcome.counts_attempt else Attempt.Status.NOT_PLACED
    return {
        "status": status.value,
        "outcome_class": str(outcome.outcome_class),
        "disconnection_reason": change.after.disconnection_reason,
        "provider_call_id": change.provider_call_id,
        "call_id": change.call_id,
        "ended_at": change.ended_at or now,
    }


def _move_lead(
    attempt: Attempt, enrolment: Enrolment, change: CallChange, outcome: Outcome, now: datetime
) -> OutcomeEffect:
    """Write where the lead goes, and bring `enrolment` up to it."""
    before = enrolment.status
    counted = int(outcome.counts_attempt) - int(attempt.status == Attempt.Status.ENDED)
    columns = result_flags(attempt, change, outcome)
    target = before
    # As it is with this news: an analysis may find that nobody was reached after all.
    enrolment.was_reached = columns.get("was_reached", enrolment.was_reached)
    if enrolment.attempt_number == attempt.number:
        step = step_after(attempt, enrolment, change, counted, now)
        target = str(step.status)
        columns |= step_columns(step, change, outcome)
    elif outcome.suppresses and rules.may_move(enrolment.status, Status.SUPPRESSED):
        target = Status.SUPPRESSED
    _write(enrolment, target, columns, counted, now)
    columns |= {"status": target, "attempts_count": enrolment.attempts_count + counted}
    for name, value in columns.items():
        setattr(enrolment, name, value)
    return OutcomeEffect(before=before, after=target, counted=counted)


def step_columns(step: rules.NextStep, change: CallChange, outcome: Outcome) -> dict[str, Any]:
    """Return what a lead's next step writes besides its status."""
    columns: dict[str, Any] = {
        "last_outcome": str(outcome.outcome_class),
        "last_call_id": change.call_id,
        "callback_at": step.callback_at,
    }
    if step.next_attempt_at is not None:
        code = waiting.CALLBACK if step.callback_at else waiting.RETRY
        columns |= {"next_attempt_at": step.next_attempt_at, "waiting_reason": code}
    return columns


def _write(
    enrolment: Enrolment, target: str, columns: dict[str, Any], counted: int, now: datetime
) -> None:
    if target == enrolment.status:
        same = {"id": enrolment.pk, "status": target}
        written = update_row(Enrolment, same, columns, add={"attempts_count": counted})
    else:
        written = move_enrolment(
            enrolment_id=enrolment.pk,
            from_statuses=(enrolment.status,),
            to_status=target,
            now=now,
            batch_call_id=enrolment.batch_call_id,
            counted=counted,
            **columns,
        )
    if not written:
        raise AttemptMovedOn(str(enrolment.pk))


def result_flags(attempt: Attempt, change: CallChange, outcome: Outcome) -> dict[str, Any]:
    """
    Return the lead's flags that this call sets, or takes back if it was no person after all.

    It asks the database only where the attempt was settled otherwise before.
    """
    flags: dict[str, Any] = {}
    if outcome.suppresses:
        flags["has_opted_out"] = True
    if change.after.corrected_outcome:
        return flags  # a person has said what it was (`results.py`)
    if outcome.outcome_class == OutcomeClass.HUMAN:
        flags["was_reached"] = True
        if is_conversion(change):
            flags["is_converted"] = True
    elif attempt.outcome_class == OutcomeClass.HUMAN:
        others = Attempt.objects.filter(
            enrolment_id=attempt.enrolment_id, outcome_class=str(OutcomeClass.HUMAN)
        ).exclude(pk=attempt.pk)
        if not others.exists():
            flags |= {"was_reached": False, "is_converted": False}
    return flags


def is_conversion(change: CallChange) -> bool:
    if change.after.corrected_outcome:
        return False
    return change.analysis_data.get(CONVERTED_FIELD) is True


def _note_result(attempt: Attempt, change: CallChange, outcome: Outcome, now: datetime) -> bool:
    """Keep what later news found out about a call that was counted before; True if it converted the lead."""
    is_moved = False
    if change.ended_at and attempt.ended_at != change.ended_at:
        is_moved = learn_end(attempt, change, change.ended_at, now)
    if outcome.outcome_class == OutcomeClass.HUMAN:
        is_moved = keep_callback(attempt, change, now) or is_moved
    if is_moved:
        enrolment = Enrolment.objects.get(pk=attempt.enrolment_id)
        if enrolment.status == Status.QUEUED:  # else a colleague is to call, not we
            _show_next(attempt, enrolment, change, now)
    if outcome.outcome_class == OutcomeClass.HUMAN and is_conversion(change):
        changed = Enrolment.objects.filter(pk=attempt.enrolment_id, is_converted=False).update(
            is_converted=True
        )
        if changed:
            change_conversion(lead_id=attempt.lead_id, is_converted=True, now=now)
        return bool(changed)
    return False


def _follow_up(attempt: Attempt, change: CallChange, outcome: Outcome, now: datetime) -> None:
    """Suppress who asked for it, and rest the number that this outcome says must not go on (see `_halts`)."""
    reason = change.after.disconnection_reason
    if outcome.suppresses:
        suppress_called(attempt=attempt, change=change, now=now)
    if outcome.stops == Stops.NUMBER:
        rest_number(
            phone_number=attempt.from_number, until=now + NUMBER_RESTS, reason=reason, now=now
        )


def _promise(attempt: Attempt, change: CallChange, now: datetime) -> None:
    """Make the follow-ups that this news asks for, so that no kill after the commit loses them."""
    reason = change.after.disconnection_reason
    follow_call(attempt_id=attempt.pk, client_id=attempt.client_id, reason=reason, now=now)


def _summarise(attempt: Attempt, enrolment: Enrolment, change: CallChange, now: datetime) -> None:
    """Write on the lead what its lists show."""
    of_lead = Enrolment.objects.filter(lead_id=attempt.lead_id)
    attempts_count = sum(of_lead.values_list("attempts_count", flat=True))
    record_summary(
        lead_id=attempt.lead_id,
        now=now,
        **summary_columns(attempt, enrolment, change, attempts_count),
    )


def _show_next(attempt: Attempt, enrolment: Enrolment, change: CallChange, now: datetime) -> None:
    """Write on the lead when it is called again; what a person said of the call stays."""
    if not change.after.corrected_outcome:
        _summarise(attempt, enrolment, change, now)
        return
    record_summary(
        lead_id=attempt.lead_id,
        now=now,
        last_attempted_at=attempt.created_at,
        next_attempt_at=enrolment.next_attempt_at,
    )


def summary_columns(
    attempt: Attempt, enrolment: Enrolment, change: CallChange, attempts_count: int
) -> Summary:
    """Return what a lead's lists show after a call; `attempts_count` is over all campaigns."""
    status = _LEAD_STATUS.get(Status(enrolment.status), Lead.Status.CALLED)
    if enrolment.is_converted and status == Lead.Status.REACHED:
        status = Lead.Status.CONVERTED
    return {
        "status": status.value,
        "last_outcome": enrolment.last_outcome,
        "attempts_count": attempts_count,
        "last_attempted_at": attempt.created_at,
        "next_attempt_at": enrolment.next_attempt_at if enrolment.status == Status.QUEUED else None,
        "last_call_id": change.call_id,
    }
