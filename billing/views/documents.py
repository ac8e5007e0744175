"""Invoices, statements and payments in writing, for both faces: the same pages, scoped by who looks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import FileResponse, Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import can_manage
from billing import services
from billing.documents import statement_rows, sums_of
from billing.free_calls import free_calls_of
from billing.jobs import ask_pdf, make_statement
from billing.models import Invoice, Payment, Printed, Statement
from billing.paper import PAPER_LINES, PART_LINES
from billing.usage import USAGE_DAYS, usage_by_campaign, usage_days
from convomono.lib import clock, files
from convomono.lib.days import month_or_none
from convomono.lib.db import on_commit
from convomono.lib.htmx import render_page
from convomono.lib.jobs import enqueue
from convomono.lib.pages import list_page, number_or

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse
    from django.http.response import HttpResponseBase

    from accounts.access import UserRequest
    from accounts.models import Client

PAGE_LINES = 100
PDF = "application/pdf"


@dataclass(frozen=True)
class Face:
    """Who looks at a client's papers: the client itself, or the agency."""

    client: Client
    is_agency: bool = False

    @property
    def layout(self) -> str:
        return "layouts/agency.html" if self.is_agency else "layouts/app.html"

    def url(self, name: str, *ids: object) -> str:
        if self.is_agency:
            return reverse(f"agency-billing:{name}", args=[self.client.pk, *ids])
        return reverse(f"billing:{name}", args=ids)

    def tabs(self, request: UserRequest) -> list[dict[str, object]]:
        """Return the parts of the client's billing, as `components/tabs.html` takes them."""
        first = self.url("wallet-detail" if self.is_agency else "wallet")
        papers = [
            (self.url("payment-list"), _("Payments")),
            (self.url("invoice-list"), _("Invoices")),
            (self.url("statement-list"), _("Statements")),
        ]
        sees_papers = self.is_agency or can_manage(request.user)
        usage = (self.url("usage"), _("Usage"))
        parts = [(first, _("Balance")), *(papers if sees_papers else []), usage]
        longest = max((url for url, _l in parts if request.path.startswith(url)), key=len)
        return [{"url": url, "label": label, "current": url == longest} for url, label in parts]

    def context(self, request: UserRequest, **more: Any) -> dict[str, Any]:
        return {
            "face": self,
            "layout": self.layout,
            "client": self.client,
            "tabs": self.tabs(request),
            **more,
        }


def payment_list(request: UserRequest, face: Face) -> HttpResponse:
    rows = Payment.objects.filter(client=face.client).order_by("-created_at", "-pk")
    page = list_page(rows, request.GET.get("page"))
    may_sell = face.is_agency and request.user.has_agency_permission("manage_billing")
    context = face.context(request, page=page, may_sell=may_sell)
    return render(request, "billing/payment_list.html", context)


def invoice_list(request: UserRequest, face: Face) -> HttpResponse:
    rows = Invoice.objects.filter(client=face.client).select_related("payment")
    page = list_page(rows.order_by("-issued_at", "-pk"), request.GET.get("page"))
    items = [(row, face.url("invoice-detail", row.pk)) for row in page.rows]
    lacks_seller = face.is_agency and services.find_seller() is None
    context = face.context(request, page=page, items=items, lacks_seller=lacks_seller)
    return render(request, "billing/invoice_list.html", context)


def invoice_detail(request: UserRequest, face: Face, invoice_id: UUID) -> HttpResponse:
    row = get_document(Invoice, face, invoice_id)
    context = face.context(
        request,
        invoice=row,
        document=row,
        ask_url=face.url("invoice-print", row.pk),
        pdf_url=face.url("invoice-pdf", row.pk),
        page_url=face.url("invoice-detail", row.pk),
    )
    return render_page(request, "billing/invoice_detail.html", context, partial="pdf-state")


def invoice_print(_request: UserRequest, face: Face, invoice_id: UUID) -> HttpResponse:
    return _ask_pdf(face, "invoice", get_document(Invoice, face, invoice_id))


def invoice_pdf(_request: UserRequest, face: Face, invoice_id: UUID) -> HttpResponseBase:
    row = get_document(Invoice, face, invoice_id)
    return _file(row.pdf_name, f"{row.number}.pdf", PDF)


def statement_list(request: UserRequest, face: Face) -> HttpResponse:
    rows = Statement.objects.filter(client=face.client).order_by("-month")
    page = list_page(rows, request.GET.get("page"))
    latest = services.last_month(client=face.client, now=clock.now())
    context = face.context(
        request,
        page=page,
        items=[(row, face.url("statement-detail", row.pk)) for row in page.rows],
        latest=latest,
        ask_url=face.url("statement-ask"),
    )
    return render(request, "billing/statement_list.html", context)


