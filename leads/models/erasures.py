"""People who were erased: what still has to be gone through for what is left of them."""

from __future__ import annotations

from django.db import models

from accounts.models import ClientOwned, ClientOwnedQuerySet


class Erasure(ClientOwned):
    """
    One erased person: the lead's id, and the keyed hash by which their number is known in stored files.

    `done_at` is empty while files of imports may still hold a row of theirs; then the hash goes too.
    `counts` says what was cleaned. Other rooms clean their own rows of the lead (webhooks, reporting) for as long as one is young.
    """

    lead_id = models.UUIDField()
    number_hash = models.CharField(max_length=16, blank=True)
    counts = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "lead_id"], name="erasure_once"),
        ]
        indexes = [models.Index(fields=["client", "-created_at"], name="erasure_by_age")]

    def __str__(self) -> str:
        return str(self.lead_id)
