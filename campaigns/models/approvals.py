"""Two people for a launch: when a client wants that, and what one of them asked for."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet
from campaigns.models.campaign import Campaign


class LaunchRule(ClientOwned):
    """A client's launches that may take more than `above_seconds` need a second person; 0 is every launch."""

    is_active = models.BooleanField(default=False)
    above_seconds = models.PositiveIntegerField(default=0)
    changed_by_email = models.CharField(max_length=254)
    changed_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client"], name="launch_rule_once")]

    def __str__(self) -> str:
        return f"{self.client_id}"


class LaunchRequest(ClientOwned):
    """
    A launch that one person asked for and another one makes.

    Status: `waiting`, and the ends: `launched` (`batch_call_id` is what came of it), `declined` (with a
    `reason`), `withdrawn` by the asker, `outdated` (the campaign or its leads changed meanwhile). A
    campaign has one that waits: `live_key` is the campaign's id until the end. The row's id is the
    launch's key. `asked_as_id` is the client's person for whom somebody of the agency asked.
    `fingerprint` tells two states of a campaign apart.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waits for approval")
        LAUNCHED = "launched", _("Approved and launched")
        DECLINED = "declined", _("Declined")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        OUTDATED = "outdated", _("Out of date")

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING)
    live_key = models.CharField(max_length=40, unique=True)
    fingerprint = models.CharField(max_length=64)
    version_number = models.PositiveIntegerField()
    leads_count = models.PositiveIntegerField()
    seconds = models.PositiveIntegerField()  # what the launch reserves
    cost_micros = models.PositiveBigIntegerField(default=0)  # what its talk is likely to cost
    starts_at = models.DateTimeField(null=True, blank=True)  # empty: when it is approved
    note = models.CharField(max_length=400, blank=True)
    asked_by_id = models.UUIDField(null=True, blank=True)
    asked_as_id = models.UUIDField(null=True, blank=True)
    asked_by_email = models.CharField(max_length=254)
    asked_at = models.DateTimeField()
    decided_by_email = models.CharField(max_length=254, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=400, blank=True)
    batch_call_id = models.UUIDField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "-asked_at"], name="launch_request_by_age"),
            models.Index(fields=["client", "status"], name="launch_request_waiting"),
        ]

    def __str__(self) -> str:
        return self.campaign.name

    @property
    def is_waiting(self) -> bool:
        return self.status == self.Status.WAITING
