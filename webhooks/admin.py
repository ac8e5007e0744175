"""The inbox in the back office: to read, never to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from convomono.lib.back_office import ReadOnlyAdmin
from webhooks.models import WebhookEvent
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
