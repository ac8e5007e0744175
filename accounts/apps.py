"""Wiring of the accounts room."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """The agency's clients, their people, and who may see what."""

    name = "accounts"
    verbose_name = "Accounts"
