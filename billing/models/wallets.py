"""What a client has, what it pays for a minute, and what it paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, ClientOwned, ClientOwnedQuerySet
from billing.rules import Terms
from convomono.lib import money
from convomono.lib.models import BaseModel

if TYPE_CHECKING:
    from decimal import Decimal


class Wallet(BaseModel):
    """
    A client's prepaid seconds, in four accounts that are never below zero.

    `available` may be reserved, `reserved` belongs to launches, `consumed` was talked, `debt` is
    talk that nothing covered and that the next free second pays. `seq` is the number of the newest
    transaction. Only `billing/ledger.py` writes these, by guarded updates. `full_seconds` is what
    could be used after minutes last came (a purchase, a correction upwards, a refund that filled it
    again), by the line of the number `full_seq`: low balances are told in shares of it. `expiring_seconds` are those of lots, available or with launches:
    0 spares every line a look at the lots. `price_per_minute_micros` repeats the price in force, for lists. With
    `extends_launches` a launch that runs dry takes further available minutes by itself.
    `billing_address` stands under the client's name on its invoices. `audited_at` is when the nightly
    audit that last came to an end began; until `audit_until` a worker is at the next one.
    """

    client = models.OneToOneField(Client, models.PROTECT, related_name="wallet")
    available_seconds = models.BigIntegerField(default=0)
    reserved_seconds = models.BigIntegerField(default=0)
    consumed_seconds = models.BigIntegerField(default=0)
    debt_seconds = models.BigIntegerField(default=0)
    seq = models.BigIntegerField(default=0)
    full_seconds = models.BigIntegerField(default=0)
    full_seq = models.BigIntegerField(default=0)
    expiring_seconds = models.BigIntegerField(default=0)
    price_per_minute_micros = models.PositiveBigIntegerField()
    extends_launches = models.BooleanField(default=False)
    billing_address = models.TextField(blank=True)
    audited_at = models.DateTimeField(null=True, blank=True)
    audit_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(available_seconds__gte=0)
                & models.Q(reserved_seconds__gte=0)
                & models.Q(consumed_seconds__gte=0)
                & models.Q(debt_seconds__gte=0),
                name="wallet_never_below_zero",
            )
        ]

    def __str__(self) -> str:
        return f"{self.available_seconds} s"

    @classmethod
    def of(cls, client: Client) -> Wallet:
        """Return a client's wallet; no query where it was fetched together with the client."""
        return cast("Wallet", client.wallet)  # accounts, below, promises no more than `Credits`

    @property
    def total_seconds(self) -> int:
        return (
            self.available_seconds
            + self.reserved_seconds
            + self.consumed_seconds
            - self.debt_seconds
        )

    @property
    def usable_seconds(self) -> int:
        """What calls may still use: available or reserved, less the debt."""
        return self.available_seconds + self.reserved_seconds - self.debt_seconds

    @property
    def billing_rate(self) -> Decimal:
        """The price in force, in dollars per minute."""
        return money.dollars(self.price_per_minute_micros)

    @property
    def total_minutes(self) -> Decimal:
        return money.minutes(self.total_seconds)

    @property
    def available_minutes(self) -> Decimal:
        return money.minutes(self.available_seconds)

    @property
    def reserved_minutes(self) -> Decimal:
        return money.minutes(self.reserved_seconds)

    @property
    def consumed_minutes(self) -> Decimal:
        return money.minutes(self.consumed_seconds)


class Rate(ClientOwned):
    """
    A client's price from an instant on: per minute, how talk is rounded, what the least is.

    `increment_seconds` 1 bills to the second; without `bills_voicemail` a call that only a machine
    answered is free. `client.billing_rate` of the seed is the price in force.
    """

    price_per_minute_micros = models.PositiveBigIntegerField()
    increment_seconds = models.PositiveIntegerField(default=1)
    minimum_seconds = models.PositiveIntegerField(default=0)
    bills_voicemail = models.BooleanField(default=True)
    effective_from = models.DateTimeField()
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "effective_from"], name="rate_once"),
        ]

    def __str__(self) -> str:
        return f"${money.dollars(self.price_per_minute_micros)}/min"

    @property
    def terms(self) -> Terms:
        return Terms(
            self.price_per_minute_micros,
            self.increment_seconds,
            self.minimum_seconds,
            bills_voicemail=self.bills_voicemail,
        )


class Payment(ClientOwned):
    """
    Money a client pays for minutes; `reference` is the agency's own (an invoice, a transfer).

    Its minutes are there while it is `paid`: a `pending` one has brought none yet, a `failed` one
    never will, and those of a `refunded` one were taken back; of a paid one `repaid_seconds` were,
    for `repaid_micros`. `valid_days` after it was paid, what
    nobody used or reserved of them expires; empty: never.
    """

    class Method(models.TextChoices):
        BANK = "bank", _("Bank transfer")
        CARD = "card", _("Card")
        CASH = "cash", _("Cash")
        GRANT = "grant", _("Free of charge")

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        PAID = "paid", _("Paid")
        FAILED = "failed", _("Failed")
        REFUNDED = "refunded", _("Refunded")

    seconds = models.PositiveBigIntegerField()
    amount_micros = models.PositiveBigIntegerField()
    method = models.CharField(max_length=8, choices=Method)
    reference = models.CharField(max_length=120)
    valid_days = models.PositiveIntegerField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.PAID)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)  # it failed, or was paid back
    repaid_seconds = models.PositiveBigIntegerField(default=0)
    repaid_micros = models.PositiveBigIntegerField(default=0)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "reference"], name="payment_once"),
            models.CheckConstraint(
                condition=models.Q(repaid_seconds__lte=models.F("seconds"))
                & models.Q(repaid_micros__lte=models.F("amount_micros")),
                name="payment_repaid_at_most_once",
            ),
        ]
        indexes = [models.Index(fields=["client", "-created_at"], name="payment_by_age")]

    def __str__(self) -> str:
        return self.reference
