"""
How a line gets into the ledger: its unique key first, then the guarded balance, then its number.

Everything else in the room goes through `once` and `post`. Nothing is read, judged and then
written: each update repeats what must hold, and a guard that matches no row undoes the block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import F

from audit import actions
from audit.services import System, record
from billing import lots
from billing.chain import seal
from billing.hours import count_use
from billing.models import CreditLot, Reservation, Transaction, Wallet
from billing.notices import warn_when_low
from billing.rules import crossed_percent
from convomono.lib.bulk import insert_row, insert_rows, update_row
from convomono.lib.db import IntegrityError, in_transaction, run_atomic
from convomono.lib.reading import read_row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from audit.services import Actor

BILLING = System("billing")
CHARGING: dict[str, int] = {Transaction.Type.CONSUME: 1, Transaction.Type.REFUND: -1}
"""Lines that say what calls cost, with their signs."""
WALLET_ACCOUNTS = ("available", "reserved", "consumed", "debt")


class InsufficientCredits(Exception):
    """A client asked for more seconds than are available, or owes some."""

    def __init__(self, *, available_seconds: int, needed_seconds: int) -> None:
        super().__init__(f"{needed_seconds} s needed, {available_seconds} s available")
        self.available_seconds = available_seconds
        self.needed_seconds = needed_seconds


class KeyReused(Exception):
    """The same cause came again with other arguments; nothing was written."""


class Overtaken(Exception):
    """A guard matched no row: somebody else was quicker. The block is undone."""


def once[Result](*, find: Callable[[], Result | None], block: Callable[[], Result]) -> Result:
    """
    Return the first result if there is one, else run the block in a transaction.

    `find` checks that the arguments are those of the first time. It looks inside the transaction:
    what the first time used up must not be asked for again. Within a caller's transaction a lost
    race leaves the outermost block, because an error has ended that transaction on MongoDB; the
    caller runs it again.
    """

    def found_or_done() -> Result:
        first = find()
        return block() if first is None else first

    try:
        return run_atomic(found_or_done)
    except (IntegrityError, Overtaken):
        if in_transaction():
            raise
        first = find()
        if first is None:
            raise
        return first


def find_line(*, client_id: UUID, key: str) -> Transaction | None:
    """Return the line a cause has written."""
    return Transaction.objects.filter(client_id=client_id, key=key).first()


def post(line: Transaction, *, only_without_debt: bool = False) -> Transaction:
    """
    Write an unsaved line and move its deltas, inside the caller's atomic block.

    :raises Overtaken: if an account would fall below zero, or there is debt where none may be
    :raises IntegrityError: if its key has written a line before
    """
    insert_row(line)
    guards = {f"{name}_seconds__gte": -delta for name, delta in _deltas(line).items() if delta < 0}
    if only_without_debt:
        guards["debt_seconds"] = 0
    changes = {
        f"{name}_seconds": F(f"{name}_seconds") + delta
        for name, delta in _deltas(line).items()
        if delta
    }
    mine = Wallet.objects.filter(pk=line.wallet_id, client_id=line.client_id)
    if not mine.filter(**guards).update(seq=F("seq") + 1, **changes):
        raise Overtaken
    wallet = mine.get()
    line.seq, line.balance_after_seconds = wallet.seq, wallet.available_seconds
    before = _seal_at(wallet_id=wallet.pk, seq=wallet.seq - 1)
    line.seal = seal(line, before=before)
    Transaction.objects.number(
        line.pk,
        seq=line.seq,
        balance_after_seconds=line.balance_after_seconds,
        seal=line.seal,
    )
    lots.follow(line, wallet)
    count_use([line])
    _count_charged(line)
    warn_when_low(line, wallet)
    return line


def post_consumed(wallet: Wallet, lines: Sequence[Transaction]) -> None:
    """
    Write unsaved lines that move reserved seconds of one wallet to consumed, at the price of one.

    `wallet` was read inside the caller's block. They are numbered as they are written: the wallet's
    own number, which every line moves, is compared, so nothing else about it can have changed. The
    caller moves their launches, and what those are charged (`move_reservation`).

    :raises Overtaken: if it has, if there is debt, or if a low balance has to be told of: post one by one
    :raises IntegrityError: if the key of one has written a line before
    """
    used = sum(line.consumed_delta for line in lines)
    before = wallet.usable_seconds
    told = crossed_percent(
        before_seconds=before, after_seconds=before - used, full_seconds=wallet.full_seconds
    )
    if told is not None or wallet.debt_seconds or used > wallet.reserved_seconds:
        raise Overtaken
    last = _seal_at(wallet_id=wallet.pk, seq=wallet.seq)
    for seq, line in enumerate(lines, wallet.seq + 1):
        line.seq, line.balance_after_seconds = seq, wallet.available_seconds
        last = line.seal = seal(line, before=last)
    insert_rows(lines)
    if not update_row(
        Wallet,
        {"id": wallet.pk, "seq": wallet.seq},
        {"seq": wallet.seq + len(lines)},
        add={"reserved_seconds": -used, "consumed_seconds": used},
        least={"reserved_seconds": used},
    ):
        raise Overtaken
    for line in lines:
        lots.follow(line, wallet)
    count_use(lines)


def pay_debt(*, wallet: Wallet, freed: Transaction, seconds: int, now: datetime) -> None:
    """
    Pay debt from the seconds that the line `freed` made available; `wallet` as read before it.

    :raises Overtaken: if the wallet changed since
    """
    paid = min(seconds, wallet.debt_seconds)
    if paid > 0:
        post(
            Transaction(
                client_id=wallet.client_id,
                wallet=wallet,
                key=f"repay:{freed.key}",
                type=Transaction.Type.REPAY,
                seconds=paid,
                available_delta=-paid,
                debt_delta=-paid,
                reservation_id=freed.reservation_id,
                campaign_id=freed.campaign_id,
                call_id=freed.call_id,
                actor_id=freed.actor_id,
                actor_email=freed.actor_email,
                created_at=now,
            )
        )


def release(
    *, wallet: Wallet, reservation: Reservation, cause: UUID, seconds: int, now: datetime, by: Actor
) -> None:
    """
    Move free seconds of a reservation back to the wallet, where they pay debt first.

    Those of a lot whose time is over expire at once.

    `cause` is the launch that ended, or the attempt whose hold was resolved.

    :raises Overtaken: if that much isn't free
    """
    if seconds <= 0:
        return
    line = post(
        Transaction(
            client_id=wallet.client_id,
            wallet=wallet,
            key=f"release:{cause}",
            type=Transaction.Type.RELEASE,
            seconds=seconds,
            reserved_delta=-seconds,
            available_delta=seconds,
            reservation_id=reservation.pk,
            campaign_id=reservation.campaign_id,
            actor_id=by.actor_id,
            actor_email=by.actor_email,
            created_at=now,
        )
    )
    move_reservation(reservation.pk, free=-seconds, released=seconds)
    pay_debt(wallet=wallet, freed=line, seconds=seconds, now=now)
    if wallet.expiring_seconds:
        expire_available(client_id=wallet.client_id, now=now)


def wallet_at(*, client_id: UUID, now: datetime) -> Wallet:
    """Return a wallet, inside the caller's atomic block, after what has expired by now."""
    wallet = Wallet.objects.get(client_id=client_id)
    if wallet.expiring_seconds and expire_available(client_id=client_id, now=now):
        wallet.refresh_from_db()
    return wallet


