"""API addresses of the campaigns room."""

from __future__ import annotations

from django.urls import URLPattern, path

from campaigns.api import records, views

_CAMPAIGN = "campaigns/<uuid:campaign_id>/"

client_api: list[URLPattern] = [
    path("campaigns/", views.CampaignList.as_view(), name="campaign-list"),
    path(_CAMPAIGN, views.CampaignDetail.as_view(), name="campaign-detail"),
    path(f"{_CAMPAIGN}prepare/", views.CampaignPrepare.as_view(), name="campaign-prepare"),
    path(f"{_CAMPAIGN}launch/", views.CampaignLaunch.as_view(), name="campaign-launch"),
    path(f"{_CAMPAIGN}pause/", views.CampaignPause.as_view(), name="campaign-pause"),
    path(f"{_CAMPAIGN}resume/", views.CampaignResume.as_view(), name="campaign-resume"),
    path(f"{_CAMPAIGN}stop/", views.CampaignStop.as_view(), name="campaign-stop"),
    path("calls/", records.CallList.as_view(), name="call-list"),
    path("calls/<uuid:call_id>/", records.CallDetail.as_view(), name="call-detail"),
    path("leads/", records.LeadList.as_view(), name="lead-list"),
    path("leads/<uuid:lead_id>/", records.LeadDetail.as_view(), name="lead-detail"),
]
admin_api: list[URLPattern] = []
