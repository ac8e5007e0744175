"""Addresses of the pages on which campaigns and what belongs to them are written."""

from __future__ import annotations

from django.urls import URLPattern, path

from campaigns.views import creation, versions, wizard

_CAMPAIGN = "campaigns/<uuid:campaign_id>/"

writing: list[URLPattern] = [
    path("campaigns/new/", creation.campaign_create, name="campaign-create"),
    path(f"{_CAMPAIGN}edit/", wizard.campaign_edit, name="campaign-edit"),
    path(f"{_CAMPAIGN}edit/<slug:step>/", wizard.campaign_step, name="campaign-step"),
    path(f"{_CAMPAIGN}script-check/", wizard.script_check, name="script-check"),
    path(f"{_CAMPAIGN}versions/", versions.version_list, name="campaign-versions"),
    path(f"{_CAMPAIGN}versions/<int:number>/", versions.version_detail, name="campaign-version"),
    path(
        f"{_CAMPAIGN}versions/<int:number>/restore/",
        versions.version_restore,
        name="campaign-restore",
    ),
]
