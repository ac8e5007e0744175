"""The inbox: each event as it arrived, and what became of it."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import models
from django.utils.translation import gettext_lazy as _

from convomono.lib.models import BaseModel


class WebhookEvent(BaseModel):
    """
    One event of the voice platform, stored before it is acknowledged.

    `key` makes a delivery that comes twice one row. Status: `pending` waits for the drain, `parked`
    for a call nobody knows yet, `orphan` waited three days for one, `applied` took effect, `ignored`
    is of no concern, `dead` failed five times or can't be read. `body` is the raw request, as it was signed; with source `sweep`
    it is the call as we fetched it, because its news never came.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("Waiting")
        PARKED = "parked", _("Parked")
        ORPHAN = "orphan", _("Nobody's call")
        APPLIED = "applied", _("Applied")
        IGNORED = "ignored", _("Ignored")
        DEAD = "dead", _("Failed")

    class Source(models.TextChoices):
        DELIVERY = "delivery", _("Delivered")
        SWEEP = "sweep", _("Fetched")

    key = models.CharField(max_length=200, unique=True)
    event_type = models.CharField(max_length=64)
    provider_call_id = models.CharField(max_length=100, blank=True)
    source = models.CharField(max_length=8, choices=Source, default=Source.DELIVERY)
    body = models.TextField()
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    error = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["status", "next_try_at", "created_at"], name="event_due"),
            models.Index(fields=["provider_call_id", "created_at"], name="event_by_call"),
            models.Index(fields=["-created_at"], name="event_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.provider_call_id}"

    @property
    def processed(self) -> bool:
        """The seed's field: applied or ignored."""
        return self.processed_at is not None

    @property
    def payload(self) -> Any:
        """The seed's field: the body, parsed."""
        return orjson.loads(self.body)
