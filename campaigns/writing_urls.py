"""Addresses of the pages on which campaigns and what belongs to them are written."""

from __future__ import annotations

from django.urls import URLPattern, path

from campaigns.views import (
    creation,
    experiments,
    knowledge,
    questions,
    samples,
    trial,
    trial_calls,
    variables,
    versions,
    wizard,
)

_CAMPAIGN = "campaigns/<uuid:campaign_id>/"
_BASE = "knowledge/<uuid:base_id>/"

writing: list[URLPattern] = [
    path("campaigns/new/", creation.campaign_create, name="campaign-create"),
    path(f"{_CAMPAIGN}edit/", wizard.campaign_edit, name="campaign-edit"),
    path(f"{_CAMPAIGN}edit/<slug:step>/", wizard.campaign_step, name="campaign-step"),
    path(f"{_CAMPAIGN}script-check/", wizard.script_check, name="script-check"),
    path(f"{_CAMPAIGN}chat/", trial.campaign_chat, name="campaign-chat"),
    path(f"{_CAMPAIGN}test-call/", trial_calls.trial_call, name="trial-call"),
    path(f"{_CAMPAIGN}test-call/<uuid:trial_id>/", trial_calls.trial_state, name="trial-state"),
    path(f"{_CAMPAIGN}variables/", variables.campaign_variables, name="campaign-variables"),
    path(f"{_CAMPAIGN}versions/", versions.version_list, name="campaign-versions"),
    path(f"{_CAMPAIGN}versions/<int:number>/", versions.version_detail, name="campaign-version"),
    path(
        f"{_CAMPAIGN}versions/<int:number>/take-up/",
        versions.version_take_up,
        name="campaign-version-take-up",
    ),
    path(
        f"{_CAMPAIGN}versions/<int:number>/restore/",
        versions.version_restore,
        name="campaign-restore",
    ),
    path(f"{_CAMPAIGN}experiments/", experiments.experiment_list, name="experiment-list"),
    path(
        f"{_CAMPAIGN}experiments/<uuid:experiment_id>/",
        experiments.experiment_detail,
        name="experiment-detail",
    ),
    path(
        f"{_CAMPAIGN}experiments/<uuid:experiment_id>/stop/",
        experiments.experiment_stop,
        name="experiment-stop",
    ),
    path(
        f"{_CAMPAIGN}experiments/<uuid:experiment_id>/retry/",
        experiments.experiment_retry,
        name="experiment-retry",
    ),
    path("voices/<str:voice_id>/sample/", samples.voice_sample, name="voice-sample"),
    path("knowledge/", knowledge.knowledge_list, name="knowledge-list"),
    path("knowledge/new/", knowledge.knowledge_create, name="knowledge-create"),
    path(_BASE, knowledge.knowledge_detail, name="knowledge-detail"),
    path(f"{_BASE}add/<slug:kind>/", knowledge.source_add, name="knowledge-source-add"),
    path(
        f"{_BASE}remove/<uuid:source_id>/",
        knowledge.source_remove,
        name="knowledge-source-remove",
    ),
    path(f"{_BASE}index/", knowledge.knowledge_index, name="knowledge-index"),
    path(f"{_BASE}revise/", knowledge.knowledge_revise, name="knowledge-revise"),
    path(f"{_BASE}refresh/", knowledge.knowledge_refresh, name="knowledge-refresh"),
    path(f"{_BASE}use/", knowledge.knowledge_use, name="knowledge-use"),
    path(f"{_BASE}archive/", knowledge.knowledge_archive, name="knowledge-archive"),
    path(f"{_BASE}ask/", knowledge.knowledge_ask, name="knowledge-ask"),
    path(f"{_BASE}questions/", questions.question_keep, name="question-keep"),
    path(f"{_BASE}questions/ask/", questions.questions_ask, name="questions-ask"),
    path(
        f"{_BASE}questions/<uuid:question_id>/drop/", questions.question_drop, name="question-drop"
    ),
]
