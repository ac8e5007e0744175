"""
Many ended calls at once: the plain ones, whose holds cover them, at a tenth of the price of one.

What isn't plain (an over-run, debt, a launch that is over, a repetition) goes through `holds`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import prefetch_related_objects

from billing import rules
from billing.ledger import BILLING, Overtaken, move_reservation, post_consumed
from billing.models import CallHold, Reservation, Transaction, Wallet
from billing.services.charges import Charge
from convomono.lib.bulk import new_row, update_each
from convomono.lib.reading import columns_of, known_rows, read_row

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

_Status = CallHold.Status
_LOOKED_AT = (
    "id",
    "seq",
    "available_seconds",
    "reserved_seconds",
    "debt_seconds",
    "full_seconds",
    "expiring_seconds",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A call that is over; `was_placed` is False if it turned out to be no dial."""

    attempt_id: UUID
    call_id: UUID
    duration_ms: int
    is_machine: bool
    was_placed: bool


@dataclass(frozen=True, slots=True)
class _Settled:
    hold: CallHold
    ended: Ended
    charge: Charge


class HoldBook:
    """
    The holds of some attempts as they were read ahead, and the ended calls that are to be billed.

    It reads outside any transaction; `write` compares what it read and undoes the block otherwise.
    """

    def __init__(self, attempt_ids: Iterable[UUID]) -> None:
        rows = known_rows(CallHold, "attempt_id", attempt_ids, columns_of(CallHold))
        held = [row for row in rows if row.status == _Status.HELD]
        prefetch_related_objects(held, "reservation")  # many holds, few launches
        self._holds = {row.attempt_id: row for row in held}
        self._settled: dict[UUID, _Settled] = {}

    def charge(self, ended: Ended) -> Charge | None:
        """Return what a call will be billed; None if that isn't plain. Nothing is noted yet."""
        row = self._holds.get(ended.attempt_id)
        if row is None or row.call_id is not None or ended.attempt_id in self._settled:
            return None
        terms = row.reservation.terms
        used = 0
        if ended.was_placed:
            used = rules.billable_seconds(
                duration_ms=ended.duration_ms, terms=terms, is_machine=ended.is_machine
            )
        if used > row.seconds or row.reservation.status != Reservation.Status.OPEN:
            return None
        return Charge(used, rules.price_micros(seconds=used, terms=terms))

    def settle(self, ended: Ended, charge: Charge) -> None:
        """Note that the call is to be billed so; `charge` is this book's."""
        self._settled[ended.attempt_id] = _Settled(self._holds[ended.attempt_id], ended, charge)

    def write(self, *, now: datetime) -> None:
        """
        Bill what was noted, inside the caller's transaction; it may run again after a conflict.

        :raises Overtaken: if anything isn't as it was read: bill one by one
        :raises IntegrityError: if one of the calls was billed before
        """
        by_client: dict[UUID, list[_Settled]] = defaultdict(list)
        for settled in self._settled.values():
            by_client[settled.hold.client_id].append(settled)
        for client_id, some in by_client.items():
            wallet = _wallet(client_id)
            if wallet.debt_seconds:
                raise Overtaken  # what comes free pays it first
            if lines := [_line(one, wallet, now) for one in some if one.charge.billed_seconds]:
                post_consumed(wallet, lines)
        self._resolve(now)

    def written(self) -> None:
        """Take it that the transaction of `write` was committed."""
        for attempt_id in self._settled:
            del self._holds[attempt_id]
        self._settled = {}

    def _resolve(self, now: datetime) -> None:
        settled = self._settled.values()
        resolved = update_each(CallHold, (_resolution(one, now) for one in settled))
        if resolved != len(self._settled):
            raise Overtaken
        moved: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for one in settled:
            deltas, posted = moved[one.hold.reservation_id], one.charge.billed_seconds
            deltas["held"] -= one.hold.seconds
            deltas["posted"] += posted
            deltas["charged"] += posted
            deltas["charged_micros"] += one.charge.client_cost_micros
            deltas["free"] += one.hold.seconds - posted
        for reservation_id, deltas in moved.items():
            move_reservation(reservation_id, only_open=True, **deltas)


def _wallet(client_id: UUID) -> Wallet:
    """Return what a line looks at of a wallet: it is read in each block, so without the ORM's price."""
    row = read_row(Wallet, {"client_id": client_id}, _LOOKED_AT)
    if row is None:
        raise Wallet.DoesNotExist
    return new_row(Wallet, client_id=client_id, **dict(zip(_LOOKED_AT, row, strict=True)))


def _resolution(one: _Settled, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    same = {"id": one.hold.pk, "status": _Status.HELD.value, "seconds": one.hold.seconds}
    was_placed = one.ended.was_placed
    return same, {
        "status": (_Status.POSTED if was_placed else _Status.VOIDED).value,
        "posted_seconds": one.charge.billed_seconds,
        "call_id": one.ended.call_id if was_placed else None,
        "resolved_at": now,
    }


def _line(one: _Settled, wallet: Wallet, now: datetime) -> Transaction:
    reservation, used = one.hold.reservation, one.charge.billed_seconds
    return new_row(
        Transaction,
        client_id=one.hold.client_id,
        wallet_id=wallet.pk,
        key=f"consume:{one.ended.call_id}",
        type=Transaction.Type.CONSUME.value,
        seconds=used,
        amount_micros=one.charge.client_cost_micros,
        reserved_delta=-used,
        consumed_delta=used,
        price_per_minute_micros=reservation.price_per_minute_micros,
        increment_seconds=reservation.increment_seconds,
        minimum_seconds=reservation.minimum_seconds,
        rate_id=reservation.rate_id,
        reservation_id=reservation.pk,
        campaign_id=reservation.campaign_id,
        call_id=one.ended.call_id,
        reference_id=str(one.ended.attempt_id),
        actor_email=BILLING.actor_email,
        created_at=now,
    )
