"""Wiring of the telephony room."""

from __future__ import annotations

from django.apps import AppConfig


class TelephonyConfig(AppConfig):
    """Numbers, voice agents and calls, and the only door to the voice platform."""

    name = "telephony"
    verbose_name = "Telephony"
