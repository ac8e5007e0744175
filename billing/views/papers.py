"""The papers of a client on both faces: the same addresses and pages, and who may see each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from accounts.access import agency_permission, client_manager, client_viewer
from billing.views import documents
from billing.views.agency import client_or_404
from billing.views.documents import Face

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.http.response import HttpResponseBase
    from django.urls import URLPattern

    from accounts.access import ClientRequest, UserRequest

type Show = Callable[..., HttpResponseBase]
type Verb = Callable[[Any], Any]

INVOICE, STATEMENT = "invoices/<uuid:invoice_id>/", "statements/<uuid:statement_id>/"
# Its name, its address, what shows it, which verb asks for it.
PAPERS: tuple[tuple[str, str, Show, Verb], ...] = (
    ("payment-list", "payments/", documents.payment_list, require_GET),
    ("invoice-list", "invoices/", documents.invoice_list, require_GET),
    ("invoice-detail", INVOICE, documents.invoice_detail, require_GET),
    ("invoice-print", f"{INVOICE}print/", documents.invoice_print, require_POST),
    ("invoice-pdf", f"{INVOICE}pdf/", documents.invoice_pdf, require_GET),
    ("statement-list", "statements/", documents.statement_list, require_GET),
    ("statement-ask", "statements/ask/", documents.statement_ask, require_POST),
    ("statement-detail", STATEMENT, documents.statement_detail, require_GET),
    ("statement-csv", f"{STATEMENT}csv/", documents.statement_csv, require_GET),
    ("statement-print", f"{STATEMENT}print/", documents.statement_print, require_POST),
    ("statement-pdf", f"{STATEMENT}pdf/", documents.statement_pdf, require_GET),
    ("usage", "usage/", documents.usage, require_GET),
)
FOR_VIEWERS = {"usage"}
"""What everybody of a client may see; the rest is for its managers and owners."""


def client_papers(base: str) -> list[URLPattern]:
    """Return a client's own papers, under an address."""

    def page(name: str, show: Show, verb: Verb) -> Any:
        @(client_viewer if name in FOR_VIEWERS else client_manager)
        @verb
        def view(request: ClientRequest, /, **ids: UUID) -> HttpResponseBase:
            return show(request, Face(request.tenant), **ids)

        return view

    return _addresses(base, page)


def agency_papers(base: str) -> list[URLPattern]:
    """Return any client's papers for the agency, under an address with `client_id`."""

    def page(_name: str, show: Show, verb: Verb) -> Any:
        @agency_permission("manage_billing", "view_finance")
        @verb
        def view(request: UserRequest, /, client_id: UUID, **ids: UUID) -> HttpResponseBase:
            return show(request, Face(client_or_404(client_id), is_agency=True), **ids)

        return view

    return _addresses(base, page)


def _addresses(base: str, page: Callable[[str, Show, Verb], Any]) -> list[URLPattern]:
    return [
        path(base + address, page(name, show, verb), name=name)
        for name, address, show, verb in PAPERS
    ]
