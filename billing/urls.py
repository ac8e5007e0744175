"""Addresses of the billing room."""

from __future__ import annotations

from django.urls import path

from billing.views import agency, client

client_face = (
    [
        path("billing/", client.wallet, name="wallet"),
        path("billing/ledger.csv", client.ledger_export, name="ledger-export"),
    ],
    "billing",
)
agency_face = (
    [
        path("money/", agency.wallet_list, name="wallet-list"),
        path("clients/<uuid:client_id>/wallet/", agency.wallet_detail, name="wallet-detail"),
        path(
            "clients/<uuid:client_id>/wallet/ledger.csv",
            agency.ledger_export,
            name="ledger-export",
        ),
        path("clients/<uuid:client_id>/sell/", agency.wallet_credit, name="wallet-credit"),
        path("clients/<uuid:client_id>/adjust/", agency.wallet_adjust, name="wallet-adjust"),
        path("clients/<uuid:client_id>/rate/", agency.rate_change, name="rate-change"),
    ],
    "agency-billing",
)
