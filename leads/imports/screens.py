"""Reads for the pages of an import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.translation import gettext as _

from convomono.lib.pages import PAGE_ROWS, ListPage, page_number
from leads.imports.columns import plain
from leads.imports.dry_run import SHOWN_NEW_ROWS
from leads.imports.verdict_file import read
from leads.imports.verdicts import KEPT, MENDABLE, Verdict
from leads.models import LeadImport, LeadImportRow

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet
    from django.utils.functional import _StrPromise

    from accounts.models import User
    from leads.imports.targets import ImportTarget
    from leads.imports.verdict_file import StoredRow, VerdictFile

SHOWN_COLUMNS = 6


@dataclass(frozen=True)
class VerdictCount:
    """One line of an import's result."""

    verdict: str
    label: _StrPromise | str
    count: int
    looks: str  # the status word whose badge it wears
    has_rows: bool  # whether they can be looked at


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
            has_rows=bool(lead_import.verdicts_name),  # until the file goes, with the undo
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
    )


@dataclass(frozen=True)
class ShownRow:
    """A row of the file on a page: as many cells as the page has columns, and what is said of it."""

    row_number: int
    verdict: str
    label: _StrPromise | str
    looks: str
    column: str
    reason: str
    values: list[str]
    is_mended: bool = False

    @property
    def can_mend(self) -> bool:
        return self.is_mended or self.verdict in MENDABLE


def shown_places(lead_import: LeadImport) -> list[int]:
    """Return which columns the lists of rows show, at most six: those that mean something first."""
    mapping = lead_import.mapping or {"fields": {}, "variables": {}}
    phone = mapping["fields"].get("phone_number")
    meant = {*mapping["fields"].values(), *mapping["variables"].values()}
    places = range(len(lead_import.detected["header"]))
    ranked = sorted(places, key=lambda place: (place != phone, place not in meant, place))
    return sorted(ranked[:SHOWN_COLUMNS])


def sample_rows(lead_import: LeadImport) -> list[list[str]]:
    """Return the first rows below the header as they are read, each as wide as the header at least."""
    width = len(lead_import.detected["header"])
    return [row + [""] * (width - len(row)) for row in lead_import.detected["samples"]]


def rows_with_verdict(
    *, lead_import: LeadImport, verdict: str, page: str | None
) -> ListPage[ShownRow]:
    """
    Return a page of the rows that the dry run gave this verdict, in file order.

    A row that somebody has mended since stays in its place, with its new cells and verdict; before them
    all stand those that mending has given this verdict.
    """
    number = page_number(page)
    skip, more = (number - 1) * PAGE_ROWS, PAGE_ROWS + 1
    mended = {
        row.row_number: row for row in LeadImportRow.objects.filter(lead_import_id=lead_import.pk)
    }
    with read(lead_import.verdicts_name) as ledger:
        if ledger is None:
            return ListPage([], 1, has_next=False, total="0")
        came = [row for key, row in sorted(mended.items()) if _came_to(verdict, row, ledger)]
        first = came[skip : skip + more]
        behind = max(0, skip - len(came))
        rest = list(ledger.rows([verdict], skip=behind, limit=more - len(first)))
        total = ledger.count(verdict) + len(came)
    found = [*first, *(mended.get(row.number) or row for row in rest)]
    places = shown_places(lead_import)
    rows = [shown_row(row, places=places) for row in found[:PAGE_ROWS]]
    return ListPage(rows, number, has_next=len(found) > PAGE_ROWS, total=f"{total:,}")


def first_rows(lead_import: LeadImport, verdict: str) -> int:
    """Return of how many rows with this verdict the first ones are kept to be looked at; 0 if all are."""
    is_cut = verdict == Verdict.NEW and lead_import.counts.get(verdict, 0) > SHOWN_NEW_ROWS
    return SHOWN_NEW_ROWS if is_cut else 0


def _came_to(verdict: str, row: LeadImportRow, ledger: VerdictFile) -> bool:
    """Tell whether a mended row has this verdict, and the dry run gave it another."""
    before = ledger.row(row.row_number) if row.verdict == verdict else None
    return before is not None and before.verdict != verdict


