"""
What many calls' news means for their leads: the plain cases, read ahead and written together.

What isn't plain (a person opts out, an older attempt, a changed outcome, an answer that is missing)
is left to `dialling.record_outcome`, which both follow the same rules as.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

from campaigns import rules
from campaigns.dialling.answers import may_be_placed
from campaigns.enrolments import count_moves, moved_columns
from campaigns.models import Attempt, Enrolment
from campaigns.services.automating import rules_for
from campaigns.services.dialling import (
    AttemptMovedOn,
    end_columns,
    is_conversion,
    result_flags,
    step_columns,
    summary_columns,
)
from campaigns.services.following import may_ask, promised, rules_in_force
from campaigns.services.next_steps import asks_for_callback, launches, step_within
from convomono.lib.bulk import insert_rows, update_each
from convomono.lib.reading import columns_of, known_rows
from leads.services.summaries import LeadBook
from telephony.rules import OutcomeClass, Stops

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from datetime import datetime
    from uuid import UUID

    from campaigns.models import FollowUp
    from telephony.events import CallChange
    from telephony.models import Call
    from telephony.rules import Outcome

Status = Enrolment.Status
# Of one call that is written together with others: the drain counts on it.
MOST_FOLLOW_UPS = 3


@cache
def _of_attempts() -> tuple[str, ...]:
    return columns_of(Attempt, without={"decision", "request"})


@cache
def _of_enrolments() -> tuple[str, ...]:
    return columns_of(Enrolment, without={"decision", "dynamic_vars"})


class OutcomeBook:
    """
    The attempts, enrolments, leads and launches of some calls, read ahead; and what changes in them.

    It reads outside any transaction; `write` compares what it read and undoes the block otherwise.
    """

    def __init__(self, calls: Iterable[Call]) -> None:
        calls = [call for call in calls if call.attempt_id]
        of = {call.enrolment_id for call in calls if call.enrolment_id}  # a test call has none
        rows = known_rows(Attempt, "enrolment_id", of, _of_attempts())
        self._attempts = {row.pk: row for row in rows}
        self._of_enrolment: dict[UUID, list[Attempt]] = defaultdict(list)
        for row in self._attempts.values():
            self._of_enrolment[row.enrolment_id].append(row)
        leads = {call.lead_id for call in calls if call.lead_id}
        self._leads = LeadBook(leads)
        enrolments = known_rows(Enrolment, "lead_id", leads, _of_enrolments())
        self._enrolments = {row.pk: row for row in enrolments}
        self._of_lead: dict[UUID, list[Enrolment]] = defaultdict(list)
        for enrolment in self._enrolments.values():
            self._of_lead[enrolment.lead_id].append(enrolment)
        wanted = {call.batch_call_id for call in calls if call.batch_call_id}
        self._launches = {row.pk: row for row in launches().filter(pk__in=wanted)}
        self._rules = rules_in_force(call.client_id for call in calls)
        self._promised: dict[str, FollowUp] = {}
        self._same: dict[UUID, dict[str, Any]] = {}
        self._changes: dict[UUID, dict[str, Any]] = {}
        self._moves: dict[UUID, list[tuple[str, str]]] = defaultdict(list)

    def take(self, change: CallChange, *, now: datetime) -> bool:
        """Note what a call's news changes; False, and nothing is noted, if that isn't plain."""
        attempt = self._attempts.get(change.attempt_id) if change.attempt_id else None
        if attempt is None or may_be_placed(attempt):
            return False
        if change.outcome is None:
            return True
        known = (attempt.outcome_class, attempt.disconnection_reason)
        if known == (str(change.outcome.outcome_class), change.after.disconnection_reason):
            return self._complete(attempt, change, change.outcome, now)
        return self._end(attempt, change, change.outcome, now)

    def write(self) -> None:
        """
        Write what was noted, inside the caller's transaction; it may run again after a conflict.

        :raises AttemptMovedOn: if somebody else changed a row meanwhile, or the launch's status
        :raises LeadMovedOn: if somebody else changed a lead
        :raises IntegrityError: if somebody else made one of the follow-ups
        """
        for model, rows in ((Attempt, self._attempts), (Enrolment, self._enrolments)):
            changes = [(self._same[pk], self._changes[pk]) for pk in self._changes if pk in rows]
            if update_each(model, changes) != len(changes):
                raise AttemptMovedOn(model.__name__)
        for batch_call_id, moves in self._moves.items():
            if not count_moves(self._launches[batch_call_id], moves):
                raise AttemptMovedOn(str(batch_call_id))
        self._leads.write()
        insert_rows(list(self._promised.values()))

    def written(self) -> None:
        """Take it that the transaction of `write` was committed."""
        self._same, self._changes, self._promised = {}, {}, {}
        self._moves.clear()
        self._leads.written()

    def _end(self, attempt: Attempt, change: CallChange, outcome: Outcome, now: datetime) -> bool:
        """Move the lead of a call that ended, if it is in that call and nothing else follows."""
        enrolment = self._enrolments.get(attempt.enrolment_id)
        if (
            attempt.status != Attempt.Status.PLACED
            or attempt.outcome_class
            or outcome.suppresses
            or outcome.stops != Stops.NOTHING
            or asks_for_callback(change)
            or rules_for(attempt, now)
            or self._asks_too_much(attempt, outcome)
            or enrolment is None
            or not self._is_in_call(enrolment, attempt)
        ):
            return False
        counted = int(outcome.counts_attempt)
        flags = result_flags(attempt, change, outcome)
        was_reached = enrolment.was_reached
        enrolment.was_reached = flags.get("was_reached", was_reached)
        step = step_within(
            self._launches[attempt.batch_call_id], attempt, enrolment, change, counted,
            lambda: self._others(attempt), now,
        )  # fmt: skip
        enrolment.was_reached = was_reached
        target = str(step.status)
        if target == enrolment.status or not rules.may_move(enrolment.status, target):
            return False
        self._note(attempt, end_columns(change, outcome, now))
        columns = {**moved_columns(target, now), **flags, **step_columns(step, change, outcome)}
        columns |= {"status": target, "attempts_count": enrolment.attempts_count + counted}
        self._moves[attempt.batch_call_id].append((enrolment.status, target))
        self._note(enrolment, columns)
        attempts_count = sum(one.attempts_count for one in self._of_lead[attempt.lead_id])
        summary = summary_columns(attempt, enrolment, change, attempts_count)
        self._leads.summarise(attempt.lead_id, summary, now=now)
        self._promise(attempt, enrolment, now)
        return True

    def _complete(
        self, attempt: Attempt, change: CallChange, outcome: Outcome, now: datetime
    ) -> bool:
        """Note what later news found out about a call that was counted before."""
        enrolment = self._enrolments.get(attempt.enrolment_id)
        is_human = outcome.outcome_class == OutcomeClass.HUMAN
        if change.ended_at and attempt.ended_at != change.ended_at:
            return False  # when the lead is due may change by it
        if is_human and (
            enrolment is None or asks_for_callback(change) or attempt.lead_id not in self._leads
        ):
            return False
        if is_human and enrolment and is_conversion(change) and not enrolment.is_converted:
            asked_before = self._asked(attempt, enrolment, now)
            self._note(enrolment, {"is_converted": True})
            self._leads.convert(attempt.lead_id, now=now)
            self._promise(attempt, enrolment, now, made=asked_before)
        return True

    def _is_in_call(self, enrolment: Enrolment, attempt: Attempt) -> bool:
        """Tell whether the lead is on the phone by this attempt, in a launch that is known."""
        return (
            enrolment.status == Status.IN_CALL
            and enrolment.attempt_number == attempt.number
            and enrolment.batch_call_id == attempt.batch_call_id
            and attempt.batch_call_id in self._launches
            and attempt.lead_id in self._leads
        )

    def _asks_too_much(self, attempt: Attempt, outcome: Outcome) -> bool:
        """Tell whether its follow-ups may be more rows than a slice of many calls has room for."""
        rules = self._rules.get(attempt.client_id, ())
        return may_ask(rules, attempt, str(outcome.outcome_class)) > MOST_FOLLOW_UPS

    def _promise(
        self,
        attempt: Attempt,
        enrolment: Enrolment,
        now: datetime,
        made: Container[str] = (),
    ) -> None:
        """Note the follow-ups that a call asks for by now, but for those it asked for before."""
        asked = self._asked(attempt, enrolment, now)
        self._promised |= {key: row for key, row in asked.items() if key not in made}

    def _asked(self, attempt: Attempt, enrolment: Enrolment, now: datetime) -> dict[str, FollowUp]:
        rows = promised(attempt, enrolment, self._rules.get(attempt.client_id, ()), now)
        return {row.key: row for row in rows}

    def _others(self, attempt: Attempt) -> list[Attempt]:
        return [one for one in self._of_enrolment[attempt.enrolment_id] if one.pk != attempt.pk]

    def _note(self, row: Attempt | Enrolment, columns: dict[str, Any]) -> None:
        """Bring a row up to these columns, to be written if it is still as it was read."""
        if row.pk not in self._same:
            self._same[row.pk] = _guards(row)
        for name, value in columns.items():
            setattr(row, name, value)
        self._changes.setdefault(row.pk, {}).update(columns)


def _guards(row: Attempt | Enrolment) -> dict[str, Any]:
    """Return what a row must still hold: all that decisions about it looked at."""
    if isinstance(row, Attempt):
        names = ["id", "status", "outcome_class", "disconnection_reason"]
    else:
        names = ["id", "status", "attempt_number", "attempts_count", "was_reached", "is_converted"]
        if row.batch_call_id is not None:
            names.append("batch_call_id")
    return {name: getattr(row, name) for name in names}
