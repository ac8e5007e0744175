"""A launch, the leads in it, and each try to call one."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet
from billing.models import Reservation
from campaigns.models.campaign import Campaign, CampaignVersion
from convomono.lib.models import BaseModel
from leads.models import Lead

EVER = datetime(2000, 1, 1, tzinfo=UTC)  # before anything was held back or taken out
# Who is called first of those who wait in a launch. Whole in the index, key included: a launch of a
# hundred thousand is due at one instant, and to order those would be to read them all.
LINE_ORDER = ("next_attempt_at", "-priority", "id")


class BatchCall(ClientOwned):
    """
    One launch of a campaign.

    Status: `scheduled` waits for its time; `running` dials; `paused` (by a person, or by the
    product: `pause_reason` says which sentence) places no new call; `finished` and `cancelled` are
    the ends. The counters equal the numbers of its enrolments in each status, and move with them.
    `launch_key` is the idempotency key of the form that launched it. `attached_at` is empty while its
    leads are still being put in line: until it is set the launch neither starts nor finishes.
    """

    class Status(models.TextChoices):
        SCHEDULED = "scheduled", _("Scheduled")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        FINISHED = "finished", _("Finished")
        CANCELLED = "cancelled", _("Stopped")

    class Mode(models.TextChoices):
        DISPATCHER = "dispatcher", _("Call by call")
        RETELL_BATCH = "retell_batch", _("Handed to Retell whole")

    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="batch_calls", db_index=False
    )
    version = models.ForeignKey(CampaignVersion, models.PROTECT, related_name="+")
    # While an experiment runs, the version that half of the leads hear instead.
    variant = models.ForeignKey(
        CampaignVersion, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    experiment_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status)
    mode = models.CharField(max_length=16, choices=Mode, default=Mode.DISPATCHER)
    launch_key = models.UUIDField(unique=True)
    provider_batch_id = models.CharField(max_length=80, blank=True)
    tasks_count = models.PositiveIntegerField(default=0)
    scheduled_at = models.DateTimeField()
    attached_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    resumed_at = models.DateTimeField(null=True, blank=True)  # the breaker counts from here
    finished_at = models.DateTimeField(null=True, blank=True)
    last_dialled_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=64, blank=True)
    paused_by_email = models.CharField(max_length=254, blank=True)  # empty: the product paused it
    waiting_reason = models.CharField(max_length=64, blank=True)
    waiting_until = models.DateTimeField(null=True, blank=True)
    waiting_facts = models.JSONField(default=dict)  # the numbers in the sentence: lines, used …
    # When the completeness equation was last checked, and what did not add up (empty: nothing).
    checked_at = models.DateTimeField(null=True, blank=True)
    mismatch = models.JSONField(default=dict)
    launched_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    queued_count = models.PositiveIntegerField(default=0)
    dialling_count = models.PositiveIntegerField(default=0)
    in_call_count = models.PositiveIntegerField(default=0)
    done_count = models.PositiveIntegerField(default=0)
    suppressed_count = models.PositiveIntegerField(default=0)
    exhausted_count = models.PositiveIntegerField(default=0)
    invalid_count = models.PositiveIntegerField(default=0)
    cancelled_count = models.PositiveIntegerField(default=0)
    # Of its leads, as the minute's check of the launch found them (`check_launch`).
    converted_count = models.PositiveIntegerField(default=0)

    # Its minutes, by the key they were reserved under: a join without a column of its own.
    reservation = models.ForeignObject(
        Reservation,
        models.DO_NOTHING,
        from_fields=["id"],
        to_fields=["batch_call_id"],
        null=True,
        related_name="+",
    )

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "campaign", "-created_at"], name="batch_by_campaign"),
            models.Index(fields=["client", "status"], name="batch_by_client_status"),
            models.Index(fields=["status", "scheduled_at"], name="batch_due"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}"

    @property
    def is_over(self) -> bool:
        return self.status in {self.Status.FINISHED, self.Status.CANCELLED}

    @property
    def in_progress_count(self) -> int:
        """How many leads have not come to an end."""
        return self.queued_count + self.dialling_count + self.in_call_count


class Enrolment(ClientOwned):
    """
    A lead in a campaign, with its state and next action.

    Status: `queued` (due at `next_attempt_at`; `waiting_reason` says what it waits for),
    `dialling` (claimed under `lease` until `lease_until`), `in_call`, and the ends: `done` (a
    person was reached), `suppressed`, `exhausted`, `invalid`, `cancelled`. It belongs to one batch
    call at a time, or to none before the first launch. `phone_number` and `zones` are copied from
    the lead, so that claiming and deciding join nothing.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        DIALLING = "dialling", _("Dialling")
        IN_CALL = "in_call", _("In call")
        DONE = "done", _("Done")
        SUPPRESSED = "suppressed", _("Do not call")
        EXHAUSTED = "exhausted", _("Not reached")
        INVALID = "invalid", _("Invalid number")
        CANCELLED = "cancelled", _("Cancelled")

    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="enrolments", db_index=False
    )
    lead = models.ForeignKey(Lead, models.PROTECT, related_name="enrolments")
    batch_call = models.ForeignKey(
        BatchCall, models.PROTECT, null=True, blank=True, related_name="enrolments", db_index=False
    )
    phone_number = models.CharField(max_length=16)
    zones = models.JSONField(default=list)
    dynamic_vars = models.JSONField(default=dict)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    attempts_count = models.PositiveIntegerField(default=0)  # attempts that count against the cap
    attempt_number = models.PositiveIntegerField(default=0)  # the newest Attempt's number
    next_attempt_at = models.DateTimeField()
    # The lead's score when it was put in line: of those due at one instant the highest goes first.
    priority = models.PositiveSmallIntegerField(default=0)
    waiting_reason = models.CharField(max_length=64, blank=True)
    # A person's hand on the line: when it was due before it was moved up; since when it is held back,
    # or was taken out of the line. Each is empty again once that is undone.
    moved_from = models.DateTimeField(null=True, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    decision = models.JSONField(default=dict)  # the latest decision, with its rules and inputs
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    last_attempted_at = models.DateTimeField(null=True, blank=True)
    last_call_id = models.UUIDField(null=True, blank=True)
    last_outcome = models.CharField(max_length=32, blank=True)
    # When this person asked to be called back; such a call comes before all others.
    callback_at = models.DateTimeField(null=True, blank=True)
    was_reached = models.BooleanField(default=False)
    is_converted = models.BooleanField(default=False)
    has_opted_out = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "lead"], name="enrolment_once"),
        ]
        indexes = [
            # With the launch in it: who waits for one is counted from the index alone.
            models.Index(
                fields=["client", "campaign", "status", "batch_call"], name="enrolment_by_launch"
            ),
            # With the key in it: pages of a hundred thousand who were never called begin where they begin.
            models.Index(
                fields=["client", "campaign", "-last_attempted_at", "id"], name="enrolment_by_last"
            ),
            models.Index(fields=["batch_call", "status", *LINE_ORDER], name="enrolment_due_first"),
            models.Index(fields=["batch_call", "status", "callback_at"], name="enrolment_callback"),
            # Few stand apart from a line of a hundred thousand.
            models.Index(
                fields=["batch_call", "status", "held_at"],
                condition=models.Q(held_at__gt=EVER),
                name="enrolment_held",
            ),
            models.Index(
                fields=["batch_call", "status", "removed_at"],
                condition=models.Q(removed_at__gt=EVER),
                name="enrolment_removed",
            ),
            models.Index(fields=["lease"], name="enrolment_by_lease"),
            # Not by status first: SQLite would take it for whoever asks for a lead's own that are queued.
            models.Index(fields=["lease_until", "status"], name="enrolment_lost"),
        ]

    def __str__(self) -> str:
        return self.phone_number


