"""Pays back the minutes of a payment that nobody has used: a part of it, several times if need be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F

from audit import actions
from audit.services import record
from billing.ledger import KeyReused, Overtaken, find_line, once, post
from billing.models import Payment, Repayment, Transaction, Wallet
from billing.services.invoices import issue_credit_note
from billing.services.payments import PaymentNotPaid
from billing.services.unused import RepaymentTooLarge, repayable
from billing.services.wallets import ReasonMissing

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.services import Actor

Status = Payment.Status


def repayments_of(payment: Payment) -> QuerySet[Repayment]:
    """Return the parts of a payment that were paid back, the first one first."""
    mine = Repayment.objects.filter(client=payment.client_id, payment=payment.pk)
    return mine.order_by("part")


def repay(
    *, payment: Payment, seconds: int, reason: str, key: UUID, actor: Actor, now: datetime
) -> Transaction:
    """
    Pay back so many unused seconds of a payment, for their share of its amount; once per `key`.

    They leave what is available, and a credit note takes back that share of the invoice. When
    nothing is left of the payment it is `refunded`.

    :raises ReasonMissing: without a reason
    :raises PaymentNotPaid: if the payment was never paid, or all of it was paid back
    :raises RepaymentTooLarge: if fewer seconds of it are unused
    :raises KeyReused: if the key has paid back something else
    """
    reason = " ".join(reason.split())[:200]
    if not reason:
        raise ReasonMissing
    if seconds <= 0:
        raise ValueError("A repayment is of some seconds.")

    def find() -> Transaction | None:
        first = Repayment.objects.filter(pk=key).first()
        if first is None:
            return None
        if (first.payment_id, first.seconds, first.reason) != (payment.pk, seconds, reason):
            raise KeyReused("This form has paid back something else.")
        return find_line(client_id=first.client_id, key=first.line_key)

    def block() -> Transaction:
        left = repayable(payment_id=payment.pk, now=now)
        if left.payment.status != Status.PAID:
            raise PaymentNotPaid
        if seconds > left.unused_seconds:
            raise RepaymentTooLarge(unused_seconds=left.unused_seconds)
        row = Repayment.objects.create(
            id=key,
            client_id=left.payment.client_id,
            payment=left.payment,
            part=repayments_of(left.payment).count() + 1,
            seconds=seconds,
            amount_micros=left.worth_micros(seconds),
            reason=reason,
            made_by_email=actor.actor_email,
            created_at=now,
        )
        _take_back(left.payment, row, now)
        issue_credit_note(payment=left.payment, reason=reason, now=now, of=row)
        line = post(_line(left.payment, row, actor))
        details = {"seconds": seconds, "amount_micros": row.amount_micros, "reason": reason}
        record(
            actions.PAYMENT_PARTLY_REFUNDED, resource=payment, actor=actor, now=now, details=details
        )
        return line

    return once(find=find, block=block)


def _take_back(paid: Payment, row: Repayment, now: datetime) -> None:
    """Count the seconds as paid back; what was paid back meanwhile undoes the block."""
    same = Payment.objects.filter(
        pk=paid.pk, status=Status.PAID, repaid_seconds=paid.repaid_seconds
    )
    is_all = paid.repaid_seconds + row.seconds == paid.seconds
    ended = {"status": Status.REFUNDED, "ended_at": now} if is_all else {}
    if not same.update(
        repaid_seconds=F("repaid_seconds") + row.seconds,
        repaid_micros=F("repaid_micros") + row.amount_micros,
        **ended,
    ):
        raise Overtaken


def _line(paid: Payment, row: Repayment, actor: Actor) -> Transaction:
    sold = find_line(client_id=paid.client_id, key=f"purchase:{paid.pk}")
    return Transaction(
        client_id=paid.client_id,
        wallet=Wallet.objects.get(client_id=paid.client_id),
        key=row.line_key,
        type=Transaction.Type.REVERSE,
        seconds=row.seconds,
        funding_delta=row.seconds,
        available_delta=-row.seconds,
        amount_micros=row.amount_micros,
        payment_id=paid.pk,
        corrects_id=sold.pk if sold else None,
        reference_id=paid.reference,
        reason=row.reason,
        actor_id=actor.actor_id,
        actor_email=actor.actor_email,
        created_at=row.created_at,
    )
