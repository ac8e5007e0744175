"""What clients pay for minutes: paid, still awaited, failed, or paid back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from audit import actions
from audit.services import record
from billing import lots
from billing.ledger import (
    KeyReused,
    Overtaken,
    find_line,
    once,
    pay_debt,
    post,
)
from billing.models import CreditLot, Payment, Transaction, Wallet
from billing.services.invoices import issue_credit_note, issue_invoice
from billing.services.unused import RepaymentTooLarge, repayable
from billing.services.wallets import note_full
from convomono.lib.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from accounts.models import Client
    from audit.services import Actor

Status = Payment.Status
LONGEST_TERM_DAYS = 3650


class PaymentNotPending(Exception):
    """Somebody settled a payment that was paid, has failed or was paid back before."""


class PaymentNotPaid(Exception):
    """Somebody paid back what was never paid, or was paid back before."""


class PaymentPartlyRepaid(PaymentNotPaid):
    """Somebody wanted to pay back a whole payment of which a part was paid back before."""


class PaymentExpired(Exception):
    """Somebody wanted to pay back minutes of which some have expired."""


def purchase(  # noqa: PLR0913  # what a sale is, each part by its name
    *,
    client: Client,
    seconds: int,
    amount_micros: int,
    method: str,
    reference: str,
    actor: Actor,
    now: datetime,
    key: UUID | None = None,
    valid_days: int | None = None,
) -> Transaction:
    """
    Sell minutes: debt is paid first, the rest is available.

    The reference is the agency's own and names one payment per client; `key` is that of the form
    that sold. With `valid_days` what nobody used by then expires. The same sale a second time returns the first line.

    :raises KeyReused: if the reference or the key belongs to another sale
    """
    sale = _sale(client, seconds, amount_micros, method, reference, key, valid_days)

    def find() -> Transaction | None:
        paid = _find_payment(sale, key)
        return find_line(client_id=client.pk, key=f"purchase:{paid.pk}") if paid else None

    def block() -> Transaction:
        sale.status, sale.paid_at = Status.PAID, now
        _save(sale, actor=actor, now=now)
        return _post(sale, actor=actor, now=now)

    return once(find=find, block=block)


def await_payment(  # noqa: PLR0913  # the same sale, not yet paid
    *,
    client: Client,
    seconds: int,
    amount_micros: int,
    method: str,
    reference: str,
    actor: Actor,
    now: datetime,
    key: UUID | None = None,
    valid_days: int | None = None,
) -> Payment:
    """
    Note a payment that is still to come; it brings no minutes until it is settled. Twice is once.

    :raises KeyReused: if the reference or the key belongs to another sale
    """
    sale = _sale(client, seconds, amount_micros, method, reference, key, valid_days)

    def block() -> Payment:
        sale.status = Status.PENDING
        _save(sale, actor=actor, now=now)
        record(actions.PAYMENT_AWAITED, resource=sale, actor=actor, now=now, details=_facts(sale))
        return sale

    return once(find=lambda: _find_payment(sale, key), block=block)


def settle_payment(*, payment: Payment, actor: Actor, now: datetime) -> Transaction:
    """
    Take a pending payment as paid: its minutes are there. A second time returns the first line.

    :raises PaymentNotPending: if it has failed or was paid back
    """

    def find() -> Transaction | None:
        status = Payment.objects.get(pk=payment.pk).status
        if status not in {Status.PENDING, Status.PAID}:
            raise PaymentNotPending
        return find_line(client_id=payment.client_id, key=f"purchase:{payment.pk}")

    def block() -> Transaction:
        _move(payment, Status.PENDING, Status.PAID, paid_at=now)
        return _post(Payment.objects.get(pk=payment.pk), actor=actor, now=now)

    return once(find=find, block=block)


def fail_payment(*, payment: Payment, actor: Actor, now: datetime) -> Payment:
    """
    Say that a pending payment will never come. Twice is once.

    :raises PaymentNotPending: if it was paid meanwhile
    """

    def find() -> Payment | None:
        found = Payment.objects.get(pk=payment.pk)
        if found.status not in {Status.PENDING, Status.FAILED}:
            raise PaymentNotPending
        return found if found.status == Status.FAILED else None

    def block() -> Payment:
        _move(payment, Status.PENDING, Status.FAILED, ended_at=now)
        issue_credit_note(payment=payment, reason="It was not paid.", now=now)
        record(actions.PAYMENT_FAILED, resource=payment, actor=actor, now=now)
        return Payment.objects.get(pk=payment.pk)

    return once(find=find, block=block)


def refund_payment(*, payment: Payment, reason: str, actor: Actor, now: datetime) -> Transaction:
    """
    Pay a client back: the minutes of that payment are taken out of what is available.

    All of them must be unused, as `repayable` counts them. A second time returns the first line.

    :raises PaymentNotPaid: if it is pending or has failed
    :raises PaymentPartlyRepaid: if a part of it was paid back before: `repay` pays back the rest
    :raises PaymentExpired: if some of its minutes have expired
    :raises RepaymentTooLarge: if not all of its minutes are unused
    """
    key = f"reverse:{payment.pk}"

    def find() -> Transaction | None:
        if Payment.objects.get(pk=payment.pk).status not in {Status.PAID, Status.REFUNDED}:
            raise PaymentNotPaid
        return find_line(client_id=payment.client_id, key=key)

    def block() -> Transaction:
        if Payment.objects.filter(pk=payment.pk, repaid_seconds__gt=0).exists():
            raise PaymentPartlyRepaid
        if _has_expired(payment, now):
            raise PaymentExpired
        left = repayable(payment_id=payment.pk, now=now)
        if left.payment.status == Status.PAID and left.unused_seconds < payment.seconds:
            raise RepaymentTooLarge(unused_seconds=left.unused_seconds)
        whole = {"repaid_seconds": payment.seconds, "repaid_micros": payment.amount_micros}
        _move(payment, Status.PAID, Status.REFUNDED, ended_at=now, **whole)
        issue_credit_note(payment=payment, reason=reason, now=now)
        sold = find_line(client_id=payment.client_id, key=f"purchase:{payment.pk}")
        line = post(
            Transaction(
                client_id=payment.client_id,
                wallet=Wallet.objects.get(client_id=payment.client_id),
                key=key,
                type=Transaction.Type.REVERSE,
                seconds=payment.seconds,
                funding_delta=payment.seconds,
                available_delta=-payment.seconds,
                amount_micros=payment.amount_micros,
                payment_id=payment.pk,
                corrects_id=sold.pk if sold else None,
                reference_id=payment.reference,
                reason=reason,
                actor_id=actor.actor_id,
                actor_email=actor.actor_email,
                created_at=now,
            )
        )
        details = {**_facts(payment), "reason": reason}
        record(actions.PAYMENT_REFUNDED, resource=payment, actor=actor, now=now, details=details)
        return line

    return once(find=find, block=block)


def grant(
    *,
    clients: Iterable[Client],
    seconds: int,
    reason: str,
    key: UUID,
    actor: Actor,
    now: datetime,
    valid_days: int | None = None,
) -> list[Transaction]:
    """
    Give each of these clients minutes for nothing, once per `key`; each in a block of its own.

    Killed half-way, the same key gives the rest and nobody twice.
    """
    return [
        purchase(
            client=client,
            seconds=seconds,
            amount_micros=0,
            method=Payment.Method.GRANT,
            reference=f"{reason[:100]} #{key.hex[-8:]}",
            actor=actor,
            now=now,
            key=uuid5(key, str(client.pk)),
            valid_days=valid_days,
        )
        for client in clients
    ]


def _sale(
    client: Client,
    seconds: int,
    amount_micros: int,
    method: str,
    reference: str,
    key: UUID | None,
    valid_days: int | None,
) -> Payment:
    if seconds <= 0 or amount_micros < 0:
        raise ValueError("A sale is of some seconds, for no negative amount.")
    if valid_days is not None and not 0 < valid_days <= LONGEST_TERM_DAYS:
        raise ValueError("Minutes are valid for a day at least, and for ten years at most.")
    return Payment(
        id=key or uuid7(),
        client=client,
        seconds=seconds,
        amount_micros=amount_micros,
        method=method,
        reference=reference,
        valid_days=valid_days,
    )


def _find_payment(sale: Payment, key: UUID | None) -> Payment | None:
    found = Payment.objects.filter(client_id=sale.client_id, reference=sale.reference).first()
    if found is None:
        if Payment.objects.filter(pk=sale.pk).exists():
            raise KeyReused("This form has sold minutes before.")
        return None
    if _facts(found) != _facts(sale) or (key and found.pk != key):
        raise KeyReused("Another payment has this reference.")
    return found


def _has_expired(payment: Payment, now: datetime) -> bool:
    lot = CreditLot.objects.filter(payment=payment.pk).first()
    if lot is None:
        return False
    return lot.expired_seconds > 0 or (lot.available_seconds > 0 and lot.expires_at <= now)


def _facts(payment: Payment) -> dict[str, object]:
    names = ("seconds", "amount_micros", "method", "reference", "valid_days")
    said = {name: getattr(payment, name) for name in names}
    return {name: str(value) for name, value in said.items() if value is not None}


def _save(payment: Payment, *, actor: Actor, now: datetime) -> None:
    payment.created_by_email, payment.created_at = actor.actor_email, now
    payment.save(force_insert=True)
    issue_invoice(payment=payment, now=now)


def _move(payment: Payment, before: str, after: str, **columns: object) -> None:
    same = Payment.objects.filter(pk=payment.pk, status=before, repaid_seconds=0)
    if not same.update(status=after, **columns):
        raise Overtaken


def _post(payment: Payment, *, actor: Actor, now: datetime) -> Transaction:
    """Write the line of a payment that was paid, inside the caller's block."""
    wallet = Wallet.objects.get(client_id=payment.client_id)
    line = post(
        Transaction(
            client_id=payment.client_id,
            wallet=wallet,
            key=f"purchase:{payment.pk}",
            type=Transaction.Type.PURCHASE,
            seconds=payment.seconds,
            funding_delta=-payment.seconds,
            available_delta=payment.seconds,
            amount_micros=payment.amount_micros,
            payment_id=payment.pk,
            reference_id=payment.reference,
            reason=f"Valid for {payment.valid_days} days" if payment.valid_days else "",
            actor_id=actor.actor_id,
            actor_email=actor.actor_email,
            created_at=now,
        )
    )
    lots.open_lot(payment, line)
    pay_debt(wallet=wallet, freed=line, seconds=payment.seconds, now=now)
    note_full(line)
    record(actions.WALLET_CREDITED, resource=payment, actor=actor, now=now, details=_facts(payment))
    return line