class Attempt(ClientOwned):
    """
    One try to call an enrolment, numbered, with the decision that allowed or denied it.

    Status: `dialling` (written before Retell is asked; with a `handover_id` and sent: it waits in a
    list that Retell dials by itself), `placed` (Retell gave a call id),
    `unknown` (no readable answer: the person may be ringing, nobody redials until it is known),
    then `ended`, `not_placed` (doesn't count) or `denied` (the decision was no, for good).
    `request` is what was sent, so that a resend under the same key is the same request.
    """

    class Status(models.TextChoices):
        DIALLING = "dialling", _("Dialling")
        PLACED = "placed", _("Placed")
        UNKNOWN = "unknown", _("Unknown")
        ENDED = "ended", _("Ended")
        NOT_PLACED = "not_placed", _("Not placed")
        DENIED = "denied", _("Denied")

    enrolment = models.ForeignKey(
        Enrolment, models.PROTECT, related_name="attempts", db_index=False
    )
    number = models.PositiveIntegerField()
    campaign_id = models.UUIDField()
    batch_call_id = models.UUIDField()
    version_id = models.UUIDField()
    lead_id = models.UUIDField()
    phone_number = models.CharField(max_length=16)
    from_number = models.CharField(max_length=16, blank=True)
    status = models.CharField(max_length=16, choices=Status)
    decision = models.JSONField(default=dict)
    request = models.JSONField(default=dict)
    held_seconds = models.PositiveIntegerField(default=0)
    sends_count = models.PositiveIntegerField(default=0)  # how often the request was sent
    sent_at = models.DateTimeField(null=True, blank=True)  # the last time
    provider_call_id = models.CharField(max_length=100, blank=True)
    call_id = models.UUIDField(null=True, blank=True)
    handover_id = models.UUIDField(null=True, blank=True)  # the list it was handed over with
    outcome_class = models.CharField(max_length=16, blank=True)
    disconnection_reason = models.CharField(max_length=64, blank=True)
    # An answer was lost once: nothing but the same key may be sent again until Retell was asked.
    was_lost = models.BooleanField(default=False)
    error = models.CharField(max_length=400, blank=True)
    callback_at = models.DateTimeField(null=True, blank=True)  # the asked time that this try serves
    created_at = models.DateTimeField()
    placed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["enrolment", "number"], name="attempt_once"),
        ]
        indexes = [
            models.Index(fields=["client", "enrolment", "number"], name="attempt_by_enrolment"),
            models.Index(fields=["phone_number", "-created_at"], name="attempt_by_person"),
            models.Index(fields=["status", "created_at"], name="attempt_overdue"),
            models.Index(fields=["batch_call_id", "status"], name="attempt_in_batch"),
            # What follows a call is looked after each minute, of those that ended within the hour.
            models.Index(fields=["-ended_at"], name="attempt_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.phone_number} #{self.number}"


class PersonPace(BaseModel):
    """
    Who may dial a number next, over all clients: each dial swaps `attempt_id` by compare-and-set.

    The gap and the cap are decided from Attempts; this row makes two decisions about one person,
    taken at the same time for two campaigns, collide instead of both ringing.
    """

    phone_number = models.CharField(max_length=16, unique=True)
    attempt_id = models.UUIDField()
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.phone_number


class DispatcherLease(BaseModel):
    """The right to dial, held by one dispatcher at a time; who lets it run out loses it."""

    name = models.CharField(max_length=32, unique=True)
    holder = models.UUIDField(null=True)
    expires_at = models.DateTimeField()  # real time: leases don't follow the sandbox's clock
    renewed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
