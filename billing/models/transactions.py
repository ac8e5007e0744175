"""The ledger: lines that are added and never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, ClientOwnedQuerySet
from billing.models.wallets import Wallet
from convomono.lib import money
from convomono.lib.models import AppendOnly, AppendOnlyQuerySet, RowsAreFixed

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID


class TransactionQuerySet(  # type: ignore[override]  # the plugin's view of as_manager
    AppendOnlyQuerySet["Transaction"], ClientOwnedQuerySet["Transaction"]
):
    """Lines of the ledger: scoped by who looks, fixed once they are numbered."""

    def of(self, client: Client) -> Self:
        """Keep a client's lines; by its wallet, too, whose numbers they are read and ordered by."""
        return self.filter(client=client, wallet=Wallet.of(client))

    def number(self, row_id: UUID, *, seq: int, balance_after_seconds: int, seal: str) -> None:
        """
        Give a line its place, in the atomic block that wrote it.

        :raises RowsAreFixed: if it has one
        """
        place = {"seq": seq, "balance_after_seconds": balance_after_seconds, "seal": seal}
        if not models.QuerySet.update(self.filter(pk=row_id, seq=None), **place):
            raise RowsAreFixed("A line of the ledger is numbered once.")


class Transaction(AppendOnly):
    """
    An unchangeable line of the ledger; a correction is a new line that names the old one.

    The deltas move seconds between accounts: `funding` stands for the world outside, and what the
    others gain or lose, less the debt, is its loss or gain: they sum to zero. `key` is the unique
    cause ("consume:<call>"), `seq` counts a wallet's lines without a gap, `balance_after_seconds`
    is what was available after it, `seal` chains it to the line before (`billing/chain.py`). They are
    empty only inside the atomic block that writes the line. A price stands on what is charged;
    `seconds` is negative only where an adjustment takes.
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
    seal = models.CharField(max_length=64, blank=True, editable=False)

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
            models.Index(fields=["-created_at"], name="transaction_of_agency"),
            models.Index(fields=["client", "type", "-created_at"], name="transaction_by_type"),
            models.Index(fields=["client", "campaign_id"], name="transaction_by_campaign"),
            models.Index(fields=["client", "call_id"], name="transaction_by_call"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.seconds} s"

    @property
    def credit_delta(self) -> int:
        """What it brings or takes: reserving and giving back only move seconds about."""
        return self.available_delta + self.reserved_delta - self.debt_delta

    # The seed's fields.

    @property
    def minutes(self) -> Decimal:
        return money.minutes(self.seconds)

    @property
    def amount_usd(self) -> Decimal:
        return money.dollars(self.amount_micros)

    @property
    def price_per_minute_usd(self) -> Decimal:
        """The price that this line was billed at; 0 where nothing was billed."""
        return money.dollars(self.price_per_minute_micros)

    @property
    def balance_after_minutes(self) -> Decimal:
        return money.minutes(self.balance_after_seconds or 0)
