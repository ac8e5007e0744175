"""Addresses of the telephony room."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.urls import URLPattern

agency_face: tuple[list[URLPattern], str] = ([], "agency-telephony")
