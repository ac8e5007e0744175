"""API addresses of the telephony room."""

from __future__ import annotations

from django.urls import URLPattern

client_api: list[URLPattern] = []
admin_api: list[URLPattern] = []
