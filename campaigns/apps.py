"""Wiring of the campaigns room."""

from __future__ import annotations

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """What is said to whom and when, and the dispatcher that dials."""

    name = "campaigns"
    verbose_name = "Campaigns"

    def ready(self) -> None:
        """Offer campaigns to imports and to the list of leads; the leads room knows none."""
        from campaigns.lead_door import LeadDoor  # noqa: PLC0415
        from campaigns.services.enrolment import find_target  # noqa: PLC0415 - needs the models
        from leads import doors  # noqa: PLC0415
        from leads.imports.targets import register  # noqa: PLC0415

        register(find_target)
        doors.register(LeadDoor())
