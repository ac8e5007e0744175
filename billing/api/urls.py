"""API addresses of the billing room."""

from __future__ import annotations

from django.urls import URLPattern, path

from billing.api import papers, views

client_api: list[URLPattern] = [
    path("transactions/", views.ClientTransactionList.as_view(), name="transaction-list"),
    path("wallet/", views.ClientWallet.as_view(), name="wallet"),
    path("payments/", papers.ClientPaymentList.as_view(), name="payment-list"),
    path("invoices/", papers.ClientInvoiceList.as_view(), name="invoice-list"),
    path("statements/", papers.ClientStatementList.as_view(), name="statement-list"),
]
admin_api: list[URLPattern] = [
    path("transactions/", views.AdminTransactionList.as_view(), name="transaction-list"),
    path("wallets/", papers.AdminWalletList.as_view(), name="wallet-list"),
    path("payments/", papers.AdminPaymentList.as_view(), name="payment-list"),
    path("invoices/", papers.AdminInvoiceList.as_view(), name="invoice-list"),
    path("statements/", papers.AdminStatementList.as_view(), name="statement-list"),
]
