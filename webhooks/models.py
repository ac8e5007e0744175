"""The inbox: each event as it arrived, and what became of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientEvent, ClientOwned, ClientOwnedQuerySet
from convomono.lib.crypto import EncryptedTextField
from convomono.lib.models import BaseModel

if TYPE_CHECKING:
    from datetime import datetime


# As long as the log of what was sent is kept.
KEPT_WHILE_OFF = timedelta(days=30)


class WebhookEvent(BaseModel):
    """
    One event of the voice platform, stored before it is acknowledged.

    `key` makes a delivery that comes twice one row. Status: `pending` waits for the drain, `parked`
    for a call nobody knows yet, `orphan` waited three days for one, `applied` took effect, `ignored`
    is of no concern, `dead` failed five times or can't be read. `body` is the raw request, as it was signed; with source `sweep`
    it is the call as we fetched it, because its news never came. `asked_at` is when the sweeper asked
    Retell about the call of a parked one last.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("Waiting")
        PARKED = "parked", _("Parked")
        ORPHAN = "orphan", _("Nobody's call")
        APPLIED = "applied", _("Applied")
        IGNORED = "ignored", _("Ignored")
        DEAD = "dead", _("Failed")

    class Source(models.TextChoices):
        DELIVERY = "delivery", _("Delivered")
        SWEEP = "sweep", _("Fetched")

    key = models.CharField(max_length=200, unique=True)
    event_type = models.CharField(max_length=64)
    provider_call_id = models.CharField(max_length=100, blank=True)
    source = models.CharField(max_length=8, choices=Source, default=Source.DELIVERY)
    # Which drain applies it, where several do (`webhooks/shards.py`); empty is the first one's.
    slot = models.PositiveSmallIntegerField(null=True, blank=True)
    body = models.TextField()
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    error = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["status", "next_try_at", "created_at"], name="event_due"),
            models.Index(fields=["provider_call_id", "created_at"], name="event_by_call"),
            models.Index(fields=["-created_at"], name="event_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.provider_call_id}"

    @property
    def processed(self) -> bool:
        """The seed's field: applied or ignored."""
        return self.processed_at is not None

    @property
    def payload(self) -> Any:
        """The seed's field: the body, parsed."""
        return orjson.loads(self.body)


class EndpointQuerySet(ClientOwnedQuerySet["Endpoint"]):
    """Addresses, those that were removed among them."""

    def kept(self) -> EndpointQuerySet:
        """Leave out those that were removed."""
        return self.filter(removed_at=None)

    def listening(self, *, now: datetime) -> EndpointQuerySet:
        """Keep those that events are kept for: that are on, or were until lately; `now` is real."""
        lately = models.Q(off_since__gt=now - KEPT_WHILE_OFF)
        return self.kept().filter(lately | models.Q(status="active"))


class Endpoint(ClientOwned):
    """
    An address of a client's own system that hears of events; all times are of the real world.

    `kinds` are those of ClientEvent that it asked for. `secret` signs what is sent; for a day after a
    rotation `previous_secret` signs too. Until `sending_until` a worker sends there, or is about to;
    afterwards it says when one last did. `failing_since` is when the first of the tries failed that
    have all failed since, `failed_at` when the last one did; after five days of that the address is
    switched off, at `off_since`. What comes while it is off is kept as failed for a month; from
    `resend_asked_at` a job puts all that has failed until then in line again. One with `removed_at`
    is shown to nobody, and goes once its log is deleted (`webhooks/retention.py`).
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("On")
        INACTIVE = "inactive", _("Off")

    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=80, blank=True)
    kinds = models.JSONField(default=list)
    secret = EncryptedTextField()
    previous_secret = EncryptedTextField(blank=True, default="")
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTIVE)
    failing_since = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    sending_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)
    off_since = models.DateTimeField(null=True, blank=True)
    resend_asked_at = models.DateTimeField(null=True, blank=True)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client", "created_at"], name="endpoint_by_client")]

    def __str__(self) -> str:
        return self.url

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def kind_labels(self) -> list[str]:
        """The kinds in words."""
        return [str(ClientEvent.Kind(kind).label) for kind in self.kinds]


class EndpointDelivery(ClientOwned):
    """
    One event on its way to one address; `key` makes it one.

    Status: `pending` until a 2xx answer (`delivered`) or the eighth try (`failed`). `next_try_at` is
    when it is due, and while it is being sent when somebody else may take it up. `tries` lists each
    try: `at`, `status` (the answer's, 0 without one), `ms`, `error`.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Failed")

    endpoint = models.ForeignKey(
        Endpoint, models.CASCADE, related_name="deliveries", db_index=False
    )
    event = models.ForeignKey(ClientEvent, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=32, choices=ClientEvent.Kind)
    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    last_error = models.CharField(max_length=200, blank=True)
    tries = models.JSONField(default=list)
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["endpoint", "-created_at"], name="delivery_by_endpoint"),
            models.Index(fields=["endpoint", "status", "next_try_at"], name="delivery_due_at"),
            models.Index(fields=["event"], name="delivery_by_event"),
        ]

    def __str__(self) -> str:
        return self.key


class ReplayRun(BaseModel):
    """
    One replay that somebody asked for, and what it came to.

    Kind: `again` applies the events of a range to the rows there are, `everything` rebuilds all in a
    scratch copy and compares (`webhooks/replay.py`). `differences` holds at most 200 of them, `failures`
    20 ({"event_id", "error"}). `unknown_count` are events of calls that nobody knows. `only_key`
    keeps a second rebuild away until the first is over; its worker says at `worked_at` that it lives.
    """

    class Kind(models.TextChoices):
        AGAIN = "again", _("Apply again")
        EVERYTHING = "everything", _("Rebuild everything in a copy")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        FINISHED = "finished", _("Finished")
        FAILED = "failed", _("Failed")

    kind = models.CharField(max_length=16, choices=Kind)
    is_dry_run = models.BooleanField(default=True)
    received_from = models.DateTimeField(null=True, blank=True)
    received_until = models.DateTimeField(null=True, blank=True)
    provider_call_id = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    events_count = models.PositiveIntegerField(default=0)
    calls_count = models.PositiveIntegerField(default=0)
    left_out_count = models.PositiveIntegerField(default=0)
    unknown_count = models.PositiveIntegerField(default=0)
    failed_count = models.PositiveIntegerField(default=0)
    failures = models.JSONField(default=list)
    differing_count = models.PositiveIntegerField(default=0)
    differences = models.JSONField(default=list)
    stored_hash = models.CharField(max_length=64, blank=True)
    rebuilt_hash = models.CharField(max_length=64, blank=True)
    error = models.CharField(max_length=400, blank=True)
    asked_by_email = models.CharField(max_length=254)
    only_key = models.CharField(max_length=16, null=True, blank=True, unique=True)
    created_at = models.DateTimeField()
    worked_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["-created_at"], name="replay_by_age")]

    def __str__(self) -> str:
        return self.kind

    @property
    def is_over(self) -> bool:
        return self.status in {self.Status.FINISHED, self.Status.FAILED}

    @property
    def conclusion(self) -> str:
        """
        What the replay came to in a word: nothing, failed, unknown, differs or equal; the worst holds.

        "nothing": no event matched. "unknown": nobody knows the calls of some of its events.
        """
        if not self.events_count:
            return "nothing"
        if self.failed_count:
            return "failed"
        if self.differing_count or self.stored_hash != self.rebuilt_hash:
            return "differs"
        return "unknown" if self.unknown_count else "equal"
