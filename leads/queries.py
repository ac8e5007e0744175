"""Reads for the screens of the leads room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils.translation import gettext as _

from leads.imports.verdicts import KEPT, MENDABLE, TZ_UNCERTAIN, Verdict
from leads.models import Lead, LeadImport, LeadImportRow, Suppression

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from django.db.models import QuerySet
    from django.utils.functional import _StrPromise

    from accounts.models import Client, User

SORTS = {
    "newest": ("-created_at", "-pk"),
    "oldest": ("created_at", "pk"),
    "name": ("last_name", "first_name", "pk"),
    "attempts": ("-attempts_count", "pk"),
    "last_call": ("-last_attempted_at", "-pk"),
}
LEAD_COLUMNS = (
    "lead_id",
    "phone_number",
    "first_name",
    "last_name",
    "email",
    "company",
    "country",
    "region",
    "postal_code",
    "time_zone",
    "external_id",
    "tags",
    "status",
    "consent_status",
    "last_outcome",
    "attempts_count",
    "last_attempted_at",
    "created_at",
)


def leads_matching(*, viewer: User, filters: dict[str, Any]) -> QuerySet[Lead]:
    """
    Return the leads this person may see that match, sorted.

    `filters` is a valid LeadFilters' data: q, status, tag, consent, lead_import, sort; empty
    values match all. Words of `q` may stand in any order; a number may be written in any way.
    """
    rows = Lead.objects.visible_to(viewer)
    for word in str(filters.get("q") or "").casefold().split()[:6]:
        digits = "".join(filter(str.isdecimal, word))
        is_number = digits and not any(map(str.isalpha, word)) and "@" not in word
        rows = rows.filter(search_text__contains=digits if is_number else word)
    for name, column in (("status", "status"), ("consent", "consent_status")):
        if value := filters.get(name):
            rows = rows.filter(**{column: value})
    if tag := filters.get("tag"):
        rows = rows.filter(search_text__contains=f"#{tag} ".casefold())
    if import_id := filters.get("lead_import"):
        rows = rows.filter(lead_import_id=import_id)
    return rows.order_by(*SORTS[filters.get("sort") or "newest"])


def lead_lines(rows: QuerySet[Lead]) -> Iterator[list[object]]:
    """Yield the heading and each lead's cells for an export, a few hundred at a time."""
    yield list(LEAD_COLUMNS)
    for lead in rows.iterator(chunk_size=500):
        values = {"lead_id": lead.pk, "tags": ", ".join(lead.tags)}
        yield [
            _text(values[name] if name in values else getattr(lead, name)) for name in LEAD_COLUMNS
        ]


def _text(value: Any) -> object:
    return value.isoformat(timespec="seconds") if hasattr(value, "isoformat") else value


def suppressions_matching(*, client: Client, q: str) -> QuerySet[Suppression]:
    """Return the client's own do-not-call entries, newest first; `q` is a part of the number."""
    rows = Suppression.objects.filter(client=client)
    if digits := "".join(filter(str.isdecimal, q)):
        rows = rows.filter(phone_number__contains=digits)
    return rows.order_by("-created_at", "-pk")


@dataclass(frozen=True)
class VerdictCount:
    """One line of an import's result."""

    verdict: str
    label: _StrPromise | str
    count: int
    looks: str  # the status word whose badge it wears
    has_rows: bool


def verdict_counts(lead_import: LeadImport) -> list[VerdictCount]:
    """Return the verdicts that occur, good ones first, then in the order they are looked for."""
    order = [Verdict.NEW, Verdict.UPDATE, *(one for one in Verdict if one not in KEPT)]
    order.append(Verdict.NO_CONSENT)
    return [
        VerdictCount(
            verdict=verdict,
            label=verdict.label,
            count=count,
            looks=_looks(verdict),
            has_rows=verdict != Verdict.NEW,
        )
        for verdict in order
        if (count := lead_import.counts.get(verdict, 0))
    ]


def _looks(verdict: Verdict) -> str:
    if verdict in {Verdict.NEW, Verdict.UPDATE}:
        return "ready"
    return "failed" if verdict in MENDABLE else "suppressed"


@dataclass(frozen=True)
class ImportSums:
    """What the button and the receipt say."""

    new: int
    updated: int
    kept_only: int
    skipped: int
    mendable: int
    tz_uncertain: int

    @property
    def imported(self) -> int:
        return self.new + self.updated + self.kept_only


