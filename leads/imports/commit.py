"""The commit: rows become leads with their consent, and are enrolled; resumable and idempotent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import mail_person, notify
from audit import actions
from audit.services import System, record
from convomono.lib.bulk import update_row
from convomono.lib.db import IntegrityError, atomic, on_commit, run_atomic
from convomono.lib.lane import is_slice_over, run_bulk
from convomono.lib.reading import read_row
from leads.imports.doubles import take_in_refusals
from leads.imports.judge import ConsentDays, judge, listed_among_rows, warnings_of, whole_leads
from leads.imports.opting_out import listing_of
from leads.imports.store import LeadMoved, writing_of
from leads.imports.targets import EnrolRow
from leads.imports.verdict_file import StoredRow, VerdictFile, written
from leads.imports.verdicts import CONSENT_REVOKED, KEPT, WRITTEN, Verdict
from leads.imports.wording import sums_sentence
from leads.imports.work import ImportFailed, Rate, fail, merged, opened
from leads.models import LeadImport, LeadImportRow
from leads.services.scoring import weighing_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from leads.imports.rows import ReadRow
    from leads.imports.store import Writing
    from leads.imports.work import Pace, RawRow, Work

Status = LeadImport.Status
WRITTEN_ROWS = 200  # of all tables, in one transaction
PARTS = 4  # of that; whoever holds the lock for long writes fewer
READ_ROWS = 1000
TRIES = 8


class _Overtaken(Exception):
    """The import was cancelled, or another worker wrote these rows."""


@dataclass
class Chunk:
    """Rows of the file that are written together, and the verdicts of those between them."""

    start: int
    end: int = 0
    raw: list[tuple[RawRow, list[list[str]] | None]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    # Without known leads nobody is asked for: the unique key tells if one has come since.
    has_known: bool = False


@dataclass(frozen=True)
class Part:
    """A chunk as it is to be written, made before the transaction so that this stays short."""

    chunk: Chunk
    rows: list[ReadRow]
    writing: Writing
    enrolling: list[EnrolRow]
    counts: dict[str, int]


def commit_rows(*, lead_import: LeadImport, pace: Pace, now: datetime) -> None:
    """
    Go on with the commit where it stands, to the end of the file.

    Leads, their consent, their enrolment, the counts and the offset are one transaction of at most 200
    rows, and of as many as it has time for. So a killed worker leaves no half row, and of two workers
    one writes it.
    """
    if lead_import.status != Status.COMMITTING:
        return
    try:
        with opened(lead_import) as work, written(lead_import.verdicts_name) as ledger:
            done = _commit_all(work, ledger, pace, now)
    except ImportFailed as exc:
        fail(lead_import, reason=str(exc), now=now)
        return
    if done:
        _finish(lead_import, now=now)


def _commit_all(work: Work, ledger: VerdictFile, pace: Pace, now: datetime) -> bool:
    rate, lead_import = Rate(), work.lead_import
    mended = {
        row.row_number: row for row in LeadImportRow.objects.filter(lead_import_id=lead_import.pk)
    }
    people = WRITTEN_ROWS // _rows_a_person(work, ledger.progress().counts)
    # What a row puts on the do-not-call list holds for the next ones: they are made ready when it is there.
    at_once = 1 if "opted_out" in dict(work.reader.listing_places) else PARTS
    chunks = _chunks(work, ledger, mended, max(people // at_once, 1))
    waiting: list[Part] = []
    tries = 0
    while True:
        if listed_among_rows(work, [row for part in waiting for row in part.rows]):
            waiting = _ready_again(work, ledger, waiting, now=now)
        if len(waiting) < at_once:
            waiting += _ready(work, ledger, list(islice(chunks, at_once)), now=now)
        if not waiting:
            return True
        try:
            written_ = _write(work, waiting[:at_once], pace=pace, rate=rate, now=now)
        except _Overtaken:
            return False
        except (IntegrityError, LeadMoved):
            tries += 1
            if tries == TRIES:
                raise ImportFailed(
                    _("Others keep changing the same leads. Upload the file again later.")
                ) from None
            waiting = _ready_again(work, ledger, waiting, now=now)
            continue
        tries = 0
        for part in written_:
            _keep_verdicts(lead_import, ledger, part.rows)
        waiting = waiting[len(written_) :]


def _rows_a_person(work: Work, expected: dict[str, int]) -> int:
    """Return how many rows a person takes at most: lead, consent, enrolment, what was before."""
    options = work.plan.options
    states_consent = bool(options["consent_kind"] or options.get("consent_by_row"))
    has_known = bool(expected.get(Verdict.UPDATE))
    takes_back = bool(expected.get(CONSENT_REVOKED))  # lead, its consent, what was before
    person = 1 + states_consent + (work.target is not None) + max(has_known, 2 * takes_back)
    # An entry for each of three numbers, and a lead and its change of status behind each.
    return max(person, 9 * bool(expected.get(Verdict.SUPPRESSED_FILE)))


def _chunks(
    work: Work, ledger: VerdictFile, mended: dict[int, LeadImportRow], size: int
) -> Iterator[Chunk]:
    """Yield what is to be written, from where the import stands; only kept rows are read again."""
    merges = work.plan.options["duplicates"] == "merge"
    chunk = Chunk(start=work.lead_import.rows_done, end=work.lead_import.rows_done)
    for group in work.chunks(READ_ROWS, after=chunk.start):
        first, last = group[0][0], group[-1][0]
        verdicts = ledger.between(first, last)
        parts = ledger.parts(first, last) if merges else {}
        for raw in group:
            number = raw[0]
            verdict = verdicts.get(number, Verdict.NEW)
            if mine := mended.get(number):
                raw, verdict = (number, list(mine.values)), mine.verdict  # noqa: PLW2901
            chunk.end += 1
            if verdict in WRITTEN:
                chunk.has_known |= verdict != Verdict.NEW or number in mended
                chunk.raw.append((raw, parts.get(number)))
            else:
                chunk.skipped[verdict] += 1
            if len(chunk.raw) == size or chunk.end - chunk.start >= READ_ROWS:
                yield chunk
                chunk = Chunk(start=chunk.end, end=chunk.end)
    if chunk.end > chunk.start:
        yield chunk


def _ready_again(
    work: Work, ledger: VerdictFile, parts: Sequence[Part], *, now: datetime
) -> list[Part]:
    """Return parts as they are now that somebody was quicker with one of their people."""
    return _ready(work, ledger, [part.chunk for part in parts], now=now, is_again=True)


def _ready(
    work: Work, ledger: VerdictFile, chunks: list[Chunk], *, now: datetime, is_again: bool = False
) -> list[Part]:
    """Return chunks ready to be written; who is there is looked up where the dry run knew of somebody."""
    rows_of = [[work.read(raw, parts) for raw, parts in chunk.raw] for chunk in chunks]
    rows = list(chain.from_iterable(rows_of))
    take_in_refusals(work, ledger, rows)
    is_asked = is_again or any(chunk.has_known for chunk in chunks)
    numbers = [row.e164 for row in rows if not row.verdict]
    known = whole_leads(work, numbers) if is_asked else {}
    judge(work, rows, known, now=now)
    days, weighing = ConsentDays(work, now.date()), weighing_of(work.lead_import.client_id)
    made = []
    for chunk, mine in zip(chunks, rows_of, strict=True):
        kept = [row for row in mine if row.verdict in KEPT]
        for row in kept:
            row.lead = known.get(row.e164)
        writing = writing_of(work, kept, days, weighing, now=now)
        writing.listing = listing_of(work, mine, now=now)
        enrolling = _enrolling(kept) if work.target is not None else []
        counts = merged(Counter([str(row.verdict) for row in mine]), chunk.skipped)
        counts = merged(counts, warnings_of(mine))
        made.append(Part(chunk, mine, writing, enrolling, counts))
    return made


def _write(
    work: Work, parts: Sequence[Part], *, pace: Pace, rate: Rate, now: datetime
) -> Sequence[Part]:
    """
    Write the first of these parts, as many as one transaction has time for; return them.

    :raises _Overtaken: if the import is no longer at the first one's beginning
    :raises IntegrityError, LeadMoved: if somebody was quicker with one of their people
    """
    lead_import, start = work.lead_import, parts[0].chunk.start
    stands = {"id": lead_import.pk, "status": Status.COMMITTING.value, "rows_done": start}

    def block() -> tuple[Sequence[Part], dict[str, int]]:
        if read_row(LeadImport, stands, ("rows_done",)) is None:
            raise _Overtaken  # before somebody's rows look as if others had been quicker
        counts, done = lead_import.counts, 0
        for part in parts:
            part.writing.write()
            if part.enrolling and work.target is not None:
                # By the clock, not by the job's beginning: a launch takes only whom it was shown.
                enrolled = work.target.enrol(rows=part.enrolling, now=pace.instant(now))
                if enrolled != len(part.enrolling):
                    raise LeadMoved  # into this very campaign: an undo would take that back too
            counts, done = merged(counts, part.counts), done + 1
            if is_slice_over():
                break
        end = parts[done - 1].chunk.end
        goes_on = {
            "rows_done": end,
            "counts": counts,
            "rows_per_second": rate.per_second(),
            "progressed_at": pace.real_now(),
            "tries_count": 0,
        }
        if not update_row(LeadImport, stands, goes_on):
            raise _Overtaken
        return parts[:done], counts

    pace.rest()
    try:
        written_, counts = run_bulk(block, has_many_pages=True)
    finally:
        pace.wrote()
    rate.rows += written_[-1].chunk.end - start
    lead_import.rows_done, lead_import.counts = written_[-1].chunk.end, counts
    return written_


def _enrolling(rows: list[ReadRow]) -> list[EnrolRow]:
    """Return the chunk's people who may be called."""
    return [
        EnrolRow(row.lead.pk, row.lead.phone_number, row.lead.zones, row.variables)
        for row in rows
        if row.lead is not None and row.verdict in {Verdict.NEW, Verdict.UPDATE}
    ]


