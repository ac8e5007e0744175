"""API addresses of the leads room."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.urls import URLPattern

client_api: list[URLPattern] = []
admin_api: list[URLPattern] = []
