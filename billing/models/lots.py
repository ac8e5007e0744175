"""Minutes that expire: what is left of a payment's, and which launches have some of them."""

from __future__ import annotations

from django.db import models

from accounts.models import ClientOwned, ClientOwnedQuerySet
from billing.models.reservations import Reservation
from billing.models.wallets import Payment


class CreditLot(ClientOwned):
    """
    The seconds of one payment, which expire together: those that nobody has used by `expires_at`.

    `seconds` = `available_seconds` (a part of the wallet's) + what launches have of it (`LotShare`)
    + `spent_seconds` + `expired_seconds`. A payment without a term has no lot.
    """

    payment = models.OneToOneField(Payment, models.PROTECT, related_name="lot")
    seconds = models.BigIntegerField()
    available_seconds = models.BigIntegerField()
    spent_seconds = models.BigIntegerField(default=0)
    expired_seconds = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(available_seconds__gte=0)
                & models.Q(spent_seconds__gte=0)
                & models.Q(expired_seconds__gte=0),
                name="lot_never_below_zero",
            )
        ]
        indexes = [
            models.Index(fields=["client", "expires_at"], name="lot_by_expiry"),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(available_seconds__gt=0),
                name="lot_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.available_seconds} s until {self.expires_at:%Y-%m-%d}"


class LotShare(ClientOwned):
    """Seconds of a lot that a launch has: they don't expire while it has them."""

    lot = models.ForeignKey(CreditLot, models.PROTECT, related_name="shares", db_index=False)
    reservation = models.ForeignKey(
        Reservation, models.PROTECT, related_name="shares", db_index=False
    )
    seconds = models.BigIntegerField(default=0)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "reservation", "lot"], name="lot_share_once"),
            models.CheckConstraint(
                condition=models.Q(seconds__gte=0), name="lot_share_never_below_zero"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seconds} s"
