"""Any client's invoices, statements, payments and usage, for the agency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.views.decorators.http import require_GET, require_POST

from accounts.access import agency_permission
from billing.models import Invoice, Statement
from billing.views import documents
from billing.views.agency import client_or_404
from billing.views.documents import Face

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse
    from django.http.response import HttpResponseBase

    from accounts.access import UserRequest


@agency_permission("manage_billing", "view_finance")
@require_GET
def payment_list(request: UserRequest, client_id: UUID) -> HttpResponse:
    return documents.payments(request, _face(client_id))


@agency_permission("manage_billing", "view_finance")
@require_GET
def invoice_list(request: UserRequest, client_id: UUID) -> HttpResponse:
    return documents.invoices(request, _face(client_id))


@agency_permission("manage_billing", "view_finance")
@require_GET
def invoice_detail(request: UserRequest, client_id: UUID, invoice_id: UUID) -> HttpResponse:
    face = _face(client_id)
    row = documents.get_document(Invoice, face, invoice_id)
    return documents.invoice(request, face, row)


@agency_permission("manage_billing", "view_finance")
@require_POST
def invoice_print(request: UserRequest, client_id: UUID, invoice_id: UUID) -> HttpResponse:
    face = _face(client_id)
    row = documents.get_document(Invoice, face, invoice_id)
    return documents.ask_pdf(face, "invoice", row)


@agency_permission("manage_billing", "view_finance")
@require_GET
def invoice_pdf(request: UserRequest, client_id: UUID, invoice_id: UUID) -> HttpResponseBase:
    return documents.pdf(documents.get_document(Invoice, _face(client_id), invoice_id))


@agency_permission("manage_billing", "view_finance")
@require_GET
def statement_list(request: UserRequest, client_id: UUID) -> HttpResponse:
    return documents.statements(request, _face(client_id))


@agency_permission("manage_billing", "view_finance")
@require_POST
def statement_ask(request: UserRequest, client_id: UUID) -> HttpResponse:
    return documents.ask_statement(request, _face(client_id))


@agency_permission("manage_billing", "view_finance")
@require_GET
def statement_detail(request: UserRequest, client_id: UUID, statement_id: UUID) -> HttpResponse:
    face = _face(client_id)
    row = documents.get_document(Statement, face, statement_id)
    return documents.statement(request, face, row)


@agency_permission("manage_billing", "view_finance")
@require_GET
def statement_csv(request: UserRequest, client_id: UUID, statement_id: UUID) -> HttpResponseBase:
    return documents.statement_csv(
        documents.get_document(Statement, _face(client_id), statement_id)
    )


@agency_permission("manage_billing", "view_finance")
@require_POST
def statement_print(request: UserRequest, client_id: UUID, statement_id: UUID) -> HttpResponse:
    face = _face(client_id)
    row = documents.get_document(Statement, face, statement_id)
    return documents.ask_pdf(face, "statement", row)


@agency_permission("manage_billing", "view_finance")
@require_GET
def statement_pdf(request: UserRequest, client_id: UUID, statement_id: UUID) -> HttpResponseBase:
    return documents.pdf(documents.get_document(Statement, _face(client_id), statement_id))


@agency_permission("manage_billing", "view_finance")
@require_GET
def usage(request: UserRequest, client_id: UUID) -> HttpResponse:
    return documents.usage(request, _face(client_id))


def _face(client_id: UUID) -> Face:
    return Face(client_or_404(client_id), is_agency=True)
