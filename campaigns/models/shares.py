"""Links by which somebody without an account reads or hears one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from accounts.models import ClientOwned, ClientOwnedQuerySet
from telephony.models import Call

if TYPE_CHECKING:
    from datetime import datetime


class CallShare(ClientOwned):
    """
    One link to one call; real time, since whoever opens it lives in that.

    The link itself isn't kept: it is the row's id under our signature. It leads nowhere from
    `expires_at` on, or once `revoked_at` is set. `opened_count` counts how often the page was shown.
    """

    call = models.ForeignKey(Call, models.CASCADE, related_name="+", db_index=False)
    shows_transcript = models.BooleanField(default=True)
    shows_recording = models.BooleanField(default=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    opened_count = models.PositiveIntegerField(default=0)
    last_opened_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "call", "-created_at"], name="share_by_call"),
        ]

    def __str__(self) -> str:
        return f"{self.call_id}, until {self.expires_at:%Y-%m-%d}"

    def is_open(self, real_now: datetime) -> bool:
        """Tell whether the link leads somewhere at this instant."""
        return self.revoked_at is None and self.expires_at > real_now
