"""Addresses of the reporting room."""

from __future__ import annotations

from django.urls import URLPattern, path

from reporting.views import agency, calls, client, notifications, probes as probe_views

client_face: tuple[list[URLPattern], str] = (
    [
        path("", client.home, name="home"),
        path(
            "campaigns/<uuid:campaign_id>/report/",
            client.campaign_report_page,
            name="campaign-report",
        ),
        path(
            "campaigns/<uuid:campaign_id>/results/",
            client.campaign_results_part,
            name="campaign-results",
        ),
        path(
            "campaigns/<uuid:campaign_id>/report/files/",
            client.report_create,
            name="report-create",
        ),
        path("calls/export/", calls.call_export, name="call-export"),
        path("notifications/", notifications.client_notifications, name="notifications"),
        path("notifications/bell/", notifications.client_bell, name="bell"),
        path("notifications/seen/", notifications.client_seen, name="notifications-seen"),
        path("reports/<uuid:report_id>/", client.report_download, name="report-download"),
    ],
    "reporting",
)
agency_face: tuple[list[URLPattern], str] = (
    [
        path("", agency.home, name="home"),
        path("health/", agency.health, name="health"),
        path("notifications/", notifications.agency_notifications, name="notifications"),
        path("notifications/bell/", notifications.agency_bell, name="bell"),
        path("notifications/seen/", notifications.agency_seen, name="notifications-seen"),
    ],
    "agency-reporting",
)

# Health checks of machines: no session, no sign-in.
probes: list[URLPattern] = [
    path("healthz", probe_views.healthz, name="healthz"),
    path("readyz", probe_views.readyz, name="readyz"),
]
