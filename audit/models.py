"""The audit log: rows that outlive whom and what they are about."""

from __future__ import annotations

from django.db import models

from convomono.lib.models import AppendOnly, AppendOnlyQuerySet


class AuditLog(AppendOnly):
    """
    One thing that somebody did: who, as whom, what, to which row, when.

    It keeps copies and no foreign keys, so that it survives the user and the resource. `client_id`
    is the tenant it concerns, empty for the agency's own affairs; `details` holds what changed and
    never a secret.
    """

    user_id = models.UUIDField(null=True)
    user_email = models.CharField(max_length=254, blank=True)
    user_type = models.CharField(max_length=16)
    impersonator_id = models.UUIDField(null=True)
    impersonator_email = models.CharField(max_length=254, blank=True)
    client_id = models.UUIDField(null=True)
    action = models.CharField(max_length=64)
    resource_type = models.CharField(max_length=64)
    resource_id = models.UUIDField(null=True)
    resource = models.CharField(max_length=200)
    details = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client_id", "-created_at"], name="audit_by_client"),
            models.Index(fields=["resource_id", "-created_at"], name="audit_by_resource"),
            models.Index(fields=["user_id", "-created_at"], name="audit_by_user"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.resource}"
