"""What a dial sets aside inside its launch's reservation, and what the ended call takes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from billing import rules
from billing.ledger import (
    BILLING,
    KeyReused,
    Overtaken,
    find_line,
    move_reservation,
    once,
    post,
    release,
)
from billing.models import CallHold, Reservation, Transaction, Wallet
from billing.services.charges import Charge, charge_of
from billing.services.reservations import close_when_empty
from convomono.lib.bulk import insert_row
from convomono.lib.db import in_transaction
from convomono.lib.keys import beside
from convomono.lib.reading import read_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

log = structlog.get_logger()

EXPIRY_MARGIN = timedelta(minutes=15)
EXPIRY_BATCH = 200
# Each dial reads these; a whole row would cost it more than all else that is read.
_HOLDABLE = ("id", "client_id", "free_seconds")
_TERMS = ("price_per_minute_micros", "increment_seconds", "minimum_seconds", "bills_voicemail")
_HELD = ("client", "status", "seconds", "expires_at", "reservation__batch_call_id")


class ReservationEmpty(Exception):
    """Too little is free for a call: the launch is over, used up, or its client owes seconds."""


class HoldResolved(Exception):
    """A dial asked again for the hold of an attempt that was posted, voided or expired."""


class HoldMissing(Exception):
    """A call ended whose attempt never held anything."""


@dataclass(frozen=True)
class _Holdable:
    """An open reservation of a client without debt, and what its calls are billed by."""

    pk: UUID
    client_id: UUID
    free_seconds: int
    terms: rules.Terms


@dataclass(frozen=True)
class _Taken:
    """Where a call's seconds come from: its hold, what its launch has free, the wallet, debt."""

    held: int
    free: int
    available: int
    debt: int


def hold(
    *,
    attempt_id: UUID,
    batch_call_id: UUID,
    max_call_seconds: int,
    now: datetime,
    is_first: bool = False,
) -> CallHold:
    """
    Set aside what a call of at most this length may cost, or less if less is free.

    The call must be capped at `hold.seconds`. The same attempt again gets the same hold, and keeps
    it alive. Who has only just made the attempt's key says `is_first`, and nobody looks for a hold.

    :raises ReservationEmpty: if less than a minute is free
    :raises HoldResolved: if this attempt's hold was resolved: dial it under a new attempt
    :raises KeyReused: if the attempt belongs to another launch
    :raises IntegrityError: in a caller's transaction, if a first one wasn't the first
    """
    expires_at = now + timedelta(seconds=max_call_seconds) + EXPIRY_MARGIN

    def find() -> CallHold | None:
        mine = CallHold.objects.select_related("reservation").filter(attempt_id=attempt_id)
        first = mine.only(*_HELD).first()
        if first is None:
            return None
        if first.reservation.batch_call_id != batch_call_id:
            raise KeyReused("The attempt belongs to another launch.")
        live = CallHold.objects.filter(pk=first.pk, status=CallHold.Status.HELD)
        if not live.update(expires_at=max(first.expires_at, expires_at)):
            raise HoldResolved
        return first

    def block() -> CallHold:
        reservation = _holdable(batch_call_id)
        seconds = rules.affordable_hold(
            wanted_seconds=rules.hold_seconds(
                max_call_seconds=max_call_seconds, terms=reservation.terms
            ),
            free_seconds=reservation.free_seconds,
            terms=reservation.terms,
        )
        if not seconds:
            raise ReservationEmpty
        row = insert_row(
            CallHold(
                client_id=reservation.client_id,
                attempt_id=attempt_id,
                reservation_id=reservation.pk,
                seconds=seconds,
                created_at=now,
                expires_at=expires_at,
            )
        )
        move_reservation(reservation.pk, only_open=True, free=-seconds, held=seconds)
        return row

    if (
        is_first and in_transaction()
    ):  # an error leaves the caller's block: a savepoint would serve nobody
        return block()
    return once(find=find, block=block)


