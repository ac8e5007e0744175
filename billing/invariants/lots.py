"""Plays the lines again with minutes that expire: the soonest were used first, none expired early."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.models import CreditLot, LotShare, Payment, Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from billing.invariants.lines import Finding
    from billing.models import Wallet

SWEPT_WITHIN = timedelta(hours=1)
Type = Transaction.Type
type Purse = Counter[UUID | None]
"""Seconds by the payment whose term they have; None for those that never expire."""


class LotReplay:
    """
    What the lines say of each lot, in an arithmetic that is not the ledger's.

    Memory is bounded by the lots and the launches that still have minutes.
    """

    def __init__(self, wallet: Wallet) -> None:
        lots = CreditLot.objects.filter(client=wallet.client_id).order_by("expires_at", "pk")
        self.lots = {lot.payment_id: lot for lot in lots}
        self.rank: dict[UUID | None, int] = {key: rank for rank, key in enumerate(self.lots)}
        self.rank[None] = len(self.lots)  # what never expires is used last
        self.available: Purse = Counter()
        self.launches: defaultdict[UUID | None, Purse] = defaultdict(Counter)
        self.spent: Purse = Counter()
        self.expired: Purse = Counter()
        self.early: list[str] = []

    def add(self, line: Transaction) -> None:
        if not self.lots:
            return
        if line.type == Type.PURCHASE:
            mine = line.payment_id if line.payment_id in self.lots else None
            self.available[mine] += line.available_delta
        elif line.type == Type.RESERVE:
            self._move(self.available, self.launches[line.reservation_id], line.seconds)
        elif line.type == Type.RELEASE:
            self._move(self._launch(line), self.available, line.seconds, last=True)
        elif line.type == Type.EXPIRE:
            self._expire(line)
        else:
            self._move(self._launch(line), self.spent, -line.reserved_delta)
            if line.type == Type.REVERSE:
                self._take_back(line)
            else:
                self._move(self.available, self.spent, -line.available_delta)
            self.available[None] += max(0, line.available_delta)
        if line.reservation_id and not +self.launches[line.reservation_id]:
            del self.launches[line.reservation_id]

    def findings(self, now: datetime | None) -> Iterator[Finding]:
        """Yield where the lots, as they are kept, are not what the lines come to."""
        for sentence in self.early:
            yield "L12", sentence
        shares: dict[UUID, int] = Counter()
        for purse in self.launches.values():
            for key, seconds in purse.items():
                shares[key] += seconds  # type: ignore[index]  # None is asked for by nobody
        for key, lot in self.lots.items():
            told = (self.available[key], shares[key], self.spent[key], self.expired[key])
            kept = (lot.available_seconds, _shared(lot), lot.spent_seconds, lot.expired_seconds)
            if kept != told or sum(kept) != lot.seconds:
                yield (
                    "L12",
                    f"lot of payment {key} keeps {kept} of {lot.seconds} s, lines say {told}",
                )
            if now and lot.available_seconds and lot.expires_at <= now - SWEPT_WITHIN:
                yield "L12", f"lot of payment {key} is available although it expired"

    def _launch(self, line: Transaction) -> Purse:
        return self.launches[line.reservation_id]

    def _expire(self, line: Transaction) -> None:
        lot = self.lots.get(line.payment_id) if line.payment_id else None
        if lot is None:
            self.early.append(f"line {line.key} lets minutes expire that have no term")
            return
        if line.created_at < lot.expires_at:
            self.early.append(f"line {line.key} comes before its time")
        self.available[lot.payment_id] -= line.seconds
        self.expired[lot.payment_id] += line.seconds

    def _take_back(self, line: Transaction) -> None:
        mine = line.payment_id if line.payment_id in self.lots else None
        if line.seconds > self.available[mine]:
            self.early.append(f"line {line.key} pays back minutes of other payments")
        self.available[mine] -= line.seconds
        self.spent[mine] += line.seconds

    def _move(self, source: Purse, target: Purse, seconds: int, *, last: bool = False) -> None:
        for key in sorted(source, key=lambda key: self.rank[key], reverse=last):
            taken = min(source[key], seconds)
            if taken > 0:
                source[key] -= taken
                target[key] += taken
                seconds -= taken


def check_lots(wallet: Wallet, replay: LotReplay, now: datetime | None) -> Iterator[Finding]:
    """Yield what is wrong with minutes that expire, once the lines have been played."""
    yield from replay.findings(now)
    kept = sum(lot.available_seconds + _shared(lot) for lot in replay.lots.values())
    if wallet.expiring_seconds != kept:
        yield "L12", f"the wallet counts {wallet.expiring_seconds} s that expire, its lots {kept}"
    sold = Payment.objects.filter(
        client=wallet.client_id,
        valid_days__isnull=False,
        status__in=(Payment.Status.PAID, Payment.Status.REFUNDED),
    )
    for payment_id in sold.values_list("pk", flat=True):
        if payment_id not in replay.lots:
            yield "L12", f"payment {payment_id} has a term and no lot"


def _shared(lot: CreditLot) -> int:
    return sum(LotShare.objects.filter(lot=lot).values_list("seconds", flat=True))
