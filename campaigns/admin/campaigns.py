"""Campaigns, what belongs to them and the rules about them, in the back office."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from unfold.admin import TabularInline

from campaigns.models import (
    AutomationRule,
    CallingWindow,
    Campaign,
    CampaignTemplate,
    CampaignVersion,
    ClientLimits,
    ClientShare,
    Experiment,
    FollowUpRule,
    KnowledgeAnswer,
    KnowledgeBase,
    KnowledgeQuestion,
    KnowledgeSource,
    LaunchRule,
    RetryPolicy,
    RuleReview,
    SafetyPolicy,
    ScriptVariable,
    TemplateVersion,
    TopUp,
)
from convomono.lib.back_office import ReadOnlyAdmin, RecordAdmin

if TYPE_CHECKING:
    from django.http import HttpRequest


class _ReadOnlyInline(TabularInline):
    """Rows beside their owner, to look at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CallingWindowInline(_ReadOnlyInline):
    model = CallingWindow
    fields = ["weekdays", "opens_minute", "closes_minute", "is_any_hour"]


class RetryPolicyInline(_ReadOnlyInline):
    model = RetryPolicy
    verbose_name_plural = "retry policies"
    fields = [
        "max_attempts",
        "busy_delay_seconds",
        "no_answer_delay_seconds",
        "voicemail_delay_seconds",
        "technical_delay_seconds",
        "gap_seconds",
    ]


class SafetyPolicyInline(_ReadOnlyInline):
    model = SafetyPolicy
    verbose_name_plural = "safety policies"
    exclude = ["client"]


class TopUpInline(_ReadOnlyInline):
    model = TopUp
    exclude = ["client"]


class ScriptVariableInline(_ReadOnlyInline):
    model = ScriptVariable
    exclude = ["client"]


class TemplateVersionInline(_ReadOnlyInline):
    model = TemplateVersion
    fields = ["number", "made_by_email", "made_at"]


class KnowledgeSourceInline(_ReadOnlyInline):
    model = KnowledgeSource
    fields = ["title", "kind", "size_bytes", "created_at"]


@admin.register(Campaign)
class CampaignAdmin(ReadOnlyAdmin):
    """Every client's campaigns."""

    list_display = ["name", "client", "status", "published_version", "created_at", "updated_at"]
    list_filter = ["status", "client"]
    list_select_related = ["client"]
    search_fields = ["name", "goal"]
    ordering = ["-created_at", "-pk"]
    inlines = [
        CallingWindowInline,
        RetryPolicyInline,
        ScriptVariableInline,
        SafetyPolicyInline,
        TopUpInline,
    ]


@admin.register(CampaignVersion)
class CampaignVersionAdmin(ReadOnlyAdmin):
    """What calls were made with."""

    list_display = ["name", "number", "client", "provider_agent_version", "published_at"]
    list_filter = ["client"]
    list_select_related = ["client"]
    search_fields = ["name", "provider_agent_id"]
    ordering = ["-published_at", "-pk"]


@admin.register(KnowledgeBase)
class KnowledgeBaseAdmin(ReadOnlyAdmin):
    """What agents may look up, as Retell has indexed it."""

    list_display = ["name", "client", "status", "provider_id", "created_at"]
    list_filter = ["status", "client"]
    list_select_related = ["client"]
    search_fields = ["name", "provider_id"]
    ordering = ["-created_at", "-pk"]
    inlines = [KnowledgeSourceInline]


@admin.register(CampaignTemplate)
class CampaignTemplateAdmin(RecordAdmin):
    """Templates that the agency offers, with their versions."""

    list_display = ["name", "status", "number", "only_for", "created_by_email", "changed_at"]
    list_filter = ["status"]
    list_select_related = ["only_for"]
    search_fields = ["name", "only_for__name"]
    inlines = [TemplateVersionInline]


@admin.register(Experiment)
class ExperimentAdmin(RecordAdmin):
    """Trials of another script, opening line or voice."""

    list_display = ["created_at", "campaign", "client", "part", "status", "winner"]
    list_filter = ["status", "part"]
    list_select_related = ["campaign", "client"]
    search_fields = ["campaign__name", "client__name"]


@admin.register(LaunchRule)
class LaunchRuleAdmin(RecordAdmin):
    """Which clients want two people for a launch."""

    list_display = ["client", "is_active", "above_seconds", "changed_by_email", "changed_at"]
    list_filter = ["is_active"]
    list_select_related = ["client"]
    search_fields = ["client__name"]


@admin.register(FollowUpRule)
class FollowUpRuleAdmin(RecordAdmin):
    """After which calls promises are made by themselves."""

    list_display = ["client", "campaign", "outcome", "delay_seconds", "assignee", "is_active"]
    list_filter = ["outcome", "is_active"]
    list_select_related = ["client", "campaign", "assignee"]
    search_fields = ["client__name", "note"]


@admin.register(AutomationRule)
class AutomationRuleAdmin(RecordAdmin):
    """What is done by itself after a call."""

    list_display = ["name", "client", "campaign", "action", "is_active", "activated_at"]
    list_filter = ["action", "is_active"]
    list_select_related = ["client", "campaign"]
    search_fields = ["name", "client__name"]


@admin.register(ClientLimits)
class ClientLimitsAdmin(RecordAdmin):
    """Limits that clients set themselves, over all campaigns."""

    plural = "client limits"
    list_display = [
        "client",
        "calls_per_day",
        "calls_per_week",
        "gap_seconds",
        "opens_minute",
        "closes_minute",
        "changed_by_email",
        "changed_at",
    ]
    list_select_related = ["client"]
    search_fields = ["client__name"]


@admin.register(ClientShare)
class ClientShareAdmin(RecordAdmin):
    """How many lines a client has when lines are short."""

    list_display = ["client", "weight", "least_lines", "changed_by_email", "changed_at"]
    list_select_related = ["client"]
    search_fields = ["client__name"]


@admin.register(RuleReview)
class RuleReviewAdmin(RecordAdmin):
    """Who has looked at which calling rule."""

    list_display = [
        "reviewed_on",
        "rule_id",
        "rule_version",
        "reviewed_by_name",
        "reviewed_by_email",
    ]
    search_fields = ["rule_id", "reviewed_by_email"]


@admin.register(KnowledgeQuestion)
class KnowledgeQuestionAdmin(RecordAdmin):
    """What people try knowledge bases with."""

    list_display = ["text", "client", "family_id", "created_by_email", "created_at"]
    list_select_related = ["client"]
    search_fields = ["text", "client__name"]


@admin.register(KnowledgeAnswer)
class KnowledgeAnswerAdmin(RecordAdmin):
    """What versions of knowledge bases answered to kept questions."""

    list_display = ["question", "knowledge_base", "client", "status", "ordered_at", "answered_at"]
    list_select_related = ["question", "knowledge_base", "client"]
    list_filter = ["status"]
    search_fields = ["question__text", "client__name"]
