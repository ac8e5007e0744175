"""Campaigns, their launches and attempts in the back office; services make every change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from unfold.admin import TabularInline

from campaigns.models import (
    Attempt,
    BatchCall,
    CallingWindow,
    Campaign,
    CampaignVersion,
    DispatcherLease,
    Enrolment,
    KnowledgeBase,
    KnowledgeSource,
    RetryPolicy,
)
from convomono.lib.back_office import ReadOnlyAdmin

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
    fields = [
        "max_attempts",
        "busy_delay_seconds",
        "no_answer_delay_seconds",
        "voicemail_delay_seconds",
        "technical_delay_seconds",
        "gap_seconds",
    ]


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
    inlines = [CallingWindowInline, RetryPolicyInline]


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


@admin.register(BatchCall)
class BatchCallAdmin(ReadOnlyAdmin):
    """Launches, with their leads by status."""

    list_display = [
        "campaign",
        "client",
        "status",
        "tasks_count",
        "queued_count",
        "in_call_count",
        "done_count",
        "launched_by_email",
        "created_at",
    ]
    list_filter = ["status", "client"]
    list_select_related = ["campaign", "client"]
    search_fields = ["campaign__name", "launched_by_email"]
    ordering = ["-created_at", "-pk"]


@admin.register(Enrolment)
class EnrolmentAdmin(ReadOnlyAdmin):
    """Leads in campaigns, with the latest decision on each."""

    list_display = [
        "phone_number",
        "campaign",
        "client",
        "status",
        "attempts_count",
        "waiting_reason",
        "next_attempt_at",
    ]
    list_filter = ["status", "client"]
    list_select_related = ["campaign", "client"]
    search_fields = ["phone_number"]
    ordering = ["-created_at", "-pk"]
    show_full_result_count = False


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    """Each try to call somebody, with the decision that allowed or denied it."""

    list_display = ["phone_number", "number", "client", "status", "outcome_class", "created_at"]
    list_filter = ["status", "outcome_class", "client"]
    list_select_related = ["client"]
    search_fields = ["phone_number", "provider_call_id"]
    ordering = ["-created_at", "-pk"]
    show_full_result_count = False


@admin.register(DispatcherLease)
class DispatcherLeaseAdmin(ReadOnlyAdmin):
    """Who dials at this moment."""

    list_display = ["name", "holder", "renewed_at", "expires_at"]
