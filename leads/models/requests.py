"""What programs asked for under a key of theirs, so that asking again changes nothing."""

from __future__ import annotations

from django.db import models

from accounts.models import ClientOwned, ClientOwnedQuerySet


class LeadRequest(ClientOwned):
    """
    One lead that a program added with an `Idempotency-Key`: which, and whether it was new then.

    `body_hash` is the keyed hash of what was sent. Kept for a week.
    """

    key = models.CharField(max_length=100)
    body_hash = models.CharField(max_length=32)
    lead_id = models.UUIDField()
    is_new = models.BooleanField()
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "key"], name="lead_request_once"),
        ]
        indexes = [models.Index(fields=["client", "lead_id"], name="lead_request_by_lead")]

    def __str__(self) -> str:
        return str(self.lead_id)
