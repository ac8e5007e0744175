"""API addresses of the leads room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import path

from leads.api import consents, suppressions, views

if TYPE_CHECKING:
    from django.urls import URLPattern

_IMPORT = "imports/<uuid:import_id>/"

client_api: list[URLPattern] = [
    path("imports/", views.ImportList.as_view(), name="import-list"),
    path(_IMPORT, views.ImportDetail.as_view(), name="import-detail"),
    path(f"{_IMPORT}rows/", views.ImportRows.as_view(), name="import-rows"),
    path(f"{_IMPORT}commit/", views.ImportCommit.as_view(), name="import-commit"),
    path(f"{_IMPORT}cancel/", views.ImportCancel.as_view(), name="import-cancel"),
    path(f"{_IMPORT}undo/", views.ImportUndo.as_view(), name="import-undo"),
    path(
        "leads/<uuid:lead_id>/consents/",
        consents.LeadConsentList.as_view(),
        name="lead-consent-list",
    ),
    path(
        "leads/<uuid:lead_id>/consents/revoke/",
        consents.LeadConsentRevoke.as_view(),
        name="lead-consent-revoke",
    ),
    path("suppressions/", suppressions.SuppressionList.as_view(), name="suppression-list"),
    path(
        "suppressions/<uuid:suppression_id>/",
        suppressions.SuppressionDetail.as_view(),
        name="suppression-detail",
    ),
]
admin_api: list[URLPattern] = [
    path("suppressions/", suppressions.AgencyEntryList.as_view(), name="suppression-list"),
    path(
        "suppressions/<uuid:suppression_id>/",
        suppressions.AgencyEntryDetail.as_view(),
        name="suppression-detail",
    ),
]
