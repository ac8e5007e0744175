"""Uploads: what was found in the file, what its columns mean, and the verdict on each row."""

from __future__ import annotations

from typing import TypedDict

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet


class Detected(TypedDict):
    """
    What was found in the file: `format` is "csv" or "xlsx", `samples` the first rows after the header.

    `delimiter` and `encoding` are empty for a workbook. Without a header its names are made up.
    """

    format: str
    encoding: str
    delimiter: str
    has_header: bool
    header: list[str]
    samples: list[list[str]]


class ImportMapping(TypedDict):
    """Which column of the file is what: field names of Lead, and script variables, to indexes."""

    fields: dict[str, int]
    variables: dict[str, int]


class ImportOptions(TypedDict):
    """
    How rows become leads.

    `duplicates` is "first" or "last", `existing` "fill", "overwrite" or "skip"; the consent fields
    are empty without a statement, `consent_given_at` is an ISO instant.
    """

    country: str
    duplicates: str
    existing: str
    tag: str
    defaults: dict[str, str]
    consent_kind: str
    consent_source: str
    consent_wording: str
    consent_given_at: str


class LeadImport(ClientOwned):
    """
    One upload: the file, what its columns mean, the verdict on each row, the receipt.

    Status: `uploaded` waits for its mapping; `checking` is the dry run; `checked` waits for
    somebody to commit; then `committing` and `committed`. `failed` says why in `error`. `counts`
    maps each verdict to its number of rows. `rows_total` is an estimate until the dry run is over.
    `rows_done` is where a killed worker goes on. The commit's chunk from there to `rows_planned`
    counts as `pending`, so that writing it again counts nothing twice. `progressed_at` is in real
    time.
    """

    class Status(models.TextChoices):
        UPLOADED = "uploaded", _("Uploaded")
        CHECKING = "checking", _("Checking")
        CHECKED = "checked", _("Checked")
        COMMITTING = "committing", _("Importing")
        COMMITTED = "committed", _("Imported")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed")

    campaign_id = models.UUIDField(null=True, blank=True)
    file_name = models.CharField(max_length=200)
    stored_name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    status = models.CharField(max_length=16, choices=Status, default=Status.UPLOADED)
    detected = models.JSONField(default=dict)  # Detected
    mapping = models.JSONField(default=dict)  # ImportMapping
    options = models.JSONField(default=dict)  # ImportOptions
    counts = models.JSONField(default=dict)
    rows_total = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    rows_planned = models.PositiveIntegerField(default=0)
    pending = models.JSONField(default=dict)
    rows_per_second = models.PositiveIntegerField(default=0)
    progressed_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=400, blank=True)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "-created_at"], name="import_by_age"),
            models.Index(fields=["client", "sha256"], name="import_by_file"),
            models.Index(fields=["status", "progressed_at"], name="import_unfinished"),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_open(self) -> bool:
        """Whether it can still be cancelled."""
        ended = (self.Status.COMMITTED, self.Status.CANCELLED, self.Status.FAILED)
        return self.status not in ended


SHOWN_COLUMNS = 6


class LeadImportRow(ClientOwned):
    """
    The dry run's verdict on one row that is not plainly new: what the error file and lists show.

    `row_number` counts the file's rows from 1, the header included. `values` is the row as it was.
    """

    lead_import = models.ForeignKey(LeadImport, models.CASCADE, related_name="rows", db_index=False)
    row_number = models.PositiveIntegerField()
    verdict = models.CharField(max_length=32)
    column = models.CharField(max_length=120, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    values = models.JSONField(default=list)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["lead_import", "row_number"], name="import_row_once"),
        ]
        indexes = [
            models.Index(
                fields=["client", "lead_import", "verdict", "row_number"], name="import_row_verdict"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.row_number}: {self.verdict}"

    @property
    def shown_values(self) -> list[str]:
        """As many cells as the lists of rows have columns, six; short rows are filled up."""
        width = min(len(self.lead_import.detected["header"]), SHOWN_COLUMNS)
        return [*self.values, *[""] * width][:width]
