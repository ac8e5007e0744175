"""Wiring of the campaigns room."""

from __future__ import annotations

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """What is said to whom and when, and the dispatcher that dials."""

    name = "campaigns"
    verbose_name = "Campaigns"
