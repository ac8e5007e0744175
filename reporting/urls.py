"""Addresses of the reporting room."""

from __future__ import annotations

from django.urls import URLPattern, path

from reporting.views import agency, client, probes as probe_views

client_face: tuple[list[URLPattern], str] = (
    [
        path("", client.home, name="home"),
        path(
            "campaigns/<uuid:campaign_id>/report/",
            client.campaign_report_page,
            name="campaign-report",
        ),
        path(
            "campaigns/<uuid:campaign_id>/report/files/",
            client.report_create,
            name="report-create",
        ),
        path("reports/<uuid:report_id>/", client.report_download, name="report-download"),
    ],
    "reporting",
)
agency_face: tuple[list[URLPattern], str] = (
    [
        path("", agency.home, name="home"),
        path("health/", agency.health, name="health"),
    ],
    "agency-reporting",
)

# Health checks of machines: no session, no sign-in.
probes: list[URLPattern] = [
    path("healthz", probe_views.healthz, name="healthz"),
    path("readyz", probe_views.readyz, name="readyz"),
]
