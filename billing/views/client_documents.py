"""A client's own invoices, statements, payments and usage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.views.decorators.http import require_GET, require_POST

from accounts.access import client_manager, client_viewer
from billing.models import Invoice, Statement
from billing.views import documents
from billing.views.documents import Face

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse
    from django.http.response import HttpResponseBase

    from accounts.access import ClientRequest


@client_manager
@require_GET
def payment_list(request: ClientRequest) -> HttpResponse:
    return documents.payments(request, Face(request.tenant))


@client_manager
@require_GET
def invoice_list(request: ClientRequest) -> HttpResponse:
    return documents.invoices(request, Face(request.tenant))


@client_manager
@require_GET
def invoice_detail(request: ClientRequest, invoice_id: UUID) -> HttpResponse:
    face = Face(request.tenant)
    row = documents.get_document(Invoice, face, invoice_id)
    return documents.invoice(request, face, row)


@client_manager
@require_POST
def invoice_print(request: ClientRequest, invoice_id: UUID) -> HttpResponse:
    face = Face(request.tenant)
    row = documents.get_document(Invoice, face, invoice_id)
    return documents.ask_pdf(face, "invoice", row)


@client_manager
@require_GET
def invoice_pdf(request: ClientRequest, invoice_id: UUID) -> HttpResponseBase:
    return documents.pdf(documents.get_document(Invoice, Face(request.tenant), invoice_id))


@client_manager
@require_GET
def statement_list(request: ClientRequest) -> HttpResponse:
    return documents.statements(request, Face(request.tenant))


@client_manager
@require_POST
def statement_ask(request: ClientRequest) -> HttpResponse:
    return documents.ask_statement(request, Face(request.tenant))


@client_manager
@require_GET
def statement_detail(request: ClientRequest, statement_id: UUID) -> HttpResponse:
    face = Face(request.tenant)
    row = documents.get_document(Statement, face, statement_id)
    return documents.statement(request, face, row)


@client_manager
@require_GET
def statement_csv(request: ClientRequest, statement_id: UUID) -> HttpResponseBase:
    return documents.statement_csv(
        documents.get_document(Statement, Face(request.tenant), statement_id)
    )


@client_manager
@require_POST
def statement_print(request: ClientRequest, statement_id: UUID) -> HttpResponse:
    face = Face(request.tenant)
    row = documents.get_document(Statement, face, statement_id)
    return documents.ask_pdf(face, "statement", row)


@client_manager
@require_GET
def statement_pdf(request: ClientRequest, statement_id: UUID) -> HttpResponseBase:
    return documents.pdf(documents.get_document(Statement, Face(request.tenant), statement_id))


@client_viewer
@require_GET
def usage(request: ClientRequest) -> HttpResponse:
    return documents.usage(request, Face(request.tenant))
