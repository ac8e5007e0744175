"""Addresses of the reporting room."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.urls import URLPattern

client_face: tuple[list[URLPattern], str] = ([], "reporting")
agency_face: tuple[list[URLPattern], str] = ([], "agency-reporting")

# Health checks of machines: no session, no sign-in.
probes: list[URLPattern] = []
