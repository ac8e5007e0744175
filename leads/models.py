"""People to call, where they came from, what they agreed to, and who must not be called."""

from __future__ import annotations

from typing import TypedDict

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, ClientOwned, ClientOwnedQuerySet
from convomono.lib.models import BaseModel


class Lead(ClientOwned):
    """
    A person in a client's list; a number stands once in it.

    `time_zone` is what the file or a person said; without it `zone_candidates` lists every zone the
    number may be in and a dial needs all of them open. `consent_status` is copied from the latest
    Consent. The summary columns (from `status` on) are written by the campaigns room through
    `leads.services.record_summary`.
    """

    class ConsentStatus(models.TextChoices):
        NONE = "none", _("No consent")
        GIVEN = "given", _("Consent given")
        REVOKED = "revoked", _("Consent revoked")

    class Status(models.TextChoices):
        NEW = "new", _("New")
        QUEUED = "queued", _("Queued")
        CALLED = "called", _("Called")
        REACHED = "reached", _("Reached")
        CONVERTED = "converted", _("Converted")
        EXHAUSTED = "exhausted", _("Not reached")
        INVALID = "invalid", _("Invalid number")
        SUPPRESSED = "suppressed", _("Do not call")

    phone_number = models.CharField(max_length=16)
    first_name = models.CharField(max_length=120, blank=True)
    last_name = models.CharField(max_length=120, blank=True)
    email = models.CharField(max_length=254, blank=True)
    company = models.CharField(max_length=200, blank=True)
    country = models.CharField(max_length=2, blank=True)
    region = models.CharField(max_length=64, blank=True)
    postal_code = models.CharField(max_length=16, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    zone_candidates = models.JSONField(default=list)
    line_type = models.CharField(max_length=16, default="unknown")
    external_id = models.CharField(max_length=120, blank=True)
    tags = models.JSONField(default=list, blank=True)
    # What `searchable()` makes: the search box looks in it, alike on both databases.
    search_text = models.CharField(max_length=1200, blank=True)
    consent_status = models.CharField(
        max_length=8, choices=ConsentStatus, default=ConsentStatus.NONE
    )
    lead_import = models.ForeignKey(
        "LeadImport", models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    status = models.CharField(max_length=16, choices=Status, default=Status.NEW)
    last_outcome = models.CharField(max_length=32, blank=True)
    attempts_count = models.PositiveIntegerField(default=0)
    last_attempted_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    last_call_id = models.UUIDField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "phone_number"], name="lead_number_once"),
        ]
        indexes = [
            models.Index(fields=["client", "-created_at"], name="lead_by_age"),
            models.Index(fields=["client", "status", "-created_at"], name="lead_by_status"),
            models.Index(fields=["client", "lead_import"], name="lead_by_import"),
        ]

    def __str__(self) -> str:
        # The audit trail keeps this, and holds no whole number.
        return self.full_name or f"…{self.phone_number[-4:]}"

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def searchable(self) -> str:
        """Return name, company, e-mail, number and tags (each "#tag "), case-folded."""
        words = (self.full_name, self.company, self.email, self.phone_number, self.external_id)
        marks = "".join(f"#{tag} " for tag in self.tags)
        return f"{' '.join(filter(None, words))} {marks}".casefold()[:1200]

    @property
    def zones(self) -> list[str]:
        """The zones that must all be open for a dial; empty if none is known."""
        return [self.time_zone] if self.time_zone else list(self.zone_candidates)


class Consent(ClientOwned):
    """Proof that a person agreed to be called, how and when; revoking fills `revoked_at`."""

    class Kind(models.TextChoices):
        WRITTEN = "written", _("Prior express written consent")
        EXPRESS = "express", _("Prior express consent")
        EXISTING = "existing", _("Existing business relationship")

    lead = models.ForeignKey(Lead, models.CASCADE, related_name="consents")
    kind = models.CharField(max_length=16, choices=Kind)
    source = models.CharField(max_length=200)
    wording = models.TextField(blank=True)
    given_at = models.DateTimeField()
    lead_import = models.ForeignKey(
        "LeadImport", models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    recorded_by_email = models.CharField(max_length=254)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client", "lead", "-given_at"], name="consent_by_lead")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.source}"


class Suppression(BaseModel):
    """
    A number that must not be called: by anybody, by one client, or by one campaign.

    `scope_key` is "agency:<number>", "client:<id>:<number>" or "campaign:<id>:<number>" and makes
    a number stand once on each list. It doesn't expire.
    """

    class Level(models.TextChoices):
        AGENCY = "agency", _("Agency")
        CLIENT = "client", _("Client")
        CAMPAIGN = "campaign", _("Campaign")

    class Source(models.TextChoices):
        CALL = "call", _("Asked on a call")
        PERSON = "person", _("Added by hand")
        IMPORT = "import", _("Imported")
        API = "api", _("API")

    level = models.CharField(max_length=8, choices=Level)
    client = models.ForeignKey(Client, models.PROTECT, null=True, blank=True, db_index=False)
    campaign_id = models.UUIDField(null=True, blank=True)
    phone_number = models.CharField(max_length=16)
    scope_key = models.CharField(max_length=80, unique=True)
    source = models.CharField(max_length=8, choices=Source)
    reason = models.CharField(max_length=200, blank=True)
    call_id = models.UUIDField(null=True, blank=True)
    added_by_email = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["client", "-created_at"], name="suppression_by_client"),
            models.Index(fields=["phone_number"], name="suppression_by_number"),
        ]

    def __str__(self) -> str:
        return f"…{self.phone_number[-4:]}"  # as with a lead's


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