def consume(
    *, attempt_id: UUID, call_id: UUID, duration_ms: int, now: datetime, is_machine: bool = False
) -> Charge:
    """
    Bill an ended call, once, at its launch's terms, and give back what its hold had to spare.

    `is_machine` tells that only a machine answered: some terms bill nothing for that.

    A call longer than its hold takes what its launch has free, then what the client has available,
    then becomes debt. So does a call that turns up after its hold was voided or expired: it was
    talked. Repeats, with whatever duration, return what the call costs by now: what was told differently
    is noted on its event, and named by the next comparison with Retell's books.

    :raises HoldMissing: if the attempt never held anything
    :raises KeyReused: if the attempt was billed for another call
    """

    def find() -> Charge | None:
        return _first_charge(attempt_id=attempt_id, call_id=call_id)

    def block() -> Charge:
        row = _get_hold(attempt_id)
        terms = row.reservation.terms
        used = rules.billable_seconds(duration_ms=duration_ms, terms=terms, is_machine=is_machine)
        wallet = Wallet.objects.get(client_id=row.client_id)
        taken = _take(used, row, wallet)
        cost = rules.price_micros(seconds=used, terms=terms)
        if used:
            line = _consume_line(row, wallet, taken, call_id=call_id, now=now)
            line.seconds, line.amount_micros = used, cost
            post(line)
        if row.status == CallHold.Status.HELD:
            _resolve(row, CallHold.Status.POSTED, posted=taken.held, call_id=call_id, now=now)
        elif not CallHold.objects.filter(pk=row.pk, call_id=None).update(call_id=call_id):
            raise Overtaken
        if taken.free:
            move_reservation(row.reservation_id, free=-taken.free, posted=taken.free)
        _give_back(row, wallet, spare=row.seconds - taken.held, now=now)
        return Charge(used, cost)

    return once(find=find, block=block)


def void(*, attempt_id: UUID, now: datetime) -> bool:
    """
    Give back the hold of an attempt that was certainly never placed; tell whether this did it.

    An attempt without a live hold changes nothing.
    """
    return _let_go(attempt_id, CallHold.Status.VOIDED, now=now)


def keep_holds(*, attempt_ids: Sequence[UUID], max_call_seconds: int, now: datetime) -> int:
    """
    Keep the holds of attempts alive that may still ring from now on; 200 at most, return how many.

    One that was resolved stays as it is.
    """
    until = now + timedelta(seconds=max_call_seconds) + EXPIRY_MARGIN
    held = CallHold.objects.filter(beside(status=CallHold.Status.HELD), attempt_id__in=attempt_ids)
    return held.filter(expires_at__lt=until).update(expires_at=until)


def expire_holds(*, now: datetime) -> int:
    """
    Give back holds whose call must be over and of which nothing was heard; return how many.

    A call that turns up later is billed all the same.
    """
    overdue = CallHold.objects.filter(status=CallHold.Status.HELD, expires_at__lte=now)
    found = list(
        overdue.order_by("expires_at", "pk").values_list("attempt_id", flat=True)[:EXPIRY_BATCH]
    )
    gone = 0
    for attempt_id in found:
        try:
            gone += _let_go(attempt_id, CallHold.Status.EXPIRED, now=now)
        except Overtaken:  # its launch doesn't add up: the audit names it, the others go on
            log.exception("hold.not_expired", attempt_id=str(attempt_id))
    return gone


def _let_go(attempt_id: UUID, status: CallHold.Status, *, now: datetime) -> bool:
    def find() -> bool | None:
        row = _find_hold(attempt_id)
        return None if row and row.status == CallHold.Status.HELD else False

    def block() -> bool:
        row = _get_hold(attempt_id)
        wallet = Wallet.objects.get(client_id=row.client_id)
        _resolve(row, status, posted=0, call_id=None, now=now)
        _give_back(row, wallet, spare=row.seconds, now=now)
        return True

    return once(find=find, block=block)


