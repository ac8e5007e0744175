"""The commit: rows become leads with their consent, and are enrolled; resumable and idempotent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import mail_person, notify
from audit import actions
from audit.services import System, record
from convomono.lib.bulk import update_row
from convomono.lib.db import IntegrityError, atomic, on_commit, run_atomic
from convomono.lib.lane import run_bulk
from leads.imports.doubles import take_in_refusals
from leads.imports.judge import ConsentDays, judge, whole_leads
from leads.imports.opting_out import listing_of
from leads.imports.store import LeadMoved, writing_of
from leads.imports.targets import EnrolRow
from leads.imports.verdict_file import StoredRow, VerdictFile, written
from leads.imports.verdicts import CONSENT_REVOKED, KEPT, WRITTEN, Verdict
from leads.imports.wording import sums_sentence
from leads.imports.work import ImportFailed, Rate, fail, merged, opened
from leads.models import Lead, LeadImport, LeadImportRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from leads.imports.rows import ReadRow
    from leads.imports.work import Pace, RawRow, Work

Status = LeadImport.Status
WRITTEN_ROWS = 200  # of all tables, in one transaction
READ_ROWS = 1000
TRIES = 8


@dataclass
class Chunk:
    """Rows of the file that are written together, and the verdicts of those between them."""

    start: int
    end: int = 0
    raw: list[tuple[RawRow, list[list[str]] | None]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    # Without known leads nobody is asked for: the unique key tells if one has come since.
    has_known: bool = False


def commit_rows(*, lead_import: LeadImport, pace: Pace, now: datetime) -> None:
    """
    Go on with the commit where it stands, to the end of the file.

    A chunk's leads, their consent, their enrolment, the counts and the offset are one transaction of
    at most 200 rows. So a killed worker leaves no half chunk, and of two workers one writes it.
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
    size = WRITTEN_ROWS // _rows_a_person(work, ledger.progress().counts)
    for chunk in _chunks(work, ledger, mended, size):
        if not _write(work, ledger, chunk, pace=pace, rate=rate, now=now):
            return False
        rate.rows += chunk.end - chunk.start
    return True


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


def _write(
    work: Work, ledger: VerdictFile, chunk: Chunk, *, pace: Pace, rate: Rate, now: datetime
) -> bool:
    """Write a chunk; False if the import was cancelled, or another worker has done it."""
    for again in range(TRIES):
        rows = [work.read(raw, parts) for raw, parts in chunk.raw]
        take_in_refusals(work, ledger, rows)
        try:
            known = _known(work, rows) if chunk.has_known or again else {}
            written_ = _write_once(work, chunk, rows, known, pace=pace, rate=rate, now=now)
        except (IntegrityError, LeadMoved):
            continue  # somebody was quicker with one of them: look again who is there
        finally:
            pace.wrote()
        changed = [row for row in rows if row.verdict not in WRITTEN]
        if written_ and changed:
            _keep_verdicts(work.lead_import, ledger, changed)
        return written_
    raise ImportFailed(_("Others keep changing the same leads. Upload the file again later."))


def _known(work: Work, rows: list[ReadRow]) -> dict[str, Lead]:
    return whole_leads(work, [row.e164 for row in rows if not row.verdict])


def _write_once(
    work: Work,
    chunk: Chunk,
    rows: list[ReadRow],
    known: dict[str, Lead],
    *,
    pace: Pace,
    rate: Rate,
    now: datetime,
) -> bool:
    lead_import = work.lead_import
    warnings = judge(work, rows, known, now=now)
    kept = [row for row in rows if row.verdict in KEPT]
    for row in kept:
        row.lead = known.get(row.e164)
    writing = writing_of(work, kept, ConsentDays(work, now.date()), now=now)
    writing.listing = listing_of(work, rows, now=now)
    enrolling = _enrolling(kept) if work.target is not None else []
    counts = merged(Counter([str(row.verdict) for row in rows]), chunk.skipped)
    counts = merged(merged(lead_import.counts, counts), warnings)
    pace.rest()

    def block() -> bool:
        stands = {
            "id": lead_import.pk,
            "status": Status.COMMITTING.value,
            "rows_done": chunk.start,
        }
        goes_on = {
            "rows_done": chunk.end,
            "counts": counts,
            "rows_per_second": rate.per_second(),
            "progressed_at": pace.real_now(),
            "tries_count": 0,
        }
        won = update_row(LeadImport, stands, goes_on)
        if won:
            writing.write()
            if enrolling and work.target is not None:
                # By the clock, not by the job's beginning: a launch takes only whom it was shown.
                work.target.enrol(rows=enrolling, now=pace.instant(now))
        return won

    if not run_bulk(block, has_many_pages=True):
        return False
    lead_import.rows_done, lead_import.counts = chunk.end, counts
    return True


def _enrolling(rows: list[ReadRow]) -> list[EnrolRow]:
    """Return the chunk's people who may be called."""
    return [
        EnrolRow(row.lead.pk, row.lead.phone_number, row.lead.zones, row.variables)
        for row in rows
        if row.lead is not None and row.verdict in {Verdict.NEW, Verdict.UPDATE}
    ]


def _keep_verdicts(lead_import: LeadImport, ledger: VerdictFile, rows: list[ReadRow]) -> None:
    """Keep what became true since the dry run, of mended rows too: a new do-not-call, say."""
    ledger.put(
        StoredRow(row.number, row.verdict, row.column, row.reason, row.cells) for row in rows
    )
    ledger.connection.commit()
    for row in rows:
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
