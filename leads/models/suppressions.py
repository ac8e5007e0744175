"""Who must not be called."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from convomono.lib.models import BaseModel

if TYPE_CHECKING:
    from leads.models.operations import ListReading


class Suppression(BaseModel):
    """
    A number that must not be called: by anybody, by one client, or by one campaign.

    `scope_key` is "agency:<number>", "client:<id>:<number>" or "campaign:<id>:<number>" and makes
    a number stand once on each list. It doesn't expire. Of an erased person only the number's hash is
    kept: "#" and its first digits stand in place of the number.
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
        SPOKEN = "spoken", _("Asked by word of mouth")
        BULK = "bulk", _("From the list of leads")
        ERASURE = "erasure", _("Erased person")

    level = models.CharField(max_length=8, choices=Level)
    client = models.ForeignKey(Client, models.PROTECT, null=True, blank=True, db_index=False)
    campaign_id = models.UUIDField(null=True, blank=True)
    phone_number = models.CharField(max_length=16, blank=True)
    scope_key = models.CharField(max_length=80, unique=True)
    source = models.CharField(max_length=8, choices=Source)
    reason = models.CharField(max_length=200, blank=True)
    call_id = models.UUIDField(null=True, blank=True)
    operation_id = models.UUIDField(null=True, blank=True)  # the bulk change that added it
    added_by_email = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["client", "-created_at"], name="suppression_by_client"),
            models.Index(fields=["phone_number"], name="suppression_by_number"),
            models.Index(fields=["-created_at"], name="suppression_by_age"),
        ]

    @property
    def is_erased(self) -> bool:
        return self.phone_number.startswith("#")

    @property
    def said(self) -> str:
        """Return the reason in somebody's words; of a call the platform's code is kept, which says no more."""
        return "" if self.source == self.Source.CALL else self.reason

    def __str__(self) -> str:
        if self.is_erased:
            return str(_("An erased person's number"))
        return f"…{self.phone_number[-4:]}"  # as with a lead's


class ListingResult(TypedDict, total=False):
    """How a list is read, and the first of what was no number: in which line, and what stood there."""

    reading: ListReading
    left: list[tuple[int, str]]


class AgencyListing(BaseModel):
    """
    A list of numbers that was put on the agency's do-not-call list, or is on its way there.

    Counts are numbers: `added_count` new entries, `listed_count` on the list already; `refused_count` is how
    often something was none (`refused` is a ListingResult; texts of lists before that). `lines_done` is where
    a killed worker goes on; `progressed_at` is in real time. `stored_name` is the list, and once that is
    done what was no number in it, for a week. An undo takes off what the list added.
    """

    class Status(models.TextChoices):
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        UNDOING = "undoing", _("Being undone")
        UNDONE = "undone", _("Undone")

    status = models.CharField(max_length=8, choices=Status, default=Status.RUNNING)
    stored_name = models.CharField(max_length=200, blank=True)
    country = models.CharField(max_length=2)
    reason = models.CharField(max_length=200)
    lines_total = models.PositiveIntegerField(default=0)
    lines_done = models.PositiveIntegerField(default=0)
    added_count = models.PositiveIntegerField(default=0)
    listed_count = models.PositiveIntegerField(default=0)
    refused_count = models.PositiveIntegerField(default=0)
    refused = models.JSONField(default=list)
    created_by_email = models.CharField(max_length=254)
    undone_by_email = models.CharField(max_length=254, blank=True)
    progressed_at = models.DateTimeField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["-created_at"], name="listing_by_age"),
            models.Index(fields=["status", "progressed_at"], name="listing_unfinished"),
        ]

    def __str__(self) -> str:
        return self.reason

    @property
    def is_working(self) -> bool:
        return self.status in {self.Status.RUNNING, self.Status.UNDOING}

    @property
    def result(self) -> ListingResult:
        if isinstance(self.refused, dict):
            return self.refused  # type: ignore[return-value]  # as it is written
        return {"left": [(0, text) for text in self.refused]}
