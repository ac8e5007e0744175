"""Prepaid minutes: the wallet, its append-only ledger, what a launch reserves and a dial holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, ClientOwned, ClientOwnedQuerySet
from billing.rules import Terms
from convomono.lib import money
from convomono.lib.models import AppendOnly, AppendOnlyQuerySet, BaseModel, RowsAreFixed

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID


class Wallet(BaseModel):
    """
    A client's prepaid seconds, in four accounts that are never below zero.

    `available` may be reserved, `reserved` belongs to launches, `consumed` was talked, `debt` is
    talk that nothing covered and that the next free second pays. `seq` is the number of the newest
    transaction. Only `billing/ledger.py` writes these, by guarded updates. `full_seconds` is what
    could be used after the last purchase, whose line has the number `full_seq`: low balances are
    told in shares of it. `price_per_minute_micros` repeats the price in force, for lists.
    """

    client = models.OneToOneField(Client, models.PROTECT, related_name="wallet")
    available_seconds = models.BigIntegerField(default=0)
    reserved_seconds = models.BigIntegerField(default=0)
    consumed_seconds = models.BigIntegerField(default=0)
    debt_seconds = models.BigIntegerField(default=0)
    seq = models.BigIntegerField(default=0)
    full_seconds = models.BigIntegerField(default=0)
    full_seq = models.BigIntegerField(default=0)
    price_per_minute_micros = models.PositiveBigIntegerField()
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

    `increment_seconds` 1 bills to the second. `client.billing_rate` of the seed is the price in
    force.
    """

    price_per_minute_micros = models.PositiveBigIntegerField()
    increment_seconds = models.PositiveIntegerField(default=1)
    minimum_seconds = models.PositiveIntegerField(default=0)
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
        return _terms_of(self)


class Payment(ClientOwned):
    """Money a client paid for minutes; `reference` is the agency's own (an invoice, a transfer)."""

    class Method(models.TextChoices):
        BANK = "bank", _("Bank transfer")
        CARD = "card", _("Card")
        CASH = "cash", _("Cash")
        GRANT = "grant", _("Free of charge")

    class Status(models.TextChoices):
        PAID = "paid", _("Paid")
        REFUNDED = "refunded", _("Refunded")

    seconds = models.PositiveBigIntegerField()
    amount_micros = models.PositiveBigIntegerField()
    method = models.CharField(max_length=8, choices=Method)
    reference = models.CharField(max_length=120)
    status = models.CharField(max_length=8, choices=Status, default=Status.PAID)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "reference"], name="payment_once"),
        ]
        indexes = [models.Index(fields=["client", "-created_at"], name="payment_by_age")]

    def __str__(self) -> str:
        return self.reference


