"""Wiring of the audit room."""

from __future__ import annotations

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Who did what, kept for good."""

    name = "audit"
    verbose_name = "Audit"
