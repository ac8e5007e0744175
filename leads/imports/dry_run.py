"""The dry run: every row of the file gets its verdict, and no lead is touched."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from leads.imports.cells import is_no
from leads.imports.doubles import refuse_doubles, take_in_refusals
from leads.imports.judge import ConsentDays, judge, known_leads, warnings_of
from leads.imports.verdict_file import Progress, StoredRow, VerdictFile, written
from leads.imports.verdicts import Verdict
from leads.imports.work import ImportFailed, Rate, fail, merged, opened
from leads.models import LeadImport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from leads.imports.doubles import GaveWay
    from leads.imports.rows import ReadRow
    from leads.imports.work import Pace, RawRow, Work

Status = LeadImport.Status
CHUNK_ROWS = 2000
TELL_SECONDS = 0.5  # how often the shared database hears of the progress
SHOWN_NEW_ROWS = (
    1000  # of plainly new rows, and of each warning, the first ones are kept, to be looked at
)
_CALLABLE = frozenset({Verdict.NEW, Verdict.UPDATE})


def check_rows(*, lead_import: LeadImport, pace: Pace, now: datetime) -> None:
    """
    Go on with the dry run where it stands, to the end of the file.

    Verdicts, counts and offset of a chunk are one transaction of the verdict file; the shared
    database hears twice a second. So a killed worker's chunk is done again whole, no other is done
    twice, and of two workers only one counts.
    """
    if lead_import.status != Status.CHECKING:
        return
    try:
        with opened(lead_import) as work, written(lead_import.verdicts_name) as ledger:
            progress = _check_all(work, ledger, pace, now)
    except ImportFailed as exc:
        fail(lead_import, reason=str(exc), now=now)
        return
    if progress is not None:
        goes_on = lead_import.options.get("commit_after")
        _mine(lead_import).update(
            status=Status.COMMITTING if goes_on else Status.CHECKED,
            rows_total=progress.rows,
            rows_done=0 if goes_on else progress.rows,
            counts={} if goes_on else progress.counts,
            zones=progress.zones,
            progressed_at=pace.real_now(),
            finished_at=None if goes_on else now,
        )


def _mine(lead_import: LeadImport):  # type: ignore[no-untyped-def]  # a queryset of django-stubs' own kind
    return LeadImport.objects.filter(
        pk=lead_import.pk, status=Status.CHECKING, verdicts_name=lead_import.verdicts_name
    )


def _check_all(work: Work, ledger: VerdictFile, pace: Pace, now: datetime) -> Progress | None:
    """Return the whole file's sums; None if the import was cancelled or overtaken."""
    progress, rate, told_at = ledger.progress(), Rate(), time.monotonic()
    if _counts_more_than_the_first(work) and not progress.prepared:
        if not _go_through_numbers(work, ledger, progress, pace, now):
            return None
        rate = Rate()
    for raw in work.chunks(CHUNK_ROWS, after=progress.rows):
        start = progress.rows
        rows, gave_way = _judged(work, ledger, raw, now)
        stored = [*gave_way.now, *_stored(rows, shown=progress.counts.get(Verdict.NEW, 0))]
        ledger.warn(_warned(rows, shown=progress.counts))
        _add_up(progress, rows, gave_way.counts)
        if not ledger.save(stored, progress, start=start):
            return None
        rate.rows += len(rows)
        if time.monotonic() - told_at >= TELL_SECONDS or start == 0:
            told_at = time.monotonic()
            if not _tell(work.lead_import, progress, rate, pace):
                return None
        pace.rest()
    return progress


def _counts_more_than_the_first(work: Work) -> bool:
    """Tell whether of rows with one number others than the first say something that holds."""
    reader = work.reader
    is_first = work.plan.options["duplicates"] == "first"
    return not is_first or reader.given_place is not None or bool(reader.listing_places)


def _go_through_numbers(
    work: Work, ledger: VerdictFile, progress: Progress, pace: Pace, now: datetime
) -> bool:
    """
    Find, before any verdict, which row stands for each number, what it takes in, and of whom one says no.

    Each chunk is committed: a file that one transaction held would be locked to everybody. Twice is
    once. False if the import was cancelled or overtaken.
    """
    judges, rate, told_at = ConsentDays(work, now.date()), Rate(), time.monotonic()
    for raw in work.chunks(CHUNK_ROWS, after=progress.numbers):
        _note_numbers(work, ledger, raw, judges)
        progress.numbers += len(raw)
        rate.rows += len(raw)
        if not ledger.save((), progress, start=0):
            return False
        if time.monotonic() - told_at >= TELL_SECONDS or progress.numbers == len(raw):
            told_at = time.monotonic()
            if not _tell(work.lead_import, progress, rate, pace):
                return False
        pace.rest()
    ledger.keep_others()
    progress.prepared = True
    return ledger.save((), progress, start=0)


