"""A campaign as somebody writes it: script, voice, hours, retries, and its versions."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, ClientOwned, ClientOwnedQuerySet
from campaigns.models.knowledge import KnowledgeBase, KnowledgeSource
from convomono.lib.models import AppendOnly, AppendOnlyQuerySet


class Campaign(ClientOwned):
    """
    What is said to whom and when.

    Status: `draft` is being written; `preparing` waits for its agent at Retell (`prepare_error`
    says why it can't be had, there and in the draft that it is then); `ready` may be launched; `archived` is only kept. Whether it is
    dialling is the status of its latest BatchCall. An edit of a ready campaign makes it `draft`
    again for new launches; calls keep the version they were made with. `launching_id` is the launch
    whose leads are being put in line: there is one at a time.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PREPARING = "preparing", _("Preparing")
        READY = "ready", _("Ready")
        ARCHIVED = "archived", _("Archived")

    name = models.CharField(max_length=120)
    status = models.CharField(max_length=16, choices=Status, default=Status.DRAFT)
    goal = models.CharField(max_length=200, blank=True)
    script_raw = models.TextField(blank=True)
    opening_line = models.CharField(max_length=600, blank=True)
    voice_id = models.CharField(max_length=80, blank=True)
    voice_name = models.CharField(max_length=120, blank=True)
    # Conversation settings of `campaigns/settings_schema.py`; see CampaignSettings there.
    settings = models.JSONField(default=dict)
    knowledge_base = models.ForeignKey(
        KnowledgeBase, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    # A knowledge base that other campaigns of the client may use too; that version of it.
    shared_base = models.ForeignKey(
        KnowledgeBase, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    published_version = models.PositiveIntegerField(null=True, blank=True)
    prepare_error = models.CharField(max_length=400, blank=True)
    concurrency_limit = models.PositiveIntegerField(default=20)
    # Which of the client's numbers it calls from; empty: all of them.
    caller_numbers = models.JSONField(default=list, blank=True)
    # Who asked for the version that is being prepared.
    prepared_by_email = models.CharField(max_length=254, blank=True)
    # What it was started from; templates may change later, so both are copies.
    template_id = models.CharField(max_length=64, blank=True)
    template_number = models.PositiveIntegerField(default=0)
    launching_id = models.UUIDField(null=True, blank=True)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "status", "-created_at"], name="campaign_by_status"),
            models.Index(fields=["client", "-created_at"], name="campaign_by_age"),
        ]

    def __str__(self) -> str:
        return self.name

    def kb_files_meta(self) -> list[dict[str, Any]]:
        """Return the seed's list of knowledge sources; one query."""
        if self.knowledge_base_id is None:
            return []
        return [
            {"title": row.title, "kind": row.kind, "size_bytes": row.size_bytes}
            for row in KnowledgeSource.objects.filter(
                client_id=self.client_id, knowledge_base_id=self.knowledge_base_id
            ).order_by("created_at", "pk")
        ]


class CampaignVersionQuerySet(  # type: ignore[override]  # the plugin's view of as_manager
    AppendOnlyQuerySet["CampaignVersion"], ClientOwnedQuerySet["CampaignVersion"]
):
    """Versions: scoped by who looks, never changed."""


class CampaignVersion(AppendOnly):
    """An unchangeable snapshot of a campaign, with the agent version at Retell that speaks it."""

    client = models.ForeignKey(Client, models.PROTECT, related_name="+", db_index=False)
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="versions", db_index=False)
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    script_raw = models.TextField()
    opening_line = models.CharField(max_length=600, blank=True)
    voice_id = models.CharField(max_length=80)
    voice_name = models.CharField(max_length=120, blank=True)
    # Their ids say what it could look up: once indexed they change no more, but for pages read again daily.
    knowledge_base_id = models.UUIDField(null=True, blank=True)
    shared_base_id = models.UUIDField(null=True, blank=True)
    settings = models.JSONField(default=dict)
    variables = models.JSONField(default=list)  # the script's variables, in order
    # What was said of them (`variables.StoredRule`); None of versions before that was kept: the campaign's hold.
    variable_rules = models.JSONField(null=True, blank=True)
    fingerprint = models.CharField(max_length=64)
    provider_agent_id = models.CharField(max_length=80)
    provider_agent_version = models.PositiveIntegerField()
    published_at = models.DateTimeField()
    published_by_email = models.CharField(max_length=254)

    objects = CampaignVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="version_once"),
        ]
        indexes = [models.Index(fields=["client", "campaign"], name="version_by_campaign")]

    def __str__(self) -> str:
        return f"{self.name}, v{self.number}"


class RetryPolicy(ClientOwned):
    """How often and how soon a lead is called again, by how the last attempt went (seconds)."""

    campaign = models.OneToOneField(Campaign, models.CASCADE, related_name="retry_policy")
    max_attempts = models.PositiveIntegerField(default=3)
    busy_delay_seconds = models.PositiveIntegerField(default=20 * 60)
    no_answer_delay_seconds = models.PositiveIntegerField(default=4 * 3600)
    voicemail_delay_seconds = models.PositiveIntegerField(default=24 * 3600)
    # Somebody who pressed the call away wants a longer pause.
    declined_delay_seconds = models.PositiveIntegerField(default=24 * 3600)
    technical_delay_seconds = models.PositiveIntegerField(default=15 * 60)
    # The least time between two calls to one person, over all campaigns and clients.
    gap_seconds = models.PositiveIntegerField(default=15 * 60)
    # Reason of Retell's -> DispositionPolicy: what differs from the delays above for this one.
    dispositions = models.JSONField(default=dict)
    is_other_time_of_day = models.BooleanField(default=False)  # morning, afternoon, evening in turn
    is_business_days = models.BooleanField(default=False)  # no retry on a Saturday or Sunday
    # Somebody asked to be called back and named no time that could be read.
    callback_delay_seconds = models.PositiveIntegerField(default=24 * 3600)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client"], name="retry_by_client")]

    def __str__(self) -> str:
        return f"{self.max_attempts}"


class CallingWindow(ClientOwned):
    """
    When a campaign's leads may be called, in the lead's own time.

    Minutes count from local midnight, `weekdays` from Monday 0. `is_any_hour` is for the sandbox
    alone and holds for fictional numbers (555-01xx) only. `wake_asked_at` stands until who waits for
    the hours as they were has been decided on anew.
    """

    campaign = models.OneToOneField(Campaign, models.CASCADE, related_name="calling_window")
    weekdays = models.JSONField(default=list)
    opens_minute = models.PositiveIntegerField(default=9 * 60)
    closes_minute = models.PositiveIntegerField(default=20 * 60)
    is_any_hour = models.BooleanField(default=False)
    wake_asked_at = models.DateTimeField(null=True, blank=True, db_index=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client"], name="window_by_client")]

    def __str__(self) -> str:
        return f"{self.opens_minute}–{self.closes_minute}"
