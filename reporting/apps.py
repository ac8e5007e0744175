"""Wiring of the reporting room."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register

from convomono.lib.checks import check_portability


class ReportingConfig(AppConfig):
    """Figures, reports and home pages; reads everything below."""

    name = "reporting"
    verbose_name = "Reporting"

    def ready(self) -> None:
        # The library is no app; the room that watches over the others wires its check.
        register(check_portability, Tags.models)
