"""Addresses of the webhooks room; Retell's own address is in front of Django (`intake.py`)."""

from __future__ import annotations

from django.urls import URLPattern, path

from webhooks import views

agency_face: tuple[list[URLPattern], str] = (
    [
        path("webhooks/", views.monitor, name="monitor"),
        path("webhooks/figures/", views.monitor_figures, name="monitor-figures"),
        path("webhooks/<uuid:event_id>/", views.event_detail, name="event-detail"),
        path("webhooks/<uuid:event_id>/replay/", views.event_replay, name="event-replay"),
    ],
    "agency-webhooks",
)
