"""Addresses of the campaigns room."""

from __future__ import annotations

from django.urls import URLPattern, path

from campaigns.views import (
    approvals,
    automation,
    calling_rules,
    calls,
    campaigns,
    dialling,
    follow_ups,
    launch,
    leads,
    line,
    lines,
    lists,
    live,
    numbers,
    parts,
    shares,
    stops,
    templates,
    top_up,
    workspace,
)
from campaigns.writing_urls import writing

_CAMPAIGN = "campaigns/<uuid:campaign_id>/"
_REQUEST = "launch-requests/<uuid:launch_request_id>/"
_TEMPLATE = "templates/<uuid:template_id>/"

client_face: tuple[list[URLPattern], str] = (
    [
        path("campaigns/", campaigns.campaign_list, name="campaign-list"),
        path("campaigns/bulk/", campaigns.campaign_bulk, name="campaign-bulk"),
        path("campaigns/compare/", lists.campaign_compare, name="campaign-compare"),
        path("campaigns/views/", lists.view_create, name="view-create"),
        path("campaigns/views/<uuid:view_id>/delete/", lists.view_delete, name="view-delete"),
        *writing,
        path(_CAMPAIGN, live.campaign_detail, name="campaign-detail"),
        path(f"{_CAMPAIGN}outlook/", parts.campaign_outlook, name="campaign-outlook"),
        path(f"{_CAMPAIGN}outlook/end/", parts.campaign_end, name="campaign-end"),
        path(f"{_CAMPAIGN}equipment/", parts.campaign_equipment, name="campaign-equipment"),
        path(f"{_CAMPAIGN}prepare/", campaigns.campaign_prepare, name="campaign-prepare"),
        path(f"{_CAMPAIGN}duplicate/", campaigns.campaign_duplicate, name="campaign-duplicate"),
        path(f"{_CAMPAIGN}archive/", campaigns.campaign_archive, name="campaign-archive"),
        path(f"{_CAMPAIGN}dialling/", dialling.campaign_dialling, name="campaign-dialling"),
        path(f"{_CAMPAIGN}leads/", live.campaign_leads, name="campaign-leads"),
        path(f"{_CAMPAIGN}line/", line.campaign_line, name="campaign-line"),
        path(
            f"{_CAMPAIGN}line/<uuid:enrolment_id>/<slug:change>/",
            line.line_change,
            name="line-change",
        ),
        path(f"{_CAMPAIGN}launch/", launch.campaign_launch, name="campaign-launch"),
        path(f"{_CAMPAIGN}launch/ask/", approvals.launch_ask, name="launch-ask"),
        path("launch-requests/", approvals.request_list, name="launch-request-list"),
        path("launch-requests/rule/", approvals.rule_edit, name="launch-rule"),
        path(_REQUEST, approvals.request_detail, name="launch-request"),
        path(f"{_REQUEST}approve/", approvals.request_approve, name="launch-approve"),
        path(f"{_REQUEST}decline/", approvals.request_decline, name="launch-decline"),
        path(f"{_REQUEST}withdraw/", approvals.request_withdraw, name="launch-withdraw"),
        path(f"{_CAMPAIGN}top-up/", top_up.campaign_top_up, name="campaign-top-up"),
        path(f"{_CAMPAIGN}pause/", live.campaign_pause, name="campaign-pause"),
        path(f"{_CAMPAIGN}resume/", live.campaign_resume, name="campaign-resume"),
        path(f"{_CAMPAIGN}stop/", live.campaign_stop, name="campaign-stop"),
        path("automation/", automation.rule_list, name="automation-list"),
        path("automation/new/", automation.rule_create, name="automation-create"),
        path("automation/<uuid:automation_id>/", automation.rule_detail, name="automation-detail"),
        path("automation/<uuid:automation_id>/edit/", automation.rule_edit, name="automation-edit"),
        path("automation/<uuid:automation_id>/test/", automation.rule_test, name="automation-test"),
        path(
            "automation/<uuid:automation_id>/switch/",
            automation.rule_switch,
            name="automation-switch",
        ),
        path("calling-rules/", calling_rules.calling_rules, name="calling-rules"),
        path("calling-rules/limits/", calling_rules.limits_edit, name="limits-edit"),
        path("calls/", calls.call_list, name="call-list"),
        path("calls/<uuid:call_id>/", calls.call_detail, name="call-detail"),
        path("calls/<uuid:call_id>/end/", stops.client_call_end, name="call-end"),
        path("calls/<uuid:call_id>/suppress/", calls.call_suppress, name="call-suppress"),
        path("calls/<uuid:call_id>/share/", shares.call_share, name="call-share"),
        path("shares/<uuid:share_id>/revoke/", shares.share_revoke, name="share-revoke"),
        path("may-we-call/", numbers.number_check, name="number-check"),
        path("may-we-call/pdf/", numbers.number_sheet, name="number-sheet"),
        path("follow-ups/", follow_ups.follow_up_list, name="follow-up-list"),
        path("follow-ups/rules/", follow_ups.follow_up_rules, name="follow-up-rules"),
        path(
            "follow-ups/rules/<uuid:follow_up_rule_id>/remove/",
            follow_ups.follow_up_rule_remove,
            name="follow-up-rule-remove",
        ),
        path(
            "follow-ups/<uuid:follow_up_id>/change/",
            follow_ups.follow_up_change,
            name="follow-up-change",
        ),
        path(
            "follow-ups/<uuid:follow_up_id>/close/",
            follow_ups.follow_up_close,
            name="follow-up-close",
        ),
        path(
            "leads/<uuid:lead_id>/follow-up/",
            follow_ups.follow_up_create,
            name="follow-up-create",
        ),
        path("leads/<uuid:lead_id>/", leads.lead_detail, name="lead-detail"),
        path("leads/<uuid:lead_id>/suppress/", leads.lead_suppress, name="lead-suppress"),
    ],
    "campaigns",
)
agency_face: tuple[list[URLPattern], str] = (
    [
        path("lines/", lines.line_list, name="line-list"),
        path("lines/<uuid:client_id>/", lines.line_share, name="line-share"),
        path("templates/", templates.template_list, name="template-list"),
        path("templates/new/", templates.template_create, name="template-create"),
        path(_TEMPLATE, templates.template_detail, name="template-detail"),
        path(f"{_TEMPLATE}dialling/", templates.template_dialling, name="template-dialling"),
        path(f"{_TEMPLATE}offer/", templates.template_offer, name="template-offer"),
        path(f"{_TEMPLATE}withdraw/", templates.template_withdraw, name="template-withdraw"),
        path("retell/", workspace.workspace, name="workspace"),
        path("retell/repair/", workspace.workspace_repair, name="workspace-repair"),
        path("live/", stops.live, name="live"),
        path("live/calls/", stops.live_call_list, name="live-calls"),
        path("live/stop/", stops.stop_everything, name="stop-everything"),
        path("live/resume/", stops.resume_everything, name="resume-everything"),
        path("live/halted/<slug:reason>/resume/", stops.resume_halted, name="resume-halted"),
        path("live/clients/<uuid:client_id>/stop/", stops.stop_client, name="stop-client"),
        path("live/clients/<uuid:client_id>/resume/", stops.resume_client, name="resume-client"),
        path("live/calls/<uuid:call_id>/end/", stops.call_end, name="call-end"),
        path("calls/<uuid:call_id>/suppress/", calls.agency_call_suppress, name="call-suppress"),
        path("rules/", calling_rules.rule_list, name="rule-list"),
        path("rules/<str:rule_id>/", calling_rules.rule_detail, name="rule-detail"),
        path("rules/<str:rule_id>/review/", calling_rules.rule_review, name="rule-review"),
    ],
    "agency-campaigns",
)
public: list[URLPattern] = [
    path("shared/calls/<str:token>/", shares.shared_call, name="shared-call")
]
