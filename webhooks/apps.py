"""Wiring of the webhooks room."""

from __future__ import annotations

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """The inbox of the voice platform's events."""

    name = "webhooks"
    verbose_name = "Webhooks"
