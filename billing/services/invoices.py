"""Numbers invoices and credit notes, in the block of the payment they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F

from billing.models import Invoice, InvoiceSeries, Payment

if TYPE_CHECKING:
    from datetime import datetime

Kind = Invoice.Kind
PREFIXES = {Kind.INVOICE: "INV", Kind.CREDIT_NOTE: "CN"}


def issue_invoice(*, payment: Payment, now: datetime) -> Invoice | None:
    """Write the invoice of a payment, inside the caller's block; None for what costs nothing."""
    if not payment.amount_micros:
        return None
    return _issue(payment, Kind.INVOICE, now=now)


def issue_credit_note(*, payment: Payment, reason: str, now: datetime) -> Invoice | None:
    """Take the invoice of a payment back, inside the caller's block; None if it has none."""
    invoice = Invoice.objects.filter(payment=payment, kind=Kind.INVOICE).first()
    if invoice is None:
        return None
    return _issue(
        payment, Kind.CREDIT_NOTE, now=now, corrects_number=invoice.number, reason=reason[:200]
    )


def _issue(payment: Payment, kind: Invoice.Kind, *, now: datetime, **more: str) -> Invoice:
    return Invoice.objects.create(
        client_id=payment.client_id,
        kind=kind,
        number=_next_number(kind, now),
        payment=payment,
        billed_to=payment.client.name,
        seconds=payment.seconds,
        amount_micros=payment.amount_micros,
        issued_at=now,
        **more,
    )


def _next_number(kind: Invoice.Kind, now: datetime) -> str:
    name = f"{PREFIXES[kind]}-{now:%Y}"
    series = InvoiceSeries.objects.filter(name=name)
    if not series.update(last_number=F("last_number") + 1):
        # Two first invoices of a year: the unique name undoes one of them, and it runs again.
        InvoiceSeries.objects.create(name=name, last_number=1)
    return f"{name}-{series.get().last_number:05d}"
