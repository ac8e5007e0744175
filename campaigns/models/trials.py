"""Calls to a phone of one's own, to hear a version before anybody else does."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet
from campaigns.models.campaign import Campaign


class TrialCall(ClientOwned):
    """
    One test call: its id is the idempotency key at Retell, and the cause of its hold and reservation.

    Status: `queued` (a worker sends it), `dialling` (sent, or about to be), `unknown` (no readable
    answer: it may be ringing), then `placed` (the Call tells the rest) or `refused` (nothing rang;
    `error` says why, the seconds were given back). `key` is the form's, `request` what was sent.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        DIALLING = "dialling", _("Dialling")
        UNKNOWN = "unknown", _("Unknown")
        PLACED = "placed", _("Placed")
        REFUSED = "refused", _("Not placed")

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="+", db_index=False)
    version_id = models.UUIDField()
    key = models.UUIDField(unique=True)
    phone_number = models.CharField(max_length=16)
    from_number = models.CharField(max_length=16)
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    held_seconds = models.PositiveIntegerField(default=0)
    decision = models.JSONField(default=dict)
    request = models.JSONField(default=dict)
    call_id = models.UUIDField(null=True, blank=True)
    error = models.CharField(max_length=400, blank=True)
    asked_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "campaign", "-created_at"], name="trial_by_campaign"),
            models.Index(fields=["client", "-created_at"], name="trial_by_age"),
            models.Index(fields=["status", "created_at"], name="trial_unsettled"),
        ]

    def __str__(self) -> str:
        return self.phone_number
