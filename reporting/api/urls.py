"""API addresses of the reporting room."""

from __future__ import annotations

from django.urls import URLPattern, path

from reporting.api import views

client_api: list[URLPattern] = []
admin_api: list[URLPattern] = [
    path("reports/", views.AdminReportList.as_view(), name="report-list"),
    path("reports/<uuid:report_id>/", views.AdminReportDetail.as_view(), name="report-detail"),
]