class Reservation(ClientOwned):
    """
    Seconds a launch set aside: granted = free + held + posted + released.

    `open` takes holds; `closing` (launch finished or cancelled) takes none and gives back what is
    free; `closed` once nothing is free or held. The rate's terms are those of the launch.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSING = "closing", _("Closing")
        CLOSED = "closed", _("Closed")

    batch_call_id = models.UUIDField(unique=True)
    campaign_id = models.UUIDField(null=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.OPEN)
    granted_seconds = models.BigIntegerField(default=0)
    free_seconds = models.BigIntegerField(default=0)
    held_seconds = models.BigIntegerField(default=0)
    posted_seconds = models.BigIntegerField(default=0)
    released_seconds = models.BigIntegerField(default=0)
    rate = models.ForeignKey(Rate, models.PROTECT, related_name="+")
    price_per_minute_micros = models.PositiveBigIntegerField()
    increment_seconds = models.PositiveIntegerField()
    minimum_seconds = models.PositiveIntegerField()
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
        return _terms_of(self)


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


class TransactionQuerySet(  # type: ignore[override]  # the plugin's view of as_manager
    AppendOnlyQuerySet["Transaction"], ClientOwnedQuerySet["Transaction"]
):
    """Lines of the ledger: scoped by who looks, fixed once they are numbered."""

    def number(self, row_id: UUID, *, seq: int, balance_after_seconds: int) -> None:
        """
        Give a line its place, in the atomic block that wrote it.

        :raises RowsAreFixed: if it has one
        """
        place = {"seq": seq, "balance_after_seconds": balance_after_seconds}
        if not models.QuerySet.update(self.filter(pk=row_id, seq=None), **place):
            raise RowsAreFixed("A line of the ledger is numbered once.")


class Transaction(AppendOnly):
    """
    An unchangeable line of the ledger; a correction is a new line that names the old one.

    The deltas move seconds between accounts: `funding` stands for the world outside, and what the
    others gain or lose, less the debt, is its loss or gain: they sum to zero. `key` is the unique
    cause ("consume:<call>"), `seq` counts a wallet's lines without a gap, `balance_after_seconds`
    is what was available after it. Both are empty only inside the atomic block that writes the
    line. A price stands on what is charged; `seconds` is negative only where an adjustment takes.
    """

    class Type(models.TextChoices):
        PURCHASE = "purchase", _("Purchase")
        RESERVE = "reserve", _("Reserved")
        RELEASE = "release", _("Released")
        CONSUME = "consume", _("Consumed")
        REFUND = "refund", _("Refund")
        ADJUST = "adjust", _("Adjustment")
        EXPIRE = "expire", _("Expired")
        REPAY = "repay", _("Debt paid")
        REVERSE = "reverse", _("Payment taken back")

    class Status(models.TextChoices):
        POSTED = "posted", _("Posted")

    client = models.ForeignKey(Client, models.PROTECT, related_name="+", db_index=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="transactions", db_index=False)
    seq = models.BigIntegerField(null=True)
    key = models.CharField(max_length=120)
    type = models.CharField(max_length=8, choices=Type)
    status = models.CharField(max_length=8, choices=Status, default=Status.POSTED)
    seconds = models.BigIntegerField()
    funding_delta = models.BigIntegerField(default=0)
    available_delta = models.BigIntegerField(default=0)
    reserved_delta = models.BigIntegerField(default=0)
    consumed_delta = models.BigIntegerField(default=0)
    debt_delta = models.BigIntegerField(default=0)
    expired_delta = models.BigIntegerField(default=0)
    balance_after_seconds = models.BigIntegerField(null=True)
    amount_micros = models.BigIntegerField(default=0)
    price_per_minute_micros = models.PositiveBigIntegerField(default=0)
    increment_seconds = models.PositiveIntegerField(default=0)
    minimum_seconds = models.PositiveIntegerField(default=0)
    rate_id = models.UUIDField(null=True, blank=True)
    reservation_id = models.UUIDField(null=True, blank=True)
    campaign_id = models.UUIDField(null=True, blank=True)
    call_id = models.UUIDField(null=True, blank=True)
    payment_id = models.UUIDField(null=True, blank=True)
    corrects_id = models.UUIDField(null=True, blank=True)
    reference_id = models.CharField(max_length=120, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    actor_id = models.UUIDField(null=True, blank=True)
    actor_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    objects = TransactionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "key"], name="transaction_once"),
            models.UniqueConstraint(fields=["wallet", "seq"], name="transaction_seq"),
            models.CheckConstraint(
                condition=models.Q(
                    debt_delta=models.F("funding_delta")
                    + models.F("available_delta")
                    + models.F("reserved_delta")
                    + models.F("consumed_delta")
                    + models.F("expired_delta")
                ),
                name="transaction_balanced",
            ),
        ]
        indexes = [
            models.Index(fields=["client", "-created_at"], name="transaction_by_age"),
            models.Index(fields=["client", "type", "-created_at"], name="transaction_by_type"),
            models.Index(fields=["client", "campaign_id"], name="transaction_by_campaign"),
            models.Index(fields=["client", "call_id"], name="transaction_by_call"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.seconds} s"

    # The seed's fields.

    @property
    def minutes(self) -> Decimal:
        return money.minutes(self.seconds)

    @property
    def amount_usd(self) -> Decimal:
        return money.dollars(self.amount_micros)

    @property
    def balance_after_minutes(self) -> Decimal:
        return money.minutes(self.balance_after_seconds or 0)


def _terms_of(row: Rate | Reservation) -> Terms:
    return Terms(row.price_per_minute_micros, row.increment_seconds, row.minimum_seconds)
