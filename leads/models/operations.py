"""Changes to many leads at once, that can be taken back; and the views of the list people keep."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet, User
from leads.models.people import Lead

if TYPE_CHECKING:
    from leads.models.imports import Detected

UNDO_FOR = timedelta(days=30)


class ListReading(TypedDict):
    """
    How a do-not-call list is read: what its file is (without names and samples), and its columns by place.

    `columns` hold numbers, called `names` in the file; `empty` ones held nothing at the top, `others` are
    something else. Those in `lost_plus` lost the + before their country codes. Of a workbook with several
    sheets, `sheets_left` aren't read.
    """

    found: Detected
    columns: list[int]
    names: list[str]
    empty: list[int]
    others: list[int]
    country_column: int  # -1 without one
    lost_plus: list[int]
    sheets_left: list[str]


class OperationParams(TypedDict, total=False):
    """
    What an operation does, and to which leads: `ids`, or all that match `filters` (as in the list).

    `tag`, `campaign_id` and `campaign` (its name), `reason`, `format` ("csv", "xlsx") and `country`
    (of numbers without one) belong to some kinds each; a do-not-call list without a campaign is for all,
    `reading` says how it is read, and `refused_count` how often something in it was no number.
    """

    ids: list[str]
    filters: dict[str, str]
    tag: str
    campaign_id: str
    campaign: str
    reason: str
    format: str
    country: str
    reading: ListReading
    refused_count: int


class LeadOperation(ClientOwned):
    """
    One change to many leads, done by a job in slices; it can be undone for 30 days.

    Status: `queued`, `running`, then `done`, or `cancelled` by somebody on the way, or `failed` with
    `error`. `undoing` and `undone` follow a person's wish. `cursor_at` and `cursor_id` are the age
    and id of the last lead looked at: where a killed worker goes on, in each direction. The counts are
    leads (of a do-not-call list, whose `total_count` is lines, numbers): changed, left alone (`skipped_count`), and on undo taken back and kept as they are.
    `progressed_at` is in real time, `tries_count` how often a worker took it up since and came no further;
    an export begins anew each time, so of it all count. What failed can be undone, and an undo that
    failed (`undone_by_email` says that one was asked for) goes on where it stood.
    """

    class Kind(models.TextChoices):
        TAG = "tag", _("Tag")
        UNTAG = "untag", _("Remove tag")
        ENROL = "enrol", _("Enrol in a campaign")
        SUPPRESS = "suppress", _("Do not call")
        DELETE = "delete", _("Delete")
        EXPORT = "export", _("Export")
        LIST = "list", _("Import of a do-not-call list")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed")
        UNDOING = "undoing", _("Being undone")
        UNDONE = "undone", _("Undone")

    kind = models.CharField(max_length=8, choices=Kind)
    status = models.CharField(max_length=9, choices=Status, default=Status.QUEUED)
    params = models.JSONField(default=dict)  # OperationParams
    total_count = models.PositiveIntegerField(default=0)
    changed_count = models.PositiveIntegerField(default=0)
    skipped_count = models.PositiveIntegerField(default=0)
    undone_count = models.PositiveIntegerField(default=0)
    kept_count = models.PositiveIntegerField(default=0)
    cursor_at = models.DateTimeField(null=True, blank=True)
    cursor_id = models.UUIDField(null=True, blank=True)
    stored_name = models.CharField(max_length=200, blank=True)
    error = models.CharField(max_length=400, blank=True)
    tries_count = models.PositiveSmallIntegerField(default=0)
    created_by_email = models.CharField(max_length=254)
    undone_by_email = models.CharField(max_length=254, blank=True)
    progressed_at = models.DateTimeField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "-created_at"], name="operation_by_age"),
            models.Index(fields=["status", "progressed_at"], name="operation_unfinished"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}"

    @property
    def is_working(self) -> bool:
        return self.status in {self.Status.QUEUED, self.Status.RUNNING, self.Status.UNDOING}

    @property
    def looked_at_count(self) -> int:
        """How many leads it has been through, in the direction it goes now."""
        if self.status in {self.Status.UNDOING, self.Status.UNDONE}:
            return self.undone_count + self.kept_count
        if self.kind == self.Kind.LIST and self.is_working:
            return (
                self.cursor_id.int if self.cursor_id else 0
            )  # lines, of which one may name several
        return self.changed_count + self.skipped_count


class LeadOperationRow(ClientOwned):
    """
    What an operation did to one lead: what has to be put back, and what it looked like afterwards.

    `note` says why the lead was left alone, or why an undo kept it as it is; empty otherwise.
    """

    operation = models.ForeignKey(
        LeadOperation, models.CASCADE, related_name="rows", db_index=False
    )
    lead_id = models.UUIDField()
    label = models.CharField(max_length=200, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    note = models.CharField(max_length=32, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operation", "lead_id"], name="operation_row_once"),
        ]
        indexes = [
            models.Index(fields=["client", "operation", "note", "id"], name="operation_row_note"),
        ]

    def __str__(self) -> str:
        return self.label


class SavedView(ClientOwned):
    """A search of a list that somebody kept; without `user` all of the client's people see it."""

    class List(models.TextChoices):
        LEADS = "leads", _("Leads")
        CAMPAIGNS = "campaigns", _("Campaigns")

    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="+")
    name = models.CharField(max_length=60)
    of_list = models.CharField(max_length=16, choices=List, default=List.LEADS)
    query = models.CharField(max_length=1000)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client", "user", "name"], name="view_by_user")]

    def __str__(self) -> str:
        return self.name


class ScoreWeights(ClientOwned):
    """
    A client's weights of the lead score, by the names of `leads.scoring`; absent ones are usual.

    `scored_at` is the `changed_at` of the weights that every lead has been counted with.
    """

    weights = models.JSONField(default=dict)
    changed_by_email = models.CharField(max_length=254)
    changed_at = models.DateTimeField()
    scored_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client"], name="weights_once")]

    def __str__(self) -> str:
        return str(self.client_id)


class LeadNote(ClientOwned):
    """What somebody wrote down about a lead."""

    # Its own index alone: the database looks for a lead's notes whenever one is deleted.
    lead = models.ForeignKey(Lead, models.CASCADE, related_name="notes")
    text = models.CharField(max_length=2000)
    author_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    def __str__(self) -> str:
        return self.text[:40]
