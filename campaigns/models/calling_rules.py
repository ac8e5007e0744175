"""What people add to the calling rules: a client's own tighter limits, and word of a review."""

from __future__ import annotations

from django.db import models

from accounts.models import ClientOwned, ClientOwnedQuerySet
from convomono.lib.models import BaseModel


class ClientLimits(ClientOwned):
    """
    What a client sets for all its campaigns, tighter than the calling rules; one row a client.

    Minutes count from local midnight of the person called, `weekdays` from Monday 0. A cap or gap
    of 0 is none of its own. `wake_asked_at` stands until who waits for the limits as they were has been
    decided on anew.
    """

    weekdays = models.JSONField(default=list)
    opens_minute = models.PositiveIntegerField(default=0)
    closes_minute = models.PositiveIntegerField(default=24 * 60)
    calls_per_day = models.PositiveIntegerField(default=0)
    calls_per_week = models.PositiveIntegerField(default=0)
    gap_seconds = models.PositiveIntegerField(default=0)
    changed_by_email = models.CharField(max_length=254)
    changed_at = models.DateTimeField()
    wake_asked_at = models.DateTimeField(null=True, blank=True, db_index=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client"], name="limits_once")]

    def __str__(self) -> str:
        return f"{self.opens_minute}–{self.closes_minute}"


class RuleReview(BaseModel):
    """Somebody's word that one version of a calling rule was reviewed; a changed rule needs another."""

    rule_id = models.CharField(max_length=64)
    rule_version = models.PositiveIntegerField()
    reviewed_by_email = models.CharField(max_length=254)
    reviewed_by_name = models.CharField(max_length=120)
    reviewed_on = models.DateField()
    note = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule_id", "rule_version"], name="review_once"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} v{self.rule_version}"