def shown_row(row: StoredRow | LeadImportRow, *, places: list[int]) -> ShownRow:
    """Return a row of the verdict file, or a mended one, as pages show it."""
    is_mended = isinstance(row, LeadImportRow)
    values = row.values if isinstance(row, LeadImportRow) else row.cells
    return ShownRow(
        row_number=row.row_number if isinstance(row, LeadImportRow) else row.number,
        verdict=row.verdict,
        label=Verdict(row.verdict).label,
        looks=_looks(Verdict(row.verdict)),
        column=row.column,
        reason=row.reason,
        values=[values[place] if place < len(values) else "" for place in places],
        is_mended=is_mended,
    )


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


@dataclass(frozen=True)
class Memory:
    """What a client chose before: for this very header, and for columns of these names."""

    same: LeadImport | None
    habits: dict[str, str]


def remembered(lead_import: LeadImport) -> Memory:
    """Return what the client's last imports say of this one's columns; one query."""
    recent = (
        LeadImport.objects.filter(client_id=lead_import.client_id)
        .filter(~Q(status=LeadImport.Status.UPLOADED))
        .only("detected", "mapping", "options")
        .order_by("-created_at", "-pk")[:30]
    )
    rows = [row for row in recent if row.mapping]
    header = lead_import.detected["header"]
    habits: dict[str, str] = {}
    for row in reversed(rows):
        names = row.detected["header"]
        if row.detected["has_header"]:
            habits |= {plain(names[place]): f for f, place in row.mapping["fields"].items()}
    same = next((row for row in rows if row.detected["header"] == header), None)
    return Memory(same, habits)


def recent_imports(*, viewer: User) -> QuerySet[LeadImport]:
    """Return the imports this person may see, newest first, without samples and mappings."""
    return (
        LeadImport.objects.visible_to(viewer)
        .defer("detected", "mapping", "options")
        .order_by("-created_at", "-pk")
    )


def import_steps(lead_import: LeadImport) -> list[dict[str, str]]:
    """Return the wizard's steps as `components/steps.html` takes them."""
    status = LeadImport.Status(lead_import.status)
    place = {
        LeadImport.Status.UPLOADED: 1,
        LeadImport.Status.CHECKING: 2,
        LeadImport.Status.CHECKED: 2,
        LeadImport.Status.COMMITTING: 3,
        LeadImport.Status.COMMITTED: 4,
        LeadImport.Status.UNDOING: 4,
        LeadImport.Status.UNDONE: 4,
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
    undone: int = 0


def import_progress(lead_import: LeadImport) -> Progress:
    """Return what the progress page shows; the total is unknown (0) if the file doesn't say, or has more than it says."""
    done, rate = lead_import.rows_done, lead_import.rows_per_second
    total = lead_import.rows_total if lead_import.rows_total >= done else 0
    left = (total - done) // rate + 1 if rate and total else None
    undone = sum(n for n in lead_import.undo_counts.values() if isinstance(n, int))
    return Progress(done=done, total=total, rows_per_second=rate, seconds_left=left, undone=undone)


@dataclass(frozen=True)
class ZoneLine:
    """People of one state or country with the same zones: how many, and when they may be called."""

    place: str
    zones: list[str]
    count: int
    opens_at: datetime | None
    is_open: bool


def zone_lines(
    lead_import: LeadImport, target: ImportTarget | None, *, now: datetime, limit: int = 60
) -> list[ZoneLine]:
    """Return where the people are that may be called, most first; without a campaign no hours."""
    ranked = sorted(lead_import.zones.items(), key=lambda item: (-item[1], item[0]))
    lines = []
    for name, count in ranked[:limit]:
        place, _bar, joined = name.partition("|")
        zones = joined.split(",") if joined else []
        country, _dash, state = place.partition("-")
        opens_at = None
        if target is not None:
            opens_at = target.opens_at(country=country, state=state, zones=zones, now=now)
        lines.append(ZoneLine(place, zones, count, opens_at, is_open=opens_at == now))
    return lines