def _note_numbers(
    work: Work, ledger: VerdictFile, raw: Sequence[RawRow], judges: ConsentDays
) -> None:
    duplicates = work.plan.options["duplicates"]
    says_no, says_listed = work.reader.says_no, work.reader.says_listed
    # Of a file whose first rows stand only those are read that say no.
    rows = [
        work.read(one)
        for one in raw
        if duplicates != "first" or says_no(one[1]) or says_listed(one[1])
    ]
    if duplicates == "merge":
        kept = ledger.keep([(row.value, row.number) for row in rows if not row.verdict])
        ledger.add_parts(
            (kept[row.number], row.number, row.cells) for row in rows if row.number in kept
        )
    elif duplicates == "last":
        ledger.keep_last(
            (row.value, row.number, judges.is_good(row)) for row in rows if not row.verdict
        )
    noes = [row for row in rows if row.value and says_no(row.cells)]
    ledger.refuse(row.value for row in noes)
    told = [(row.value, row.number, work.reader.consent_said(row.cells)) for row in noes]
    ledger.note_noes(one for one in told if is_no(one[2]))
    ledger.note_listed(
        (phone, listing)
        for row in rows
        for listing in work.reader.listings(row)
        for phone in row.numbers
    )


def _judged(
    work: Work, ledger: VerdictFile, raw: Sequence[RawRow], now: datetime
) -> tuple[list[ReadRow], GaveWay]:
    if work.plan.options["duplicates"] == "merge":
        parts = ledger.parts(raw[0][0], raw[-1][0])
        rows = [work.read(one, parts.get(one[0])) for one in raw]
    else:
        read = work.reader.read
        rows = [read(number, cells) for number, cells in raw]
    take_in_refusals(work, ledger, rows)
    gave_way = refuse_doubles(ledger, rows, ConsentDays(work, now.date()))
    known = known_leads(work, [row.e164 for row in rows if not row.verdict])
    judge(work, rows, known, now=now)
    return rows, gave_way


def _add_up(progress: Progress, rows: Sequence[ReadRow], gave_way: dict[str, int]) -> None:
    counts = Counter([str(row.verdict) for row in rows])
    progress.rows += len(rows)
    sums = merged(merged(merged(progress.counts, counts), warnings_of(rows)), gave_way)
    progress.counts = {name: number for name, number in sums.items() if number}
    zones = Counter([(row.place, row.zones) for row in rows if row.verdict in _CALLABLE])
    for (place, some), number in zones.items():
        name = zone_key(place, some)
        progress.zones[name] = progress.zones.get(name, 0) + number


def zone_key(place: str, zones: Sequence[str]) -> str:
    """Return the name under which an import counts people of a place with these zones."""
    return f"{place}|{','.join(zones)}"


def _stored(rows: Sequence[ReadRow], *, shown: int) -> list[StoredRow]:
    """Return what is kept of a chunk: all but plainly new rows, and those until so many are `shown`."""
    room, kept = SHOWN_NEW_ROWS - shown, []
    for row in rows:
        if row.verdict == Verdict.NEW:
            room -= 1
            if room < 0:
                continue
        kept.append(StoredRow(row.number, row.verdict, row.column, row.reason, row.cells))
    return kept


def _warned(
    rows: Sequence[ReadRow], *, shown: Mapping[str, int]
) -> Iterator[tuple[str, StoredRow]]:
    """Yield a chunk's rows with each of their warnings of which not so many are `shown` yet."""
    room: dict[str, int] = {}
    for row in rows:
        for warning in row.warnings:
            left = room.setdefault(warning, SHOWN_NEW_ROWS - shown.get(warning, 0))
            room[warning] = left - 1
            if left > 0:
                yield warning, StoredRow(row.number, row.verdict, "", "", row.cells)


def _tell(lead_import: LeadImport, progress: Progress, rate: Rate, pace: Pace) -> bool:
    # A file that is gone through twice is half done when the numbers are.
    twice = progress.numbers > 0
    told = _mine(lead_import).update(
        rows_done=(progress.numbers + progress.rows) // 2 if twice else progress.rows,
        counts=progress.counts,
        rows_per_second=rate.per_second() // (1 + twice),
        progressed_at=pace.real_now(),
        tries_count=0,
    )
    pace.wrote()
    return bool(told)
