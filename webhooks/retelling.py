"""
A call as its events tell it, in memory: what a replay compares without holding up anybody who writes.

It is what `handlers/retell.py` makes of a call, its large parts and its attempt, one event after the other;
`tests/webhooks/test_retelling.py` holds the two together. Only what needs the database (whose a call is, what
it costs) happens there, in short transactions that are undone.
"""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING

from campaigns.dialling.answers import may_be_placed
from campaigns.models import Attempt
from campaigns.services.dialling import end_columns
from convomono.lib.db import run_atomic
from reporting.services import Tally, contribution
from telephony import merging
from telephony.models import Call, CallDetail
from telephony.rules import OutcomeClass
from webhooks.handlers.retell import repeat, settle
from webhooks.pictures import picture_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from billing.services import Charge
    from telephony.events import CallChange, CallEvent
    from webhooks.pictures import Picture, Rows


class _Undone(Exception):
    """Ends a transaction that must leave nothing behind."""


def undone[Result](work: Callable[[], Result]) -> Result:
    """Return what `work` finds in a transaction of its own, and undo what it did."""
    found: list[Result] = []

    def block() -> None:
        found[:] = [work()]  # of the last time: a conflict with others makes it run again
        raise _Undone

    with suppress(_Undone):
        run_atomic(block)
    return found[0]


class RetoldCall:
    """
    A call and what belongs to it, as it is stored or as `put_back` leaves it, moved on by events.

    An event that fails leaves it as it was before, as its transaction would have.
    """

    def __init__(
        self, provider_call_id: str, *, put_back: Callable[[str], None] | None = None
    ) -> None:
        self._id = provider_call_id
        self._put_back = put_back
        self._charged_by: CallChange | None = None  # here, and undone
        self._call: Call | None
        self._detail: CallDetail | None
        self._attempt: Attempt | None
        self._call, self._detail, self._attempt = (
            self._rows() if put_back is None else undone(self._rows)
        )

    def hear(self, event: CallEvent, now: datetime) -> bool:
        """Apply an event; False if nobody knows its call."""
        if self._call is None:
            self._call, self._detail, self._attempt = undone(
                lambda: self._rows(lambda: repeat(event=event, now=now))
            )
            return self._call is not None
        kept = (copy(self._call), copy(self._detail), copy(self._attempt), self._charged_by)
        try:
            self._merge(self._call, event, now)
        except BaseException:
            self._call, self._detail, self._attempt, self._charged_by = kept
            raise
        return True

    def picture(self) -> Picture:
        """Return what would be stored now."""
        return picture_of(self._call, self._detail, self._attempt)

    def _rows(self, work: Callable[[], object] = lambda: None) -> Rows:
        """Read the rows as they are once the call is put back, where that is asked for, and after `work`."""
        if self._put_back is not None:
            self._put_back(self._id)
        work()
        return rows_of(self._id)

    def _merge(self, call: Call, event: CallEvent, now: datetime) -> None:
        merged = merging.merge(
            call, None if event.kind == "started" else self._detail, event, now=now
        )
        if merged.detail is not None:
            self._detail = self._detail or CallDetail(call=call)
            for name, value in merged.detail.items():
                setattr(self._detail, name, value)
        change = merged.change
        charge = self._charge(change, now)
        if charge is not None:
            change = change.charged(
                billed_seconds=charge.billed_seconds, client_cost_micros=charge.client_cost_micros
            )
        if self._attempt is not None:
            _end(self._attempt, change, now)
        if change.is_settled:
            counted = Tally().count(change, after=contribution(change.after))
            call.counted = change.counted if counted is None else counted
            call.billed_seconds = change.after.billed_seconds
            call.client_cost_micros = change.after.client_cost_micros

    def _charge(self, change: CallChange, now: datetime) -> Charge | None:
        """Ask billing what the call costs; what it would write is undone, so a later event tells it again."""
        outcome = change.outcome
        if outcome is None or change.attempt_id is None:
            return None
        first = self._charged_by
        if not change.before.outcome_class:
            if outcome.outcome_class is OutcomeClass.NOT_PLACED:
                return None
            self._charged_by = change
        elif first is not None:

            def both() -> Charge | None:
                settle(first, now)
                return settle(change, now)

            return undone(both)
        return undone(lambda: settle(change, now))


def _end(attempt: Attempt, change: CallChange, now: datetime) -> None:
    """Write on the attempt what `record_outcome` does."""
    if may_be_placed(attempt):
        attempt.status = Attempt.Status.PLACED
        attempt.provider_call_id = change.provider_call_id
    if change.outcome is None:
        return
    known = (attempt.outcome_class, attempt.disconnection_reason)
    if known != (str(change.outcome.outcome_class), change.after.disconnection_reason):
        for name, value in end_columns(change, change.outcome, now).items():
            setattr(attempt, name, value)