def import_sums(lead_import: LeadImport) -> ImportSums:
    """Add an import's verdicts up; skipped is everything that becomes no lead."""
    counts = lead_import.counts
    skipped = sum(counts.get(verdict, 0) for verdict in Verdict if verdict not in KEPT)
    return ImportSums(
        new=counts.get(Verdict.NEW, 0),
        updated=counts.get(Verdict.UPDATE, 0),
        kept_only=counts.get(Verdict.NO_CONSENT, 0),
        skipped=skipped,
        mendable=sum(counts.get(verdict, 0) for verdict in MENDABLE),
        tz_uncertain=counts.get(TZ_UNCERTAIN, 0),
    )


def rows_with_verdict(*, lead_import: LeadImport, verdict: str) -> QuerySet[LeadImportRow]:
    """Return the rows of an import with this verdict (all stored ones if empty), in file order."""
    rows = LeadImportRow.objects.filter(client_id=lead_import.client_id, lead_import=lead_import)
    if verdict:
        rows = rows.filter(verdict=verdict)
    return rows.select_related("lead_import").order_by("row_number")


def same_file_before(lead_import: LeadImport) -> LeadImport | None:
    """Return the client's newest finished import of this very file."""
    return (
        LeadImport.objects.filter(
            client_id=lead_import.client_id,
            sha256=lead_import.sha256,
            status=LeadImport.Status.COMMITTED,
        )
        .exclude(pk=lead_import.pk)
        .order_by("-created_at", "-pk")
        .first()
    )


def remembered_import(lead_import: LeadImport) -> LeadImport | None:
    """Return the client's newest import with the same header whose mapping somebody confirmed."""
    recent = (
        LeadImport.objects.filter(client_id=lead_import.client_id)
        .filter(~Q(status=LeadImport.Status.UPLOADED))
        .order_by("-created_at", "-pk")[:30]
    )
    header = lead_import.detected["header"]
    return next((row for row in recent if row.mapping and row.detected["header"] == header), None)


def recent_imports(*, viewer: User) -> QuerySet[LeadImport]:
    """Return the imports this person may see, newest first, without samples and mappings."""
    return (
        LeadImport.objects.visible_to(viewer)
        .defer("detected", "mapping", "options")
        .order_by("-created_at", "-pk")
    )


def import_choices(*, client_id: UUID) -> list[tuple[str, str]]:
    """Return the client's latest imports for a filter: id, and file with its day."""
    rows = LeadImport.objects.filter(
        client_id=client_id, status=LeadImport.Status.COMMITTED
    ).order_by("-created_at", "-pk")
    return [
        (str(pk), _("%(file)s, %(day)s") % {"file": name, "day": at.strftime("%d %b")})
        for pk, name, at in rows.values_list("pk", "file_name", "created_at")[:25]
    ]


def import_steps(lead_import: LeadImport) -> list[dict[str, str]]:
    """Return the wizard's steps as `components/steps.html` takes them."""
    status = LeadImport.Status(lead_import.status)
    place = {
        LeadImport.Status.UPLOADED: 1,
        LeadImport.Status.CHECKING: 2,
        LeadImport.Status.CHECKED: 2,
        LeadImport.Status.COMMITTING: 3,
        LeadImport.Status.COMMITTED: 4,
    }.get(status, 4)
    labels = (_("File"), _("Columns"), _("Check"), _("Import"))
    return [
        {
            "label": label,
            "state": "done" if number < place else "current" if number == place else "todo",
            "url": "?columns" if number == 1 and status == LeadImport.Status.CHECKED else "",
        }
        for number, label in enumerate(labels)
    ]


@dataclass(frozen=True)
class Progress:
    """How far a running import is; `seconds_left` is None while nobody can tell."""

    done: int
    total: int
    rows_per_second: int
    seconds_left: int | None


def import_progress(lead_import: LeadImport) -> Progress:
    """Return what the progress page shows; the total of a workbook is unknown (0) at first."""
    done, rate = lead_import.rows_done, lead_import.rows_per_second
    total = max(lead_import.rows_total, done) if lead_import.rows_total else 0
    left = (total - done) // rate + 1 if rate and total else None
    return Progress(done=done, total=total, rows_per_second=rate, seconds_left=left)
