"""Rules on outcomes: what is done by itself after a call, and what was done for each."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet
from campaigns.models.campaign import Campaign


class AutomationRule(ClientOwned):
    """
    After a call with one of `outcomes` (words of `campaigns.automation.OUTCOMES`), do `action`.

    Without a campaign it holds for all of the client's. `params` belong to the action
    (`campaigns.automation.Params`), `conditions` are what the call's analysis must say besides
    (`campaigns.automation.Conditions`). It may be switched on only as it was tested: an edit empties
    `tested_at`, switches it off and is counted. It holds for calls that end after `activated_at`.
    """

    class Action(models.TextChoices):
        TAG = "tag", _("Tag the lead")
        FOLLOW_UP = "follow_up", _("Make a follow-up")
        ENROL = "enrol", _("Enrol in another campaign")
        RETRY = "retry", _("Call again after a while")
        WAIT = "wait", _("Wait before the next call")
        NOTIFY = "notify", _("Tell the team")
        WEBHOOK = "webhook", _("Send to your own system")

    name = models.CharField(max_length=120)
    campaign = models.ForeignKey(
        Campaign, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    outcomes = models.JSONField(default=list)
    conditions = models.JSONField(default=dict)
    action = models.CharField(max_length=16, choices=Action)
    params = models.JSONField(default=dict)
    is_active = models.BooleanField(default=False)
    edits_count = models.PositiveIntegerField(default=0)
    tested_at = models.DateTimeField(null=True, blank=True)
    activated_at = models.DateTimeField(null=True, blank=True)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client", "is_active"], name="automation_by_client")]

    def __str__(self) -> str:
        return self.name


class AutomationRun(ClientOwned):
    """
    One rule on one call: `pending` until `due_at` (its analysis may come), then `done` or `skipped`.

    A rule acts on a call once. `result` is the sentence people read. An action that fails is tried
    again, `tries_count` times so far, and after the last try the run is `failed` for good.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("Waiting")
        DONE = "done", _("Done")
        SKIPPED = "skipped", _("Left out")
        FAILED = "failed", _("Given up")

    rule = models.ForeignKey(AutomationRule, models.CASCADE, related_name="runs", db_index=False)
    attempt_id = models.UUIDField()
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING)
    due_at = models.DateTimeField()
    tries_count = models.PositiveSmallIntegerField(default=0)  # how often it failed
    result = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "attempt_id"], name="automation_once"),
        ]
        indexes = [
            models.Index(fields=["client", "rule", "-created_at"], name="automation_by_rule"),
            models.Index(fields=["status", "due_at"], name="automation_due"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}"
