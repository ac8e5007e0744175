"""What a client gets in writing: numbered invoices and credit notes, and monthly statements."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet
from billing.models.wallets import Payment
from convomono.lib.models import BaseModel


class Printed(ClientOwned):
    """Something of which a worker makes a PDF when somebody asks for it; its SHA-256 is `pdf_digest`."""

    class File(models.TextChoices):
        NONE = "none", _("Not asked for")
        QUEUED = "queued", _("Being made")
        DONE = "done", _("Ready")
        FAILED = "failed", _("Failed")

    pdf_status = models.CharField(max_length=8, choices=File, default=File.NONE)
    pdf_name = models.CharField(max_length=200, blank=True)
    pdf_error = models.CharField(max_length=400, blank=True)
    pdf_digest = models.CharField(max_length=64, blank=True, db_index=True)

    class Meta:
        abstract = True


class InvoiceSeries(BaseModel):
    """The last number given in a year; numbers have no gap because it moves with the document."""

    name = models.CharField(max_length=16, unique=True)
    last_number = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} {self.last_number}"


class Seller(BaseModel):
    """
    Who the agency is on its invoices; there is one row of the key "agency", or none yet.

    `tax_basis_points` are hundredths of a per cent that amounts include; 0: nothing is said of tax.
    """

    key = models.CharField(max_length=16, unique=True, default="agency")
    name = models.CharField(max_length=120)
    address = models.TextField(blank=True)
    tax_number = models.CharField(max_length=60, blank=True)
    tax_name = models.CharField(max_length=30, blank=True)
    tax_basis_points = models.PositiveIntegerField(default=0)
    changed_by_email = models.CharField(max_length=254)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

    @property
    def lines(self) -> str:
        """Name, address and tax number as they stand on paper."""
        return "\n".join(part for part in (self.name, self.address, self.tax_number) if part)


class Invoice(Printed):
    """
    What a client owes or paid for a purchase; a credit note takes one back and names it.

    It is written once, in the block of its payment, and keeps what stood in it: who sold, who
    bought, minutes, amount and the tax in it. A payment that is paid back in parts has a credit note
    for each `part`, from 1; everything else has part 0. Whether it was paid stands on the payment and on no
    paper: that changes.
    """

    class Kind(models.TextChoices):
        INVOICE = "invoice", _("Invoice")
        CREDIT_NOTE = "credit_note", _("Credit note")

    kind = models.CharField(max_length=12, choices=Kind)
    number = models.CharField(max_length=24, unique=True)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="invoices", db_index=False)
    part = models.PositiveIntegerField(default=0)
    corrects_number = models.CharField(max_length=24, blank=True)
    sold_by = models.TextField(blank=True)
    billed_to = models.CharField(max_length=120)
    billed_address = models.TextField(blank=True)
    tax_name = models.CharField(max_length=30, blank=True)
    tax_basis_points = models.PositiveIntegerField(default=0)
    tax_micros = models.PositiveBigIntegerField(default=0)
    seconds = models.PositiveBigIntegerField()
    amount_micros = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=200, blank=True)
    issued_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["payment", "kind", "part"], name="invoice_part_once")
        ]
        indexes = [models.Index(fields=["client", "-issued_at"], name="invoice_by_age")]

    def __str__(self) -> str:
        return self.number

    @property
    def seller_name(self) -> str:
        """The first line of who sold."""
        return self.sold_by.partition("\n")[0]

    @property
    def net_micros(self) -> int:
        """The amount without the tax in it."""
        return self.amount_micros - self.tax_micros

    @property
    def tax_percent(self) -> Decimal:
        """The rate of the tax, such as 8.25."""
        return (Decimal(self.tax_basis_points) / 100).normalize() + 0


class Statement(Printed):
    """
    A client's month in its ledger, from one line to another, with the digest of its CSV.

    The lines never change, so what it says is what it said. `status` is `queued` until a worker has
    made the CSV; until then only the month is known. `opening_seconds` and `closing_seconds` were
    available. `drawn_count` says how many lines of its PDF are drawn while a worker is at it.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Being made")
        DONE = "done", _("Ready")

    month = models.DateField()  # its first day, in the zone
    time_zone = models.CharField(max_length=64)
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    first_seq = models.BigIntegerField(default=0)
    last_seq = models.BigIntegerField(default=0)
    opening_seconds = models.BigIntegerField(default=0)
    closing_seconds = models.BigIntegerField(default=0)
    opening_reserved_seconds = models.BigIntegerField(default=0)
    closing_reserved_seconds = models.BigIntegerField(default=0)
    opening_debt_seconds = models.BigIntegerField(default=0)
    closing_debt_seconds = models.BigIntegerField(default=0)
    # Of each type: lines, seconds, amount_micros, and what was moved, signed: available_seconds,
    # reserved_seconds, debt_seconds. Of calls that cost nothing ("free:<outcome>") the first three.
    totals = models.JSONField(default=dict)
    # False: issued before its CSV had a row for each of them, instead of one for each outcome.
    lists_free_calls = models.BooleanField(default=False)
    csv_name = models.CharField(max_length=200, blank=True)
    digest = models.CharField(max_length=64, blank=True, db_index=True)
    drawn_count = models.PositiveIntegerField(null=True, blank=True)
    asked_at = models.DateTimeField()
    issued_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "month"], name="statement_once")]
        indexes = [
            models.Index(fields=["status", "asked_at"], name="statement_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"

    @property
    def lines_count(self) -> int:
        """How many lines the month has: their numbers have no gap."""
        return self.last_seq - self.first_seq + 1

    @property
    def opening_credit_seconds(self) -> int:
        """What was available or reserved before the month, less what was owed."""
        return self.opening_seconds + self.opening_reserved_seconds - self.opening_debt_seconds

    @property
    def closing_credit_seconds(self) -> int:
        """What is available or reserved after the month, less what is owed."""
        return self.closing_seconds + self.closing_reserved_seconds - self.closing_debt_seconds

    @property
    def knows_debt(self) -> bool:
        """Tell whether anything was owed in the month."""
        moved = any(sums.get("debt_seconds") for sums in self.totals.values())
        return bool(moved or self.opening_debt_seconds or self.closing_debt_seconds)
