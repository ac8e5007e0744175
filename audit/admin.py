"""The audit log in the back office: to read, never to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from unfold.admin import ModelAdmin

from audit.actions import SENTENCES
from audit.models import AuditLog

if TYPE_CHECKING:
    from django.http import HttpRequest


class ReadOnlyAdmin(ModelAdmin):
    """Rows that the back office shows and nobody edits there."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    """Who did what; searched by person and resource."""

    list_display = ["created_at", "user_email", "sentence", "resource_type", "resource"]
    list_filter = ["action", "user_type"]
    search_fields = ["user_email", "resource", "action"]
    ordering = ["-created_at", "pk"]
    show_full_result_count = False

    @admin.display(description="action", ordering="action")
    def sentence(self, row: AuditLog) -> str:
        return str(SENTENCES.get(row.action, row.action))