def _find_hold(attempt_id: UUID) -> CallHold | None:
    return CallHold.objects.select_related("reservation").filter(attempt_id=attempt_id).first()


def _get_hold(attempt_id: UUID) -> CallHold:
    row = _find_hold(attempt_id)
    if row is None:
        raise HoldMissing
    return row


def _holdable(batch_call_id: UUID) -> _Holdable:
    mine = {"batch_call_id": batch_call_id, "status": Reservation.Status.OPEN}
    row = read_row(Reservation, mine, (*_HOLDABLE, *_TERMS))
    if row is None:
        raise ReservationEmpty
    pk, client_id, free_seconds, price, increment, minimum, bills_voicemail = row
    wallet = read_row(Wallet, {"client_id": client_id}, ("debt_seconds",))
    # Debt is bounded because nothing new is dialled while there is some.
    if wallet is None or wallet[0]:
        raise ReservationEmpty
    terms = rules.Terms(price, increment, minimum, bills_voicemail=bills_voicemail)
    return _Holdable(pk, client_id, free_seconds, terms)


def _first_charge(*, attempt_id: UUID, call_id: UUID) -> Charge | None:
    row = _get_hold(attempt_id)
    line = find_line(client_id=row.client_id, key=f"consume:{call_id}")
    if line and line.reference_id != str(attempt_id):
        raise KeyReused("The call was billed to another attempt.")
    if row.call_id not in {None, call_id}:
        raise KeyReused("The attempt was billed for another call.")
    if row.call_id is None:
        return None
    return charge_of(client_id=row.client_id, call_id=call_id) if line else Charge(0, 0)


def _take(used: int, row: CallHold, wallet: Wallet) -> _Taken:
    held = min(used, row.seconds) if row.status == CallHold.Status.HELD else 0
    free = min(used - held, row.reservation.free_seconds)
    available = min(used - held - free, wallet.available_seconds)
    return _Taken(held, free, available, used - held - free - available)


def _consume_line(
    row: CallHold, wallet: Wallet, taken: _Taken, *, call_id: UUID, now: datetime
) -> Transaction:
    return Transaction(
        client_id=row.client_id,
        wallet=wallet,
        key=f"consume:{call_id}",
        type=Transaction.Type.CONSUME,
        reserved_delta=-taken.held - taken.free,
        available_delta=-taken.available,
        debt_delta=taken.debt,
        consumed_delta=taken.held + taken.free + taken.available + taken.debt,
        price_per_minute_micros=row.reservation.price_per_minute_micros,
        increment_seconds=row.reservation.increment_seconds,
        minimum_seconds=row.reservation.minimum_seconds,
        rate_id=row.reservation.rate_id,
        reservation_id=row.reservation_id,
        campaign_id=row.reservation.campaign_id,
        call_id=call_id,
        reference_id=str(row.attempt_id),
        actor_email=BILLING.actor_email,
        created_at=now,
    )


def _resolve(
    row: CallHold, status: CallHold.Status, *, posted: int, call_id: UUID | None, now: datetime
) -> None:
    live = CallHold.objects.filter(pk=row.pk, status=CallHold.Status.HELD)
    if not live.update(status=status, posted_seconds=posted, call_id=call_id, resolved_at=now):
        raise Overtaken
    move_reservation(
        row.reservation_id, held=-row.seconds, posted=posted, free=row.seconds - posted
    )


def _give_back(row: CallHold, wallet: Wallet, *, spare: int, now: datetime) -> None:
    """Release what a resolved hold freed: all of it after the launch, else what pays debt."""
    if row.status != CallHold.Status.HELD:
        return
    if row.reservation.status == Reservation.Status.OPEN:
        spare = min(spare, wallet.debt_seconds)
    release(
        wallet=wallet,
        reservation=row.reservation,
        cause=row.attempt_id,
        seconds=spare,
        now=now,
        by=BILLING,
    )
    close_when_empty(row.reservation_id, now=now)
