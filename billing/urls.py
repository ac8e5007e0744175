"""Addresses of the billing room."""

from __future__ import annotations

from django.urls import path

from billing.views import (
    agency,
    client,
    credit,
    grants,
    payments,
    prices,
    reconciliation,
    repayments,
    seller,
    verify,
)
from billing.views.papers import agency_papers, client_papers

CLIENT = "clients/<uuid:client_id>"
PAYMENT = f"{CLIENT}/payments/<uuid:payment_id>"

public = [path("verify/", verify.statement_verify, name="statement-verify")]
client_face = (
    [
        path("billing/", client.wallet, name="wallet"),
        path("billing/extensions/", client.extensions_set, name="extensions-set"),
        path("billing/ledger.csv", client.ledger_export, name="ledger-export"),
        *client_papers("billing/"),
    ],
    "billing",
)
agency_face = (
    [
        path("money/", agency.wallet_list, name="wallet-list"),
        path("money/wallets.csv", agency.wallet_export, name="wallet-export"),
        path(f"{CLIENT}/wallet/", agency.wallet_detail, name="wallet-detail"),
        path(f"{CLIENT}/wallet/ledger.csv", agency.ledger_export, name="ledger-export"),
        path("money/books/", reconciliation.reconciliation_list, name="reconciliation-list"),
        path(
            "money/books/<uuid:run_id>/",
            reconciliation.reconciliation_detail,
            name="reconciliation-detail",
        ),
        path(
            "money/differences/<uuid:difference_id>/resolve/",
            reconciliation.difference_resolve,
            name="difference-resolve",
        ),
        path("money/margins/", reconciliation.margin_list, name="margin-list"),
        path("money/margins/export/", reconciliation.margin_export, name="margin-export"),
        path(f"{CLIENT}/margins/", reconciliation.margin_detail, name="margin-detail"),
        path("money/grant/", grants.grant, name="grant"),
        path("money/grant/<uuid:grant_id>/", grants.grant_detail, name="grant-detail"),
        path("money/grant/<uuid:grant_id>/approve/", grants.grant_approve, name="grant-approve"),
        path("money/grant/<uuid:grant_id>/refuse/", grants.grant_refuse, name="grant-refuse"),
        path("money/seller/", seller.seller, name="seller"),
        path("money/requests/", payments.request_list, name="request-list"),
        path(
            "money/requests/<uuid:request_id>/approve/",
            payments.request_approve,
            name="request-approve",
        ),
        path(
            "money/requests/<uuid:request_id>/refuse/",
            payments.request_refuse,
            name="request-refuse",
        ),
        path(f"{CLIENT}/sell/", credit.wallet_credit, name="wallet-credit"),
        path(f"{CLIENT}/adjust/", credit.wallet_adjust, name="wallet-adjust"),
        path(f"{CLIENT}/rate/", prices.rate_change, name="rate-change"),
        path(f"{CLIENT}/rate/<uuid:rate_id>/withdraw/", prices.rate_withdraw, name="rate-withdraw"),
        path(f"{CLIENT}/charges/<uuid:call_id>/refund/", credit.call_refund, name="call-refund"),
        path(f"{PAYMENT}/settle/", payments.payment_settle, name="payment-settle"),
        path(f"{PAYMENT}/fail/", payments.payment_fail, name="payment-fail"),
        path(f"{PAYMENT}/refund/", repayments.payment_refund, name="payment-refund"),
        *agency_papers(f"{CLIENT}/"),
    ],
    "agency-billing",
)
