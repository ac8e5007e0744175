"""Numbers invoices and credit notes, in the block of the payment they belong to; who sells, who buys."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db.models import F

from audit import actions
from audit.services import record
from billing.models import Invoice, InvoiceSeries, Payment, Seller, Wallet
from billing.rules import tax_in
from convomono.lib.db import IntegrityError, run_atomic

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client
    from audit.services import Actor
    from billing.models import Repayment

Kind = Invoice.Kind
SAID = ("sold_by", "billed_to", "billed_address", "tax_name", "tax_basis_points", "tax_micros")
PREFIXES = {Kind.INVOICE: "INV", Kind.CREDIT_NOTE: "CN"}


def issue_invoice(*, payment: Payment, now: datetime) -> Invoice | None:
    """Write the invoice of a payment, inside the caller's block; None for what costs nothing."""
    if not payment.amount_micros:
        return None
    seller = find_seller()
    said: dict[str, str | int] = {
        "billed_address": Wallet.objects.get(client_id=payment.client_id).billing_address
    }
    if seller:
        points = seller.tax_basis_points
        said |= {
            "sold_by": seller.lines,
            "tax_name": seller.tax_name if points else "",
            "tax_basis_points": points,
            "tax_micros": tax_in(amount_micros=payment.amount_micros, basis_points=points),
        }
    return _issue(payment, Kind.INVOICE, now=now, billed_to=payment.client.name, **said)


def issue_credit_note(
    *, payment: Payment, reason: str, now: datetime, of: Repayment | None = None
) -> Invoice | None:
    """
    Take the invoice of a payment back, or the part `of` it, inside the caller's block.

    None if it has no invoice. The tax of all parts comes to that of the invoice.
    """
    invoice = Invoice.objects.filter(payment=payment, kind=Kind.INVOICE).first()
    if invoice is None:
        return None
    said = {name: getattr(invoice, name) for name in SAID}
    if of is not None:
        points = invoice.tax_basis_points
        before, after = (
            tax_in(amount_micros=payment.repaid_micros + more, basis_points=points)
            for more in (0, of.amount_micros)
        )
        said |= {"part": of.part, "seconds": of.seconds, "amount_micros": of.amount_micros}
        said["tax_micros"] = after - before
    return _issue(
        payment,
        Kind.CREDIT_NOTE,
        now=now,
        corrects_number=invoice.number,
        reason=reason[:200],
        **said,
    )


def find_seller() -> Seller | None:
    """Return who the agency is on its invoices, if somebody has said so."""
    return Seller.objects.first()


def set_seller(
    *,
    name: str,
    address: str,
    tax_number: str,
    tax_name: str,
    tax_basis_points: int,
    actor: Actor,
    now: datetime,
) -> None:
    """Say who the agency is on invoices from now on; those that are written stay. Twice is once."""
    said = {
        "name": name,
        "address": address,
        "tax_number": tax_number,
        "tax_name": tax_name,
        "tax_basis_points": tax_basis_points,
    }

    def block() -> None:
        before = find_seller()
        if before and all(getattr(before, column) == value for column, value in said.items()):
            return
        by = {"changed_by_email": actor.actor_email, "changed_at": now}
        row = before or Seller()
        for column, value in (said | by).items():
            setattr(row, column, value)
        row.save()
        record(actions.SELLER_SET, resource=row, actor=actor, now=now, details=said)

    try:
        run_atomic(block)
    except IntegrityError:  # of two first saves one is undone: it changes the other's row
        run_atomic(block)


def set_billing_address(*, client: Client, address: str, actor: Actor, now: datetime) -> None:
    """Say what stands under a client's name on its invoices from now on. Twice is once."""

    def block() -> None:
        others = Wallet.objects.filter(client=client).exclude(billing_address=address)
        if others.update(billing_address=address):
            details = {"billing_address": address}
            record(actions.CLIENT_CHANGED, resource=client, actor=actor, now=now, details=details)

    run_atomic(block)


def _issue(payment: Payment, kind: Invoice.Kind, *, now: datetime, **more: object) -> Invoice:
    return Invoice.objects.create(
        client_id=payment.client_id,
        kind=kind,
        number=_next_number(kind, payment.client, now),
        payment=payment,
        issued_at=now,
        **{"seconds": payment.seconds, "amount_micros": payment.amount_micros, **more},
    )


def _next_number(kind: Invoice.Kind, client: Client, now: datetime) -> str:
    """Take the next number of the year, which is that of the day shown on the paper: the client's."""
    name = f"{PREFIXES[kind]}-{now.astimezone(ZoneInfo(client.time_zone)):%Y}"
    series = InvoiceSeries.objects.filter(name=name)
    if not series.update(last_number=F("last_number") + 1):
        # Two first invoices of a year: the unique name undoes one of them, and it runs again.
        InvoiceSeries.objects.create(name=name, last_number=1)
    return f"{name}-{series.get().last_number:05d}"
