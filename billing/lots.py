"""
Which seconds are used when some of them expire: the soonest to expire first, and last given back.

Everything here runs inside the block of a line of the ledger, which has written the wallet before:
two blocks of one wallet never run side by side.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import F

from billing.models import CreditLot, LotShare, Reservation, Transaction, Wallet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from django.db.models import QuerySet
    from django.db.models.expressions import Combinable

    from billing.models import Payment

Type = Transaction.Type
SPENDING = {Type.CONSUME, Type.REPAY, Type.ADJUST, Type.REVERSE}


def open_lot(payment: Payment, line: Transaction) -> None:
    """Let the minutes of a payment expire when its term is over; one without a term has no lot."""
    if payment.valid_days is None:
        return
    CreditLot.objects.create(
        client_id=payment.client_id,
        payment=payment,
        seconds=payment.seconds,
        available_seconds=payment.seconds,
        created_at=line.created_at,
        expires_at=line.created_at + timedelta(days=payment.valid_days),
    )
    _count(line, payment.seconds)


def follow(line: Transaction, wallet: Wallet) -> None:
    """Move seconds that expire along with a line; a wallet without any is not asked for more."""
    if not wallet.expiring_seconds:
        return
    if line.type == Type.RESERVE:
        _set_aside(line)
    elif line.type == Type.RELEASE:
        _give_back(line)
    elif line.type in SPENDING:
        spent = _spend_shares(line, -line.reserved_delta) + _spend(line, -line.available_delta)
        _count(line, -spent)


def mark_expired(lot: CreditLot, line: Transaction) -> None:
    """Note that a line has taken out what was available of a lot."""
    gone = {
        "available_seconds": F("available_seconds") - line.seconds,
        "expired_seconds": F("expired_seconds") + line.seconds,
    }
    CreditLot.objects.filter(pk=lot.pk).update(**gone)
    _count(line, -line.seconds)


def _set_aside(line: Transaction) -> None:
    launch = _launch(line)
    for lot, seconds in _portions(_lots(line), "available_seconds", line.seconds):
        CreditLot.objects.filter(pk=lot.pk).update(
            available_seconds=F("available_seconds") - seconds
        )
        mine = LotShare.objects.filter(client_id=line.client_id, reservation_id=launch, lot=lot)
        if not mine.update(seconds=F("seconds") + seconds):
            LotShare.objects.create(
                client_id=line.client_id,
                reservation_id=launch,
                lot=lot,
                seconds=seconds,
            )


def _give_back(line: Transaction) -> None:
    """Return the seconds of a launch that never expire first, then those that expire last."""
    launch = Reservation.objects.get(pk=_launch(line))
    shares = list(_shares(line).order_by("-lot__expires_at", "-lot__pk"))
    lasting = launch.free_seconds + launch.held_seconds - sum(row.seconds for row in shares)
    for share, seconds in _portions(shares, "seconds", line.seconds - lasting):
        _take_share(share, seconds, available_seconds=F("available_seconds") + seconds)


def _spend_shares(line: Transaction, wanted: int) -> int:
    if wanted <= 0:
        return 0
    spent = 0
    shares = _shares(line).order_by("lot__expires_at", "lot__pk")
    for share, seconds in _portions(shares, "seconds", wanted):
        _take_share(share, seconds, spent_seconds=F("spent_seconds") + seconds)
        spent += seconds
    return spent


def _spend(line: Transaction, wanted: int) -> int:
    if wanted <= 0:
        return 0
    spent = 0
    lots = list(_lots(line))
    if line.type == Type.REVERSE:  # it was judged by its own minutes, and takes no other payment's
        lots = [lot for lot in lots if lot.payment_id == line.payment_id]
    for lot, seconds in _portions(lots, "available_seconds", wanted):
        CreditLot.objects.filter(pk=lot.pk).update(
            available_seconds=F("available_seconds") - seconds,
            spent_seconds=F("spent_seconds") + seconds,
        )
        spent += seconds
    return spent


def _take_share(share: LotShare, seconds: int, **lot: Combinable) -> None:
    LotShare.objects.filter(pk=share.pk).update(seconds=F("seconds") - seconds)
    CreditLot.objects.filter(pk=share.lot_id).update(**lot)


def _lots(line: Transaction) -> QuerySet[CreditLot]:
    lots = CreditLot.objects.filter(client_id=line.client_id, available_seconds__gt=0)
    return lots.order_by("expires_at", "pk")


def _shares(line: Transaction) -> QuerySet[LotShare]:
    mine = LotShare.objects.filter(client_id=line.client_id, reservation_id=_launch(line))
    return mine.filter(seconds__gt=0)


def _launch(line: Transaction) -> UUID:
    assert line.reservation_id is not None  # what reserves, consumes or releases names it
    return line.reservation_id


def _portions[Row: (CreditLot, LotShare)](
    rows: Iterable[Row], column: str, wanted: int
) -> Iterator[tuple[Row, int]]:
    """Yield how much of each row makes up what is wanted, in their order; it may be less."""
    for row in rows:
        seconds = min(getattr(row, column), wanted)
        if seconds <= 0:
            return
        yield row, seconds
        wanted -= seconds


def _count(line: Transaction, seconds: int) -> None:
    if seconds:
        Wallet.objects.filter(pk=line.wallet_id).update(
            expiring_seconds=F("expiring_seconds") + seconds
        )
