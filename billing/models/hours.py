"""What a client used in an hour."""

from __future__ import annotations

from django.db import models

from accounts.models import ClientOwned, ClientOwnedQuerySet


class UsedHour(ClientOwned):
    """
    The seconds that a client's calls were billed in one hour (UTC, by when their lines were written).

    It moves in the block of each line that bills, and is kept for some days: what a balance lasts
    for is told by it. Refunds take nothing from it.
    """

    hour_at = models.DateTimeField()
    seconds = models.BigIntegerField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "hour_at"], name="used_hour_once"),
        ]
        indexes = [models.Index(fields=["hour_at"], name="used_hour_by_age")]

    def __str__(self) -> str:
        return f"{self.hour_at:%Y-%m-%d %H}: {self.seconds} s"
