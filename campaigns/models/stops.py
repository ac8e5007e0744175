"""The kill switch: whether calls may be placed at all, and for each client."""

from __future__ import annotations

from django.db import models

from accounts.models import Client
from convomono.lib.models import BaseModel


class DialGate(BaseModel):
    """
    What every dial passes: one row for everything, and one for each client that was ever called.

    `key` is "everything" or "client:<id>". A dial is written here (`last_dialled_at`) under the
    condition that the gate is open, in the transaction before the network: a stop and a dial collide
    in the database, and what stands here when the gate is closed is the receipt. `reason` is what
    the person wrote, `in_progress_count` the calls that went on then.
    """

    EVERYTHING = "everything"

    key = models.CharField(max_length=48, unique=True)
    client = models.ForeignKey(
        Client, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    is_open = models.BooleanField(default=True)
    last_dialled_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by_email = models.CharField(max_length=254, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    in_progress_count = models.PositiveIntegerField(default=0)
    reopened_at = models.DateTimeField(null=True, blank=True)
    reopened_by_email = models.CharField(max_length=254, blank=True)

    def __str__(self) -> str:
        return self.key
