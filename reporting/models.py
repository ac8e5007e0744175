"""Counters per day and campaign, and the reports people asked for."""

from __future__ import annotations

from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet

NO_CAMPAIGN = UUID(int=0)


class DailyStat(ClientOwned):
    """
    What one campaign's calls came to on one day of its client's calendar.

    Calls of no campaign (to us, by the web) have a row of their own, under `NO_CAMPAIGN`: what they cost.

    Written by the webhook handler when an outcome is known, and moved when it changes. The names
    are the symbols of the KPI formulas: dials are attempts that were placed, connects those that
    anything answered. Money is in micros, talk in milliseconds, what is billed in seconds.
    """

    campaign_id = models.UUIDField()
    day = models.DateField()
    dials_count = models.IntegerField(default=0)
    connects_count = models.IntegerField(default=0)
    humans_count = models.IntegerField(default=0)
    machines_count = models.IntegerField(default=0)
    no_contacts_count = models.IntegerField(default=0)
    number_troubles_count = models.IntegerField(default=0)
    technicals_count = models.IntegerField(default=0)
    not_placed_count = models.IntegerField(default=0)
    conversions_count = models.IntegerField(default=0)
    opt_outs_count = models.IntegerField(default=0)
    talk_ms = models.BigIntegerField(default=0)
    human_talk_ms = models.BigIntegerField(default=0)
    billed_seconds = models.BigIntegerField(default=0)
    client_cost_micros = models.BigIntegerField(default=0)
    retell_cost_micros = models.BigIntegerField(default=0)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "campaign_id", "day"], name="daily_stat_once"
            ),
        ]
        indexes = [
            models.Index(fields=["client", "day"], name="daily_stat_by_day"),
            models.Index(fields=["day"], name="daily_stat_of_agency"),
        ]

    def __str__(self) -> str:
        return f"{self.day}"


class Report(ClientOwned):
    """
    A report somebody asked for: made by a job, kept as a file; `error` says why it failed.

    Until `worked_until` one worker has it; `attempts` counts those that took it, three at most.
    """

    class Kind(models.TextChoices):
        CSV = "csv", _("Calls (CSV)")
        PDF = "pdf", _("Report (PDF)")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        WORKING = "working", _("Being made")
        DONE = "done", _("Ready")
        FAILED = "failed", _("Failed")

    campaign_id = models.UUIDField(null=True, blank=True)
    kind = models.CharField(max_length=8, choices=Kind)
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    metrics = models.JSONField(default=dict)
    stored_name = models.CharField(max_length=200, blank=True)
    error = models.CharField(max_length=400, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    worked_until = models.DateTimeField(null=True, blank=True)  # of the real world
    requested_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    generated_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["client", "campaign_id", "-created_at"], name="report_by_campaign"
            ),
            models.Index(fields=["status", "created_at"], name="report_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.created_at:%Y-%m-%d}"
