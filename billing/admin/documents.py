"""Papers about money, and our books beside Retell's, in the back office: to read."""

from __future__ import annotations

from django.contrib import admin

from billing.admin.ledger import MoneyAdmin
from billing.models import (
    BalanceNotice,
    Difference,
    Invoice,
    InvoiceSeries,
    Reconciliation,
    Seller,
    Statement,
)


@admin.register(Invoice)
class InvoiceAdmin(MoneyAdmin):
    """Invoices and credit notes, as they were sent."""

    list_display = ["number", "kind", "client", "amount_usd", "issued_at", "pdf_status"]
    list_filter = ["kind", "pdf_status"]
    search_fields = ["number", "client__name", "corrects_number"]
    exclude = ["pdf_name"]
    ordering = ["-pk"]


@admin.register(InvoiceSeries)
class InvoiceSeriesAdmin(MoneyAdmin):
    """The last number of each year."""

    plural = "invoice series"
    list_display = ["name", "last_number"]
    list_select_related = []
    search_fields = ["name"]
    ordering = ["-name"]


@admin.register(Seller)
class SellerAdmin(MoneyAdmin):
    """Who the agency is on its papers."""

    list_display = ["name", "tax_number", "changed_by_email", "changed_at"]
    list_select_related = []
    search_fields = ["name"]
    ordering = ["pk"]


@admin.register(Statement)
class StatementAdmin(MoneyAdmin):
    """Months of ledgers, with the digests that prove them."""

    list_display = ["month", "client", "status", "issued_at", "digest"]
    list_filter = ["status", "month"]
    search_fields = ["client__name", "digest"]
    exclude = ["pdf_name", "csv_name"]
    ordering = ["-pk"]


@admin.register(Reconciliation)
class ReconciliationAdmin(MoneyAdmin):
    """Comparisons of our books with Retell's."""

    list_display = [
        "window_from",
        "window_until",
        "status",
        "compared_count",
        "our_ms",
        "their_ms",
        "finished_at",
    ]
    list_filter = ["status"]
    list_select_related = []
    search_fields = ["key", "asked_by_email"]
    ordering = ["-window_from", "pk"]


@admin.register(Difference)
class DifferenceAdmin(MoneyAdmin):
    """Calls that the two books tell differently."""

    list_display = [
        "started_at",
        "client",
        "kind",
        "status",
        "provider_call_id",
        "our_ms",
        "their_ms",
        "step",
    ]
    list_filter = ["status", "kind", "step"]
    search_fields = ["provider_call_id", "resolved_by_email"]
    ordering = ["-pk"]


@admin.register(BalanceNotice)
class BalanceNoticeAdmin(MoneyAdmin):
    """Mails about low balances."""

    list_display = ["created_at", "client", "title", "tries_count", "mailed_at", "given_up_at"]
    search_fields = ["client__name", "title"]
    ordering = ["-pk"]
