"""API addresses of the billing room."""

from __future__ import annotations

from django.urls import URLPattern, path

from billing.api import views

client_api: list[URLPattern] = [
    path("transactions/", views.ClientTransactionList.as_view(), name="transaction-list"),
    path("wallet/", views.ClientWallet.as_view(), name="wallet"),
]
admin_api: list[URLPattern] = [
    path("transactions/", views.AdminTransactionList.as_view(), name="transaction-list"),
]
