"""Wiring of the billing room."""

from __future__ import annotations

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Prepaid minutes: wallets, the ledger, prices."""

    name = "billing"
    verbose_name = "Billing"
