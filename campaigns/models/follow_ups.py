"""What somebody promised to do about a lead, and the rules that make such promises by themselves."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet, User
from campaigns.models.campaign import Campaign
from leads.models import Lead


class FollowUpRule(ClientOwned):
    """
    After a call with this outcome, make a follow-up `delay_seconds` after the call's end.

    Without a campaign it holds for all of the client's; without an assignee anybody may take it.
    """

    class Outcome(models.TextChoices):
        CONVERTED = "converted", _("The goal was reached")
        HUMAN = "human", _("A person was reached")
        MACHINE = "machine", _("Voicemail or a phone menu")
        NO_CONTACT = "no_contact", _("Nobody answered, busy or declined")
        EXHAUSTED = "exhausted", _("All attempts are used up")

    campaign = models.ForeignKey(
        Campaign, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    outcome = models.CharField(max_length=16, choices=Outcome)
    delay_seconds = models.PositiveIntegerField()
    note = models.CharField(max_length=500)
    assignee = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    is_active = models.BooleanField(default=True)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["client", "outcome", "is_active"], name="follow_up_rule_by_outcome"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()}"


class FollowUp(ClientOwned):
    """
    A promise about a lead: call back at `due_at`, which was said in the lead's time.

    Status: `open`, then `done` or `cancelled`. `key` makes one cause one follow-up: a rule and a call,
    or the form that was sent. `reminded_at` is set once its assignee (else everybody) was told.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    lead = models.ForeignKey(Lead, models.CASCADE, related_name="follow_ups")
    rule = models.ForeignKey(FollowUpRule, models.SET_NULL, null=True, blank=True, related_name="+")
    campaign_id = models.UUIDField(null=True, blank=True)
    call_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    due_at = models.DateTimeField()
    note = models.CharField(max_length=500)
    assignee = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    key = models.CharField(max_length=120, unique=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by_email = models.CharField(max_length=254, blank=True)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "status", "due_at"], name="follow_up_by_day"),
            models.Index(fields=["status", "due_at"], name="follow_up_due"),
        ]

    def __str__(self) -> str:
        return self.note[:40]
