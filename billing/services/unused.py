"""How much of a payment nobody has used yet: so much of it may be paid back, at once or in parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Sum

from billing.models import CreditLot, Payment, Wallet
from billing.rules import share_micros

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class RepaymentTooLarge(Exception):
    """More minutes were to be paid back than are left of a payment, unused."""

    def __init__(self, *, unused_seconds: int) -> None:
        super().__init__(f"{unused_seconds} s of the payment are unused")
        self.unused_seconds = unused_seconds


@dataclass(frozen=True)
class Repayable:
    """
    What may be paid back of a payment now: at most its unused seconds.

    `left_seconds` and `left_micros` are the payment less what was paid back before, used or not.
    """

    payment: Payment
    unused_seconds: int

    @property
    def left_seconds(self) -> int:
        return self.payment.seconds - self.payment.repaid_seconds

    @property
    def left_micros(self) -> int:
        return self.payment.amount_micros - self.payment.repaid_micros

    def worth_micros(self, seconds: int) -> int:
        """Return what so many further seconds of the payment cost."""
        return _worth_micros(self.payment, seconds)


def repayable(*, payment_id: UUID, now: datetime) -> Repayable:
    """
    Return what may be paid back of a payment: what is available of its lot, if its minutes expire.

    Else it is what is available and never expires: such minutes don't say which payment they came
    from. Nothing of a payment that isn't paid.
    """
    payment = Payment.objects.get(pk=payment_id)
    if payment.status != Payment.Status.PAID:
        return Repayable(payment, 0)
    lot = CreditLot.objects.filter(payment=payment_id).first()
    if lot is None:
        unused = _lasting_seconds(payment.client_id)
    else:
        unused = lot.available_seconds if lot.expires_at > now else 0
    return Repayable(payment, max(0, min(payment.seconds - payment.repaid_seconds, unused)))


def _worth_micros(paid: Payment, seconds: int) -> int:
    """
    Return the price of further seconds, rounded once over all that is paid back.

    So the parts never come to more than the payment, and together to all of it.
    """
    whole = share_micros(
        amount_micros=paid.amount_micros,
        part_seconds=paid.repaid_seconds + seconds,
        whole_seconds=paid.seconds,
    )
    return whole - paid.repaid_micros


def _lasting_seconds(client_id: UUID) -> int:
    wallet = Wallet.objects.get(client_id=client_id)
    if not wallet.expiring_seconds:
        return wallet.available_seconds
    lots = CreditLot.objects.filter(client_id=client_id, available_seconds__gt=0)
    return wallet.available_seconds - (lots.aggregate(sum=Sum("available_seconds"))["sum"] or 0)