def _keep_verdicts(lead_import: LeadImport, ledger: VerdictFile, rows: list[ReadRow]) -> None:
    """Keep what became true since the dry run, of mended rows too: a new do-not-call, say."""
    changed = [row for row in rows if row.verdict not in WRITTEN]
    if not changed:
        return
    ledger.put(
        StoredRow(row.number, row.verdict, row.column, row.reason, row.cells) for row in changed
    )
    ledger.connection.commit()
    for row in changed:
        LeadImportRow.objects.filter(lead_import_id=lead_import.pk, row_number=row.number).update(
            verdict=str(row.verdict), column=row.column, reason=row.reason
        )


def _finish(lead_import: LeadImport, *, now: datetime) -> None:
    def block() -> None:
        done = LeadImport.objects.filter(
            pk=lead_import.pk, status=Status.COMMITTING, rows_done=lead_import.rows_done
        ).update(status=Status.COMMITTED, rows_total=lead_import.rows_done, finished_at=now)
        if done:
            _tell(lead_import, now=now)

    run_atomic(block)


@atomic
def _tell(lead_import: LeadImport, *, now: datetime) -> None:
    record(
        actions.LEADS_IMPORTED,
        resource=lead_import,
        actor=System("imports"),
        now=now,
        details={"counts": lead_import.counts},
    )
    notify(
        client=lead_import.client,
        level=Notification.Level.INFO,
        title=lead_import.file_name,
        body=sums_sentence(lead_import.counts),
        url=f"/app/imports/{lead_import.pk}/",
        key=f"import.committed:{lead_import.pk}",
        now=now,
    )
    on_commit(lambda: _mail(lead_import))


def _mail(lead_import: LeadImport) -> None:
    mail_person(
        address=lead_import.created_by_email,
        subject=_("Imported: %(file)s") % {"file": lead_import.file_name},
        text=_("%(sums)s\n\nThe receipt, with the rows that were left out, is under Imports.")
        % {"sums": sums_sentence(lead_import.counts)},
    )