def expire_available(*, client_id: UUID, now: datetime) -> int:
    """
    Take out what is available of lots whose time is over, inside the caller's atomic block.

    What launches have of them stays theirs. Return how many seconds that were.

    :raises Overtaken: if the wallet changed since the lots were read
    """
    over = CreditLot.objects.filter(
        client_id=client_id, available_seconds__gt=0, expires_at__lte=now
    )
    gone = 0
    for lot in over.select_related("client__wallet", "payment").order_by("expires_at", "pk"):
        line = post(
            Transaction(
                client_id=client_id,
                wallet=Wallet.of(lot.client),
                key=f"expire:{lot.pk}:{lot.expired_seconds}",
                type=Transaction.Type.EXPIRE,
                seconds=lot.available_seconds,
                available_delta=-lot.available_seconds,
                expired_delta=lot.available_seconds,
                payment_id=lot.payment_id,
                reference_id=lot.payment.reference,
                reason=f"Valid for {lot.payment.valid_days} days: {lot.payment.reference}"[:200],
                actor_email=BILLING.actor_email,
                created_at=now,
            )
        )
        lots.mark_expired(lot, line)
        details = {"seconds": line.seconds, "reference": lot.payment.reference}
        record(
            actions.MINUTES_EXPIRED, resource=lot.payment, actor=BILLING, now=now, details=details
        )
        gone += line.seconds
    return gone


def move_reservation(
    reservation_id: UUID, *, only_open: bool = False, charged_micros: int = 0, **deltas: int
) -> None:
    """
    Add to a reservation's columns, none of them below zero.

    `charged` and `charged_micros` are for lines of `post_consumed`: `post` adds its own.

    :raises Overtaken: if one would be, or the reservation has ended where it must be open
    """
    same: dict[str, Any] = {"id": reservation_id}
    if only_open:
        same["status"] = Reservation.Status.OPEN
    least = {f"{name}_seconds": -delta for name, delta in deltas.items() if delta < 0}
    sums = {f"{name}_seconds": delta for name, delta in deltas.items()}
    if charged_micros:
        sums["charged_micros"] = charged_micros
    if not update_row(Reservation, same, {}, add=sums, least=least):
        raise Overtaken


def _seal_at(*, wallet_id: UUID, seq: int) -> str:
    """Return the seal of a wallet's line of this number; empty before the first."""
    found = read_row(Transaction, {"wallet_id": wallet_id, "seq": seq}, ["seal"])
    return found[0] if found else ""


def _count_charged(line: Transaction) -> None:
    """Add what a line bills or gives back to its launch: pages add up launches, no lines."""
    sign = CHARGING.get(line.type, 0)
    if sign and line.reservation_id:
        Reservation.objects.filter(pk=line.reservation_id).update(
            charged_seconds=F("charged_seconds") + sign * line.seconds,
            charged_micros=F("charged_micros") + sign * line.amount_micros,
        )


def _deltas(line: Transaction) -> dict[str, int]:
    return {name: getattr(line, f"{name}_delta") for name in WALLET_ACCOUNTS}
