"""Experiments: two versions of a campaign, each heard by half of the leads."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet
from campaigns.models.campaign import Campaign, CampaignVersion


class Experiment(ClientOwned):
    """
    A trial of another script, opening line or voice against the published version.

    Status: `preparing` waits for the variant at Retell (`prepare_error` says what to do), `running`
    draws an arm for each lead, and the ends: `decided` (`winner` says for whom), `harmful` (the
    variant drove people to opt out), `stopped` (by a person, or by a new version). `results` is the
    latest count. A campaign has one at a time: `live_key` is the campaign's id until the end.
    """

    class Part(models.TextChoices):
        SCRIPT = "script", _("Script")
        OPENING = "opening_line", _("Opening line")
        VOICE = "voice", _("Voice")

    class Status(models.TextChoices):
        PREPARING = "preparing", _("Preparing")
        RUNNING = "running", _("Running")
        DECIDED = "decided", _("Decided")
        HARMFUL = "harmful", _("Stopped for harm")
        STOPPED = "stopped", _("Stopped")

    LIVE = (Status.PREPARING, Status.RUNNING)

    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="experiments", db_index=False
    )
    part = models.CharField(max_length=16, choices=Part)
    status = models.CharField(max_length=16, choices=Status, default=Status.PREPARING)
    live_key = models.CharField(max_length=40, unique=True)
    control = models.ForeignKey(CampaignVersion, models.PROTECT, related_name="+", db_index=False)
    variant = models.ForeignKey(
        CampaignVersion, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    # What the variant says instead: script_raw, opening_line, or voice_id with voice_name.
    changes = models.JSONField(default=dict)
    winner = models.CharField(max_length=8, blank=True)
    results = models.JSONField(default=dict)
    prepare_error = models.CharField(max_length=400, blank=True)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "campaign", "-created_at"], name="experiment_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.get_part_display()}"

    @property
    def is_live(self) -> bool:
        return self.status in self.LIVE
