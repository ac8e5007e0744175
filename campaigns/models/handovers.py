"""Lists that were handed to Retell whole: one row for each request, with what became of it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet
from campaigns.models.dialling import BatchCall


class Handover(ClientOwned):
    """
    Up to 100 attempts of a launch that Retell dials by itself, from one number, in one time zone.

    Status: `filling` while attempts are added (nothing was sent, and nothing is after `lease_until`); `sent` until the answer is there,
    which is lost when `lease_until` is over; then `accepted`, or `unknown`: nobody knows whether
    Retell has the list, and it is never sent again. The ends: `over` (nobody of it waits any more),
    `refused` (Retell said no), `dropped` (never sent). Its attempts carry its id; each is `dialling`
    until Retell tells of its call. `window` is the calling time that went with it (empty: any hour).
    """

    class Status(models.TextChoices):
        FILLING = "filling", _("Being filled")
        SENT = "sent", _("Sent")
        ACCEPTED = "accepted", _("At Retell")
        UNKNOWN = "unknown", _("Unknown")
        OVER = "over", _("Over")
        REFUSED = "refused", _("Refused")
        DROPPED = "dropped", _("Never sent")

    OPEN = (Status.FILLING, Status.SENT, Status.ACCEPTED, Status.UNKNOWN)

    batch_call = models.ForeignKey(
        BatchCall, models.PROTECT, related_name="handovers", db_index=False
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.FILLING)
    from_number = models.CharField(max_length=16)
    window = models.JSONField(default=dict)
    tasks_count = models.PositiveIntegerField(default=0)
    provider_batch_id = models.CharField(max_length=80, blank=True)
    error = models.CharField(max_length=400, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)  # real time
    sent_at = models.DateTimeField(null=True, blank=True)
    looked_at = models.DateTimeField(null=True, blank=True)  # Retell was asked for its calls
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "batch_call"], name="handover_by_launch"),
            models.Index(fields=["status", "created_at"], name="handover_open"),
        ]

    def __str__(self) -> str:
        return self.provider_batch_id or str(self.status)
