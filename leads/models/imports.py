"""Uploads: what was found in the file, what its columns mean, and the verdict on each row."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet


class Detected(TypedDict):
    """
    What was found in the file: `format` is "csv" or "xlsx", `samples` the first rows after the header.

    `delimiter` and `encoding` are empty for a workbook, whose `sheets` are named and whose `sheet` is
    read (the first if it isn't said, as of a book with one); `sheet_rows` is what each says of its length. Without a
    header its names are made up. `skipped` is how many rows with text stand above it, `quoting` one of
    `csvio.QUOTES`.
    """

    format: str
    encoding: str
    delimiter: str
    has_header: bool
    header: list[str]
    samples: list[list[str]]
    sheet: NotRequired[str]
    sheets: NotRequired[list[str]]
    sheet_rows: NotRequired[list[int]]
    skipped: NotRequired[int]
    quoting: NotRequired[str]


class ImportMapping(TypedDict):
    """Which column of the file is what: field names of Lead, and script variables, to indexes."""

    fields: dict[str, int]
    variables: dict[str, int]


class AgreedOptions(TypedDict):
    """
    How the people of a file agreed to be called.

    One statement for all, whose `consent_given_at` is an ISO instant; with `consent_by_row` only who has a
    day of their own in the file; with an empty kind nobody. What a row says itself comes first.
    """

    consent_kind: str
    consent_source: str
    consent_wording: str
    consent_seller: NotRequired[str]  # imports of before don't say it
    consent_given_at: str
    consent_by_row: bool


class ImportOptions(AgreedOptions):
    """
    How rows become leads.

    `duplicates` is "first", "last" or "merge", `existing` "fill", "overwrite" or "skip";
    `refused_lines` are kinds of line to leave out, `consent_proof` is a stored file. With `lost_plus` bare
    digits are read as if they had a + in front, if that makes them a number. With `commit_after` the commit follows the dry run by itself, as a program may ask.
    """

    country: str
    duplicates: str
    existing: str
    tags: list[str]
    refused_lines: list[str]
    defaults: dict[str, str]
    consent_proof: str
    consent_proof_name: str
    lost_plus: NotRequired[bool]
    commit_after: NotRequired[bool]


class LeadImport(ClientOwned):
    """
    One upload: the file, what its columns mean, the verdict on each row, the receipt.

    Status: `uploaded` waits for its mapping; `checking` is the dry run; `checked` waits for
    somebody to commit; then `committing` and `committed`; `undoing` and `undone` take it back.
    `failed` says why in `error`. `counts` maps each verdict to its number of rows, `zones` each
    "place|zones" to the rows that may be called there. The verdicts themselves are in the stored
    file `verdicts_name`, a new one for each dry run. `rows_total` is an estimate until the dry run
    is over, `rows_done` where a killed worker goes on. `undo_counts` says what was taken back and
    left, by reason. `progressed_at` is in real time, `tries_count` how often a worker took it up since and
    came no further.
    """

    class Status(models.TextChoices):
        UPLOADED = "uploaded", _("Uploaded")
        CHECKING = "checking", _("Checking")
        CHECKED = "checked", _("Checked")
        COMMITTING = "committing", _("Importing")
        COMMITTED = "committed", _("Imported")
        UNDOING = "undoing", _("Being undone")
        UNDONE = "undone", _("Undone")
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
    zones = models.JSONField(default=dict)
    verdicts_name = models.CharField(max_length=200, blank=True)
    undo_counts = models.JSONField(default=dict)
    undo_cursor = models.UUIDField(null=True, blank=True)
    undone_by_email = models.CharField(max_length=254, blank=True)
    rows_per_second = models.PositiveIntegerField(default=0)
    progressed_at = models.DateTimeField(null=True, blank=True)
    tries_count = models.PositiveSmallIntegerField(default=0)
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
    def undo_left(self) -> int:
        """How many leads an undo left as they are."""
        reasons = LeadImportChange.LeftReason.values
        return sum(int(self.undo_counts.get(reason, 0)) for reason in reasons)

    @property
    def is_open(self) -> bool:
        """Whether it can still be cancelled."""
        open_ones = {"uploaded", "checking", "checked", "committing"}
        return self.status in open_ones


class LeadImportRow(ClientOwned):
    """
    A row that somebody mended after the dry run: its new cells, and the verdict they have.

    `row_number` counts the file's rows from 1, the header included. All other verdicts are in the
    import's verdict file.
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


class LeadImportChange(ClientOwned):
    """
    What an import changed in a lead that was there before: enough to take it back.

    `before` maps columns to what they held, and to nothing any more once the undo is over; `stamped_at` is the lead's `updated_at` as the import
    left it: a later one means that somebody has touched the lead since. After an undo a row with
    `left_reason` ("dialled", "changed", "enrolled") names a lead that was left as it is.
    """

    class LeftReason(models.TextChoices):
        DIALLED = "dialled", _("Has been called")
        CHANGED = "changed", _("Changed since")
        ENROLLED = "enrolled", _("Waiting in a launch or another campaign")

    lead_import = models.ForeignKey(
        LeadImport, models.CASCADE, related_name="changes", db_index=False
    )
    lead = models.ForeignKey("Lead", models.CASCADE, related_name="+")
    before = models.JSONField(default=dict)
    stamped_at = models.DateTimeField()
    left_reason = models.CharField(max_length=16, choices=LeftReason, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["lead_import", "lead"], name="import_change_once"),
        ]
        indexes = [
            models.Index(
                fields=["client", "lead_import", "left_reason", "id"], name="import_change_left"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lead_import_id}: {self.lead_id}"
