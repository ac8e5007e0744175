"""Addresses of the billing room."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.urls import URLPattern

client_face: tuple[list[URLPattern], str] = ([], "billing")
agency_face: tuple[list[URLPattern], str] = ([], "agency-billing")
