"""Our books beside Retell's: one run over a window of time, and each difference it found."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from convomono.lib.models import BaseModel

HOURS = "hours:"
"""How the key of a run begins whose window grows hour by hour."""


class Reconciliation(BaseModel):
    """
    One comparison of the calls that started in a window, until excluded.

    A worker goes through it hour by hour; `next_from` is where it goes on when it was killed. Sums
    are of the calls that both have: milliseconds of connected time and micros of provider cost. How far
    the books are apart is what its unresolved differences come to (`billing/books.py`).
    `key` makes one night one run; `claimed_until` keeps a second worker off it. One day's hours are one
    run too, whose window grows by each hour that is over (`services/hourly.py`).
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        WORKING = "working", _("Comparing")
        DONE = "done", _("Done")
        FAILED = "failed", _("Stopped")

    key = models.CharField(max_length=80, unique=True)
    window_from = models.DateTimeField()
    window_until = models.DateTimeField()
    next_from = models.DateTimeField()
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    error = models.CharField(max_length=400, blank=True)
    compared_count = models.PositiveIntegerField(default=0)
    their_ms = models.BigIntegerField(default=0)
    our_ms = models.BigIntegerField(default=0)
    their_micros = models.BigIntegerField(default=0)
    our_micros = models.BigIntegerField(default=0)
    products = models.JSONField(default=dict)  # micros of each product, by Retell's word
    asked_by_email = models.CharField(max_length=254)
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["status", "asked_at"], name="reconciliation_unfinished"),
            models.Index(fields=["-window_from"], name="reconciliation_by_window"),
        ]

    def __str__(self) -> str:
        return f"{self.window_from:%Y-%m-%d}"

    @property
    def is_hourly(self) -> bool:
        return self.key.startswith(HOURS)

    @property
    def percent(self) -> int:
        """How much of the window is compared, in whole per cent."""
        whole = (self.window_until - self.window_from).total_seconds()
        done = (self.next_from - self.window_from).total_seconds()
        return int(done * 100 // whole) if whole else 100


class Difference(BaseModel):
    """
    One call that the two books tell differently; what is empty one of them doesn't have.

    `open` until somebody resolves it: `fetching` waits for Retell's news (asked for at `fetched_at`)
    to come through the inbox, and is open again if that changes nothing; `resolved` says by which
    step. Resolving never changes a line of the ledger. `charged_seconds` is what was billed,
    `billed_seconds` that less what was given back, `due_seconds` what Retell's duration comes to.
    `is_foreign` says of a call that is missing here that it isn't ours: it names no dial of ours and is
    none to us, or Retell's news of it changed nothing. `found_at` is when a comparison first named it,
    `told_at` when the agency was told.
    """

    class Kind(models.TextChoices):
        MISSING_HERE = "missing_here", _("Missing here")
        MISSING_THERE = "missing_there", _("Missing at Retell")
        SECONDS_DIFFER = "seconds_differ", _("Seconds differ")
        COST_DIFFERS = "cost_differs", _("Cost differs")
        BILLED_TWICE = "billed_twice", _("Billed twice")

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        FETCHING = "fetching", _("Asking Retell")
        RESOLVED = "resolved", _("Resolved")

    class Step(models.TextChoices):
        FETCH = "fetch", _("Take Retell's news of the call")
        REFUND = "refund", _("Give the client back what was billed too much")
        CHARGE = "charge", _("Bill the client what was billed too little")
        EXCUSE = "excuse", _("Leave it, with a reason")
        LATER = "later", _("The books agreed when they were compared again")

    reconciliation = models.ForeignKey(
        Reconciliation, models.CASCADE, related_name="differences", db_index=False
    )
    client = models.ForeignKey(
        Client, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=16, choices=Kind)
    status = models.CharField(max_length=8, choices=Status, default=Status.OPEN)
    provider_call_id = models.CharField(max_length=100)
    call_id = models.UUIDField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    their_ms = models.BigIntegerField(null=True, blank=True)
    our_ms = models.BigIntegerField(null=True, blank=True)
    their_micros = models.BigIntegerField(null=True, blank=True)
    our_micros = models.BigIntegerField(null=True, blank=True)
    charged_seconds = models.BigIntegerField(null=True, blank=True)
    billed_seconds = models.BigIntegerField(null=True, blank=True)
    due_seconds = models.BigIntegerField(null=True, blank=True)
    is_foreign = models.BooleanField(default=False)
    sentence = models.CharField(max_length=300)
    step = models.CharField(max_length=8, choices=Step, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    resolved_by_email = models.CharField(max_length=254, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    fetched_at = models.DateTimeField(null=True, blank=True)
    found_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["reconciliation", "kind", "provider_call_id"], name="difference_once"
            ),
        ]
        indexes = [
            models.Index(fields=["client", "status"], name="difference_by_client"),
            models.Index(fields=["status", "resolved_at"], name="difference_fetching"),
            models.Index(fields=["provider_call_id", "kind"], name="difference_of_call"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.provider_call_id}"

    @property
    def safe_steps(self) -> list[str]:
        """The steps that can do no harm here, the best first."""
        kind, step = self.Kind(self.kind), self.Step
        steps = []
        if kind in {self.Kind.MISSING_HERE, self.Kind.COST_DIFFERS} and not self.is_foreign:
            steps.append(step.FETCH)
        if self.refundable_seconds > 0:
            steps.append(step.REFUND)
        if self.missing_seconds > 0:
            steps.append(step.CHARGE)
        return [*steps, step.EXCUSE]

    @property
    def is_left_at_once(self) -> bool:
        """Whether nothing can be put right on our side: no line and no news would change anything."""
        return self.safe_steps == [self.Step.EXCUSE]

    @property
    def refundable_seconds(self) -> int:
        """What the client was billed beyond what is due."""
        if self.call_id is None or self.billed_seconds is None:
            return 0
        return max(0, self.billed_seconds - (self.due_seconds or 0))

    @property
    def missing_seconds(self) -> int:
        """What is due beyond what the client was billed; what was given back on purpose stays so."""
        if self.call_id is None or self.kind != self.Kind.SECONDS_DIFFER:
            return 0
        charged = self.billed_seconds if self.charged_seconds is None else self.charged_seconds
        return max(0, (self.due_seconds or 0) - (charged or 0))
