"""Wiring of the reporting room."""

from __future__ import annotations

from django.apps import AppConfig


class ReportingConfig(AppConfig):
    """Figures, reports and home pages; reads everything below."""

    name = "reporting"
    verbose_name = "Reporting"
