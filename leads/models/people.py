"""People to call, where they came from, and what they agreed to."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING
from zlib import crc32

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a number's plan tells; "unknown" is most of America, where mobiles have the numbers of landlines.
LINE_TYPES = {"landline": _("Landline"), "mobile": _("Mobile"), "voip": _("Internet")}
# Letters that nobody types: a zone's mark in them is met by no name and by no digits.
_PRIVATE = 0xE000
# In a mark they stand for what would end it, or begin another: "vip" isn't found in "vip gold".
_WITHIN = str.maketrans({" ": "\ue100", "#": "\ue101"})
MOST_TAGS = 50
NOBODY = "erased:"  # so begins the word that stands in place of an erased person's number
SEARCH_CHARS = 2400  # all of a lead's texts at their longest, with 30 long tags


def zone_mark(zone: str) -> str:
    """Return the word that stands for a zone in `search_text`: no search for "chicago" or "574" finds it."""
    letters = "".join(chr(_PRIVATE + byte) for byte in crc32(zone.encode()).to_bytes(4))
    return f"~{letters} "


def tag_mark(tag: str) -> str:
    """Return the word that stands for a tag in `search_text`."""
    return f"#{tag.casefold().translate(_WITHIN)} "


def marks_of(tags: Iterable[str], zones: Iterable[str]) -> str:
    """Return the beginning of a lead's search text: a mark for each tag and each zone."""
    return "".join([*map(tag_mark, tags), *map(zone_mark, zones)])


@lru_cache(maxsize=4096)
def _marks_and_key(tags: tuple[str, ...], zones: tuple[str, ...]) -> tuple[str, str]:
    marks = marks_of(tags, zones)
    return marks, key_of(marks)  # few in a list of a million, so each is made once


def key_of(marks: str) -> str:
    """Return what stands for these marks in `Lead.marks_key`; empty for none."""
    return blake2b(marks.encode(), digest_size=8).hexdigest() if marks else ""


class Lead(ClientOwned):
    """
    A person in a client's list; a number stands once in it.

    `score` (0 to 100) is what `leads.scoring` makes of the other columns with the client's weights.
    After an erasure (`erased_at`) nothing of the person is left: the number is a made-up word.

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
        ERASED = "erased", _("Erased")

    phone_number = models.CharField(max_length=16)
    # Further numbers of the person, in the order of the file; only the first is dialled.
    other_numbers = models.JSONField(default=list, blank=True)
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
    # What `note_texts()` makes: the search box looks in it, alike on both databases.
    search_text = models.CharField(max_length=SEARCH_CHARS, blank=True)
    # Which `MarkSet` has the lead's tags and zones; written with `search_text` by `note_texts()`.
    marks_key = models.CharField(max_length=16, blank=True)
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
    score = models.PositiveSmallIntegerField(default=0)
    erased_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "phone_number"], name="lead_number_once"),
        ]
        indexes = [
            # Wide enough that a page of a filtered list is found without reading a lead that
            # isn't on it: what no other index finds takes a scan of this one alone. All end with
            # the key: an import gives its leads one instant, and sorting a million of them takes long.
            # None descends: newest leads come last then, and SQLite fills its pages (half of them else).
            models.Index(
                fields=[
                    *("client", "created_at", "id", "status", "consent_status"),
                    *("last_outcome", "attempts_count", "score", "search_text"),
                ],
                name="lead_scan",
            ),
            models.Index(fields=["client", "score", "created_at", "id"], name="lead_by_score"),
            models.Index(fields=["client", "last_attempted_at", "id"], name="lead_by_last_call"),
            models.Index(fields=["client", "attempts_count", "id"], name="lead_by_attempts"),
            models.Index(fields=["client", "last_name", "first_name", "id"], name="lead_by_name"),
            models.Index(fields=["client", "status", "created_at", "id"], name="lead_by_status"),
            models.Index(
                fields=["client", "consent_status", "created_at", "id", "status"],
                name="lead_by_consent",
            ),
            models.Index(
                fields=["client", "last_outcome", "created_at", "id"], name="lead_by_outcome"
            ),
            models.Index(fields=["client", "lead_import", "id"], name="lead_in_import"),
            models.Index(fields=["client", "marks_key", "id"], name="lead_by_marks"),
        ]

    def __str__(self) -> str:
        return self.full_name or self.audited_as

    @property
    def audited_as(self) -> str:
        """What the audit trail keeps: an erasure doesn't reach it, so it holds no name and no whole number."""
        return f"…{self.phone_number[-4:]}"

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def line_label(self) -> str:
        return str(LINE_TYPES.get(self.line_type, _("The number doesn't tell")))

    def note_texts(self) -> None:
        """Bring `search_text` and `marks_key` up to the other columns (`leads.services.marks` wants to know)."""
        words = (self.full_name, self.company, self.email, self.phone_number, self.external_id)
        words += tuple(self.other_numbers)
        marks, self.marks_key = _marks_and_key(tuple(self.tags), tuple(self.zones))
        # The marks first: what is cut off a text too long is the end of a name, which no filter asks for.
        said = " ".join(filter(None, words)).replace("#", "")  # which begins a mark
        self.search_text = f"{marks}{said} ".casefold()[:SEARCH_CHARS]

    @property
    def marks(self) -> str:
        """The marks of its tags and zones."""
        return marks_of(self.tags, self.zones)

    @property
    def zones(self) -> list[str]:
        """The zones that must all be open for a dial; empty if none is known."""
        return [self.time_zone] if self.time_zone else list(self.zone_candidates)


class MarkSet(ClientOwned):
    """
    Tags and zones that leads of a client have together; there is one for each `Lead.marks_key` of theirs.

    There are few, and a tag that few leads have stands in fewer: they tell in which sets to look.
    """

    key = models.CharField(max_length=16)
    marks = models.CharField(max_length=SEARCH_CHARS)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "key"], name="mark_set_once"),
        ]

    def __str__(self) -> str:
        return self.marks


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
    seller = models.CharField(max_length=200, blank=True)  # by whom they agreed to be called
    given_from = models.CharField(max_length=45, blank=True)  # the IP address of a form
    given_at = models.DateTimeField()
    lead_import = models.ForeignKey(
        "LeadImport", models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    recorded_by_email = models.CharField(max_length=254)
    proof_name = models.CharField(max_length=200, blank=True)  # as the file was called
    proof_stored = models.CharField(max_length=200, blank=True)  # where it is kept
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by_email = models.CharField(max_length=254, blank=True)
    revoked_how = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client", "lead", "-given_at"], name="consent_by_lead")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.source}"
