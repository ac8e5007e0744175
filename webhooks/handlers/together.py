"""
What many events do to everything, at a fraction of the price of one: the plain cases of `retell.py`.

Rows are read ahead with a few queries, events applied to them in memory one after the other, and
written together, each row compared with what was read. Whatever isn't plain is left to `handle`,
which is what this must come to: `tests/webhooks/test_together.py` compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.services import Charge
from billing.services.settling import Ended, HoldBook
from campaigns.services.outcomes import OutcomeBook
from convomono.lib import live
from reporting.services import Tally, contribution
from telephony.rules import OutcomeClass
from telephony.services.books import CallBook
from webhooks.client_events import tell_client

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from telephony.events import CallChange, CallEvent


class Together:
    """
    The rows of some events, and what those of them that are plain change.

    Read outside any transaction. `take` events in their order, `write` inside a transaction, say
    `written` after its commit; then take more. After anything failed it is worth nothing.
    """

    def __init__(self, events: Iterable[CallEvent]) -> None:
        self._calls = CallBook(events)
        calls = self._calls.calls()
        self._outcomes = OutcomeBook(calls)
        unsettled = [call.attempt_id for call in calls if call.attempt_id and not call.is_over]
        self._holds = HoldBook(unsettled)
        self._tally = Tally()
        self._left: set[str] = set()
        self._changes: list[CallChange] = []

    def take(self, event: CallEvent, *, now: datetime) -> bool:
        """
        Apply an event in memory; False if `handle` has to apply it, after what was taken is written.

        From then on the later events of its call are left to `handle` too.
        """
        if event.provider_call_id not in self._left and self._take(event, now):
            return True
        self._left.add(event.provider_call_id)
        return False

    def write(self, *, now: datetime) -> list[CallChange]:
        """
        Write what was taken, inside the caller's transaction; it may run again after a conflict.

        :raises Exception: if a row isn't as it was read, by whatever notices: apply events one by one
        """
        self._calls.write(now=now)
        self._holds.write(now=now)
        self._outcomes.write()
        self._tally.write()
        for change in self._changes:
            tell_client(change=change, now=now)
            live.changed(
                client_id=change.client_id,
                campaign_id=change.campaign_id,
                call_id=change.call_id,
            )
        return self._changes

    def written(self) -> None:
        """Take it that the transaction of `write` was committed."""
        for book in (self._calls, self._holds, self._outcomes, self._tally):
            book.written()
        self._changes = []

    def _take(self, event: CallEvent, now: datetime) -> bool:
        change = self._calls.tell(event, now=now)
        if change is None:
            return False
        done = self._follow(change, now)
        if done is None:
            self._calls.take_back()
            return False
        self._changes.append(done)
        return True

    def _follow(self, change: CallChange, now: datetime) -> CallChange | None:
        """Settle, move the lead and count, as `handle` does; None if one of them isn't plain."""
        if change.attempt_id is None:
            return None
        ended, charge = None, None
        if change.before.outcome_class and change.outcome is not None:
            if change.before.outcome_class != change.outcome.outcome_class:
                return None  # an analysis knows better: the charge may have to be forgiven
            charge = Charge(change.before.billed_seconds, change.before.client_cost_micros)
        elif change.outcome is not None:
            ended = _ended(change)
            charge = self._holds.charge(ended)
            if charge is None:
                return None
        if not self._outcomes.take(change, now=now):
            return None
        if charge is not None and change.outcome is not None:
            change = change.charged(
                billed_seconds=charge.billed_seconds, client_cost_micros=charge.client_cost_micros
            )
            if ended is not None:
                self._holds.settle(ended, charge)
            self._count(change)
        return change

    def _count(self, change: CallChange) -> None:
        counted = self._tally.count(change, after=contribution(change.after))
        paid = (change.after.billed_seconds, change.after.client_cost_micros)
        if counted is None and paid == (
            change.before.billed_seconds,
            change.before.client_cost_micros,
        ):
            return
        self._calls.settle(
            change.provider_call_id,
            billed_seconds=paid[0],
            client_cost_micros=paid[1],
            counted=change.counted if counted is None else counted,
        )


def _ended(change: CallChange) -> Ended:
    assert change.attempt_id is not None
    assert change.outcome is not None
    return Ended(
        attempt_id=change.attempt_id,
        call_id=change.call_id,
        duration_ms=change.after.duration_ms or 0,
        is_machine=change.outcome.outcome_class is OutcomeClass.MACHINE,
        was_placed=change.outcome.outcome_class is not OutcomeClass.NOT_PLACED,
    )
