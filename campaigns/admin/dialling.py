"""Launches, calls and what follows from them in the back office; services make every change."""

from __future__ import annotations

from django.contrib import admin

from campaigns.models import (
    Attempt,
    AutomationRun,
    BatchCall,
    CallShare,
    DialGate,
    DispatcherLease,
    Enrolment,
    FollowUp,
    Handover,
    LaunchRequest,
    PersonPace,
    TrialCall,
)
from convomono.lib.back_office import ReadOnlyAdmin, RecordAdmin


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


@admin.register(LaunchRequest)
class LaunchRequestAdmin(RecordAdmin):
    """Launches that wait for a second person, and what became of the others."""

    list_display = [
        "asked_at",
        "campaign",
        "client",
        "status",
        "seconds",
        "asked_by_email",
        "decided_by_email",
    ]
    list_filter = ["status"]
    list_select_related = ["campaign", "client"]
    search_fields = ["campaign__name", "client__name", "asked_by_email"]
    exclude = ["cost_micros", "fingerprint", "live_key"]


@admin.register(Handover)
class HandoverAdmin(RecordAdmin):
    """Lists that were handed to Retell whole."""

    list_display = [
        "created_at",
        "client",
        "batch_call",
        "status",
        "from_number",
        "tasks_count",
        "provider_batch_id",
        "error",
    ]
    list_filter = ["status"]
    list_select_related = ["client", "batch_call__campaign"]
    search_fields = ["provider_batch_id", "from_number", "client__name"]


@admin.register(TrialCall)
class TrialCallAdmin(RecordAdmin):
    """Calls that people made to try a campaign."""

    list_display = [
        "created_at",
        "campaign",
        "client",
        "status",
        "phone_number",
        "asked_by_email",
        "error",
    ]
    list_filter = ["status"]
    list_select_related = ["campaign", "client"]
    search_fields = ["phone_number", "campaign__name", "asked_by_email"]


@admin.register(FollowUp)
class FollowUpAdmin(RecordAdmin):
    """What was promised about leads."""

    list_display = ["due_at", "client", "lead", "status", "assignee", "note", "created_by_email"]
    list_filter = ["status"]
    list_select_related = ["client", "lead", "assignee"]
    search_fields = ["lead__phone_number", "client__name", "note"]


@admin.register(AutomationRun)
class AutomationRunAdmin(RecordAdmin):
    """Each rule on each call."""

    list_display = ["created_at", "client", "rule", "status", "due_at", "tries_count", "result"]
    list_filter = ["status"]
    list_select_related = ["client", "rule"]
    search_fields = ["rule__name", "client__name", "attempt_id__exact"]


@admin.register(CallShare)
class CallShareAdmin(RecordAdmin):
    """Links by which somebody without an account reads or hears a call."""

    list_display = [
        "created_at",
        "client",
        "call",
        "expires_at",
        "revoked_at",
        "opened_count",
        "created_by_email",
    ]
    list_select_related = ["client", "call"]
    search_fields = ["client__name", "call__provider_call_id", "created_by_email"]


@admin.register(DialGate)
class DialGateAdmin(RecordAdmin):
    """Where dialling is stopped, and by whom."""

    list_display = [
        "key",
        "client",
        "is_open",
        "in_progress_count",
        "last_dialled_at",
        "stopped_at",
        "stopped_by_email",
        "reason",
    ]
    list_filter = ["is_open"]
    list_select_related = ["client"]
    search_fields = ["key", "client__name"]
    ordering = ["key"]


@admin.register(PersonPace)
class PersonPaceAdmin(RecordAdmin):
    """When a number was called last, over all clients."""

    list_display = ["phone_number", "changed_at", "attempt_id"]
    search_fields = ["phone_number"]
