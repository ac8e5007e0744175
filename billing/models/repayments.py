"""What of a payment was paid back, when not all of it was at once."""

from __future__ import annotations

from django.db import models

from accounts.models import ClientOwned, ClientOwnedQuerySet
from billing.models.wallets import Payment


class Repayment(ClientOwned):
    """
    Minutes of a payment that nobody had used and that were paid back; its key is that of the form.

    It is written once, with its line of the ledger and its credit note. `part` counts a payment's
    from 1; together they are what the payment's `repaid_seconds` and `repaid_micros` say.
    """

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="repayments", db_index=False)
    part = models.PositiveIntegerField()
    seconds = models.PositiveBigIntegerField()
    amount_micros = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=200)
    made_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "payment", "part"], name="repayment_once_for_each_part"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} #{self.part}"

    @property
    def line_key(self) -> str:
        """The key of its line of the ledger."""
        return f"reverse:{self.payment_id}:{self.pk}"
