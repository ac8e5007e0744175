"""The audit log in the back office: to read, never to change."""

from __future__ import annotations

from django.contrib import admin

from audit.actions import SENTENCES
from audit.models import AuditLog
from convomono.lib.back_office import ReadOnlyAdmin


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
