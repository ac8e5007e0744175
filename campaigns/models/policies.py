"""How a campaign dials by itself: when it stops, how fast it may go, and when new leads are launched."""

from __future__ import annotations

from django.core.validators import MaxValueValidator
from django.db import models

from accounts.models import ClientOwned, ClientOwnedQuerySet
from campaigns.models.campaign import Campaign

PERCENT = (MaxValueValidator(100),)


class SafetyPolicy(ClientOwned):
    """
    When a campaign stops dialling by itself (its circuit breaker), and how fast it may dial.

    Percentages are of its last `window_calls` calls since somebody resumed it, once there are
    `least_calls` of them; 100 switches one off, and so does 0 for the two speeds. `missed_disclosures` are calls of one
    version, of those looked at, that began without what has to be said; 0 switches that off.
    """

    campaign = models.OneToOneField(Campaign, models.CASCADE, related_name="safety_policy")
    window_calls = models.PositiveIntegerField(default=50)
    least_calls = models.PositiveIntegerField(default=20)
    failed_percent = models.PositiveIntegerField(default=50, validators=PERCENT)
    opted_out_percent = models.PositiveIntegerField(default=10, validators=PERCENT)
    negative_percent = models.PositiveIntegerField(default=60, validators=PERCENT)
    talk_minutes_per_hour = models.PositiveIntegerField(default=0)
    missed_disclosures = models.PositiveIntegerField(default=5)
    calls_per_minute = models.PositiveIntegerField(default=0)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client"], name="safety_by_client")]

    def __str__(self) -> str:
        return f"{self.failed_percent} %"


class TopUp(ClientOwned):
    """
    Launches a campaign's new leads again and again, at `next_at` and every `every_minutes` after it.

    `most_seconds` is what one such launch may reserve. `last_result` is the sentence of the last
    time: what was launched, or why nothing was; `was_refused` if leads waited and something forbade
    it. `set_by` is on whose behalf it spends. `paused_at` is set while somebody holds it with the campaign.
    """

    campaign = models.OneToOneField(Campaign, models.CASCADE, related_name="top_up")
    is_active = models.BooleanField(default=False)
    every_minutes = models.PositiveIntegerField(default=24 * 60)
    next_at = models.DateTimeField()
    most_seconds = models.PositiveIntegerField(default=6000)
    set_by_email = models.CharField(max_length=254)
    last_at = models.DateTimeField(null=True, blank=True)
    last_result = models.CharField(max_length=400, blank=True)
    was_refused = models.BooleanField(default=False)
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by_email = models.CharField(max_length=254, blank=True, default="")

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client"], name="top_up_by_client"),
            models.Index(fields=["is_active", "next_at"], name="top_up_due"),
        ]

    def __str__(self) -> str:
        return f"{self.every_minutes}"


class ClientShare(ClientOwned):
    """
    A client's part of the lines that all share; one row a client, without one its weight is 1.

    Lines go to the client with the fewest for its `weight`; who has fewer than `least_lines` comes
    before all others.
    """

    weight = models.PositiveIntegerField(default=1)
    least_lines = models.PositiveIntegerField(default=1)
    changed_by_email = models.CharField(max_length=254)
    changed_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client"], name="share_once")]

    def __str__(self) -> str:
        return f"{self.weight}"
