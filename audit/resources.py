"""Export of the audit log in the back office."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from import_export import fields, resources

from audit.models import AuditLog
from convomono.lib.csvio import safe_cell

if TYPE_CHECKING:
    from django.db.models import Model


class AuditLogResource(resources.ModelResource):
    """The log as it stands, cells safe for spreadsheets: names in it are what people typed."""

    log_id = fields.Field("id", "log_id", readonly=True)

    class Meta:
        model = AuditLog
        fields = (
            "log_id",
            "created_at",
            "user_email",
            "user_type",
            "impersonator_email",
            "client_id",
            "action",
            "resource_type",
            "resource_id",
            "resource",
            "details",
        )
        export_order = fields

    def export_field(self, field: fields.Field, instance: Model, **kwargs: Any) -> Any:
        return safe_cell(super().export_field(field, instance, **kwargs))
