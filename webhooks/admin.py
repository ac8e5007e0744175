"""The inbox in the back office: to read, never to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from convomono.lib.back_office import ReadOnlyAdmin, RecordAdmin
from webhooks.models import Endpoint, EndpointDelivery, ReplayRun, WebhookEvent
from webhooks.queries import redacted_body

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    """Each event as it arrived; the monitor replays those that failed."""

    list_display = ["created_at", "event_type", "provider_call_id", "status", "attempts", "error"]
    list_filter = ["status", "event_type", "source"]
    search_fields = ["provider_call_id"]
    fields = [
        "key",
        "event_type",
        "provider_call_id",
        "source",
        "status",
        "attempts",
        "next_try_at",
        "error",
        "created_at",
        "processed_at",
        "redacted",
    ]
    readonly_fields = ["redacted"]
    ordering = ["-created_at", "-pk"]
    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEvent]:
        rows: QuerySet[WebhookEvent] = super().get_queryset(request)
        return rows.defer("body")

    @admin.display(description="body")
    def redacted(self, event: WebhookEvent) -> str:
        return redacted_body(event)


@admin.register(Endpoint)
class EndpointAdmin(RecordAdmin):
    """Addresses of clients" own systems, without what signs their messages."""

    list_display = [
        "url",
        "client",
        "status",
        "failing_since",
        "off_since",
        "removed_at",
        "created_at",
    ]
    list_filter = ["status"]
    list_select_related = ["client"]
    search_fields = ["url", "description", "client__name"]
    exclude = ["secret", "previous_secret"]


@admin.register(EndpointDelivery)
class EndpointDeliveryAdmin(RecordAdmin):
    """Each event on its way to an address."""

    plural = "endpoint deliveries"
    list_display = [
        "created_at",
        "client",
        "endpoint",
        "kind",
        "status",
        "attempts",
        "next_try_at",
        "last_error",
    ]
    list_filter = ["status", "kind"]
    list_select_related = ["client", "endpoint"]
    search_fields = ["key", "endpoint__url", "client__name"]


@admin.register(ReplayRun)
class ReplayRunAdmin(RecordAdmin):
    """Replays that somebody asked for."""

    list_display = [
        "created_at",
        "kind",
        "is_dry_run",
        "status",
        "events_count",
        "differing_count",
        "failed_count",
        "asked_by_email",
    ]
    list_filter = ["status", "kind"]
    search_fields = ["asked_by_email", "provider_call_id"]
    ordering = ["-created_at", "pk"]
