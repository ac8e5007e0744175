"""What a launch set aside, and what its dials hold of that."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet
from billing.models.wallets import Rate
from billing.rules import Terms


class Reservation(ClientOwned):
    """
    Seconds a launch set aside: granted = free + held + posted + released.

    `open` takes holds; `closing` (launch finished or cancelled) takes none and gives back what is
    free; `closed` once nothing is free or held. The rate's terms are those of the launch.

    `charged_…` is what its calls cost by now: all that was billed, over-runs too, less what was given
    back. Each such line adds to it in its own block.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSING = "closing", _("Closing")
        CLOSED = "closed", _("Closed")

    batch_call_id = models.UUIDField(unique=True)
    campaign_id = models.UUIDField(null=True)
    label = models.CharField(max_length=120, blank=True)  # what the campaign was called then
    status = models.CharField(max_length=8, choices=Status, default=Status.OPEN)
    granted_seconds = models.BigIntegerField(default=0)
    free_seconds = models.BigIntegerField(default=0)
    held_seconds = models.BigIntegerField(default=0)
    posted_seconds = models.BigIntegerField(default=0)
    released_seconds = models.BigIntegerField(default=0)
    charged_seconds = models.BigIntegerField(default=0)
    charged_micros = models.BigIntegerField(default=0)
    rate = models.ForeignKey(Rate, models.PROTECT, related_name="+")
    price_per_minute_micros = models.PositiveBigIntegerField()
    increment_seconds = models.PositiveIntegerField()
    minimum_seconds = models.PositiveIntegerField()
    bills_voicemail = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(free_seconds__gte=0)
                & models.Q(held_seconds__gte=0)
                & models.Q(posted_seconds__gte=0)
                & models.Q(released_seconds__gte=0),
                name="reservation_never_below_zero",
            )
        ]
        indexes = [models.Index(fields=["client", "status"], name="reservation_by_status")]

    def __str__(self) -> str:
        return f"{self.granted_seconds} s"

    @property
    def terms(self) -> Terms:
        return Terms(
            self.price_per_minute_micros,
            self.increment_seconds,
            self.minimum_seconds,
            bills_voicemail=self.bills_voicemail,
        )


class CallHold(ClientOwned):
    """
    Seconds set aside for one dial, inside its launch's reservation.

    It goes from `held` to exactly one of `posted` (the call ended), `voided` (it was never placed)
    and `expired` (nobody learned in time what became of it), and never back. `call_id` is the call
    it was billed for; one that turns up after a hold was let go is billed beside it.
    """

    class Status(models.TextChoices):
        HELD = "held", _("Held")
        POSTED = "posted", _("Posted")
        VOIDED = "voided", _("Voided")
        EXPIRED = "expired", _("Expired")

    attempt_id = models.UUIDField(unique=True)
    reservation = models.ForeignKey(
        Reservation, models.PROTECT, related_name="holds", db_index=False
    )
    call_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.HELD)
    seconds = models.BigIntegerField()
    posted_seconds = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "reservation", "status"], name="hold_by_reservation"),
            models.Index(fields=["status", "expires_at"], name="hold_overdue"),
        ]

    def __str__(self) -> str:
        return f"{self.seconds} s"
