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
        """Let corrected charges reach the counters; the billing room knows none."""
        from billing import doors  # noqa: PLC0415 - needs the models
        from reporting.services import recount_call  # noqa: PLC0415

        doors.register(recount_call)
        # The library is no app; the room that watches over the others wires its check.
        register(check_portability, Tags.models)