def statement_ask(request: UserRequest, face: Face) -> HttpResponse:
    month = month_or_none(request.POST.get("month", ""))
    if month is None:
        messages.error(request, _("Choose a month, such as 2026-10."))
        return redirect(face.url("statement-list"))
    try:
        row = services.ask_statement(client=face.client, month=month, now=clock.now())
    except services.MonthNotOver:
        messages.error(request, _("That month isn't over: its statement comes when it is."))
        return redirect(face.url("statement-list"))
    except services.MonthTooEarly:
        messages.error(request, _("The account was opened after that month."))
        return redirect(face.url("statement-list"))
    if row.status == Statement.Status.QUEUED:
        enqueue(make_statement, queue="reports", statement_id=str(row.pk))
    return redirect(face.url("statement-detail", row.pk))


def statement_detail(request: UserRequest, face: Face, statement_id: UUID) -> HttpResponse:
    row = get_document(Statement, face, statement_id)
    first = min(number_or(row.first_seq, request.GET.get("from")), row.last_seq)
    first = max(first, row.first_seq)
    done = row.status == Statement.Status.DONE
    rows = list(statement_rows(row, first=first, most=PAGE_LINES)) if done else []
    context = face.context(
        request,
        statement=row,
        document=row,
        most_lines=PAPER_LINES,
        is_long=row.lines_count > PART_LINES,
        sums=sums_of(row),
        free_calls=free_calls_of(row),
        rows=rows,
        call_links=not face.is_agency,
        previous=max(row.first_seq, first - PAGE_LINES) if first > row.first_seq else None,
        following=first + PAGE_LINES if first + PAGE_LINES <= row.last_seq else None,
        csv_url=face.url("statement-csv", row.pk),
        ask_url=face.url("statement-print", row.pk),
        pdf_url=face.url("statement-pdf", row.pk),
        page_url=face.url("statement-detail", row.pk),
    )
    return render_page(request, "billing/statement_detail.html", context, partial="pdf-state")


def statement_csv(_request: UserRequest, face: Face, statement_id: UUID) -> HttpResponseBase:
    row = get_document(Statement, face, statement_id)
    return _file(row.csv_name, f"statement-{row.month:%Y-%m}.csv", "text/csv; charset=utf-8")


def statement_print(_request: UserRequest, face: Face, statement_id: UUID) -> HttpResponse:
    return _ask_pdf(face, "statement", get_document(Statement, face, statement_id))


def statement_pdf(_request: UserRequest, face: Face, statement_id: UUID) -> HttpResponseBase:
    row = get_document(Statement, face, statement_id)
    return _file(row.pdf_name, f"statement-{row.month:%Y-%m}.pdf", PDF)


def _ask_pdf(face: Face, kind: str, row: Invoice | Statement) -> HttpResponse:
    """Order the PDF, unless it is made, being made, or of a statement that isn't; a failed one again."""
    if isinstance(row, Statement) and row.status != Statement.Status.DONE:
        return redirect(face.url(f"{kind}-detail", row.pk))
    may = (Printed.File.NONE, Printed.File.FAILED)
    rows = type(row).objects.filter(pk=row.pk, pdf_status__in=may)
    if rows.update(pdf_status=Printed.File.QUEUED):
        on_commit(partial(ask_pdf, kind=kind, document_id=row.pk))
    return redirect(face.url(f"{kind}-detail", row.pk))


def usage(request: UserRequest, face: Face) -> HttpResponse:
    days = usage_days(request.GET.get("days", ""))
    rows = usage_by_campaign(client=face.client, days=days, now=clock.now())
    context = face.context(
        request,
        rows=rows,
        days=days,
        choices=USAGE_DAYS,
        ledger_url=face.url("wallet-detail" if face.is_agency else "wallet"),
    )
    return render(request, "billing/usage.html", context)


def get_document[Row: (Invoice, Statement)](model: type[Row], face: Face, row_id: UUID) -> Row:
    """
    Fetch a paper of this client.

    :raises Http404: if it is another client's, or nobody's
    """
    row = (
        model.objects.select_related("client__wallet").filter(client=face.client, pk=row_id).first()
    )
    if row is None:
        raise Http404
    return row


def _file(stored_name: str, name: str, kind: str) -> HttpResponseBase:
    if not stored_name:
        raise Http404
    try:
        content = files.open_stored(stored_name)
    except FileNotFoundError:
        raise Http404 from None
    return FileResponse(content, as_attachment=True, filename=name, content_type=kind)
