"""The audit log in the back office: to read, never to change."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from import_export.admin import ExportMixin
from unfold.contrib.import_export.forms import ExportForm

from audit.actions import SENTENCES
from audit.models import AuditLog
from audit.resources import AuditLogResource
from convomono.lib.back_office import ReadOnlyAdmin


@admin.register(AuditLog)
class AuditLogAdmin(ExportMixin, ReadOnlyAdmin):
    """Who did what, in whose place; searched by either, by client and resource; exported as filtered."""

    resource_classes = [AuditLogResource]
    export_form_class = ExportForm
    list_display = [
        "created_at",
        "user_email",
        "impersonator_email",
        "sentence",
        "resource_type",
        "resource",
    ]
    list_filter = ["action", "user_type"]
    search_fields = ["user_email", "impersonator_email", "client_id__exact", "resource", "action"]
    search_help_text = _("An address of either person, a client's id, a resource, an action.")
    ordering = ["-created_at", "pk"]
    show_full_result_count = False

    @admin.display(description="action", ordering="action")
    def sentence(self, row: AuditLog) -> str:
        return str(SENTENCES.get(row.action, row.action))
