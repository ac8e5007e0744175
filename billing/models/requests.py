"""Credits above the limit, which a second person has to approve."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet


class CreditRequest(ClientOwned):
    """
    A movement of minutes that is larger than one person may make; its key is that of the form.

    It goes from `waiting` to exactly one of `approved` (and then it was made, in the same block) and
    `refused`. `details` are the further arguments of the service that makes it. Seconds are
    negative where an adjustment takes some.
    """

    class Kind(models.TextChoices):
        SELL = "sell", _("Sale")
        ADJUST = "adjust", _("Adjustment")
        REFUND = "refund", _("Refund of a call")
        REVERSE = "reverse", _("Payment back")
        GRANT = "grant", _("Grant")

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        APPROVED = "approved", _("Approved")
        REFUSED = "refused", _("Refused")

    kind = models.CharField(max_length=8, choices=Kind)
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    seconds = models.BigIntegerField()
    amount_micros = models.BigIntegerField(default=0)
    details = models.JSONField(default=dict)
    asked_by_id = models.UUIDField()
    asked_by_email = models.CharField(max_length=254)
    asked_at = models.DateTimeField()
    decided_by_email = models.CharField(max_length=254, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client", "status", "-asked_at"], name="request_by_status")]

    def __str__(self) -> str:
        return f"{self.kind} {self.seconds} s"
