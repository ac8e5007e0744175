"""The commit: rows become leads with their consent, and are enrolled; resumable and idempotent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from audit import actions
from audit.services import System, record
from convomono.lib.db import atomic, run_atomic
from leads.imports.dry_run import verdict_rows
from leads.imports.judge import count, judge
from leads.imports.store import store_people
from leads.imports.targets import EnrolRow
from leads.imports.verdicts import Verdict
from leads.imports.work import ImportFailed, Rate, fail, merged, opened
from leads.models import LeadImport, LeadImportRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from leads.imports.rows import ReadRow
    from leads.imports.work import Pace, Work

Status = LeadImport.Status


def commit_rows(*, lead_import: LeadImport, pace: Pace, now: datetime) -> None:
    """
    Go on with the commit where it stands, to the end of the file.

    A chunk is planned (its counts stored as `pending`), written in small transactions that may be
    repeated, then counted. Killed in between, the same chunk is written again and counted by its
    plan: nobody is added, enrolled or counted twice.
    """
    if lead_import.status != Status.COMMITTING:
        return
    try:
        with opened(lead_import) as work:
            done = _commit_all(work, pace, now)
    except ImportFailed as exc:
        fail(lead_import, reason=str(exc), now=now)
        return
    if done:
        _finish(lead_import, now=now)


def _commit_all(work: Work, pace: Pace, now: datetime) -> bool:
    lead_import, rate = work.lead_import, Rate()
    for start, chunk in work.chunks():
        if start + len(chunk) <= lead_import.rows_done:
            continue
        judge(work, chunk)
        if not _plan_chunk(lead_import, start, chunk, pace=pace):
            return False
        pace.rest()
        people = store_people(work, chunk, pace=pace, now=now)
        if work.target:
            _enrol(work, people, now=now)
            pace.rest()
        rate.rows += len(chunk)
        if not _count_chunk(lead_import, start, rate=rate, pace=pace):
            return False
        pace.rest()
    return True


def _plan_chunk(
    lead_import: LeadImport, start: int, chunk: Sequence[ReadRow], *, pace: Pace
) -> bool:
    """
    Store what this chunk will count; False if the import was cancelled or overtaken.

    Verdicts that changed since the dry run (a new do-not-call, say) are stored here too.
    """
    plan: dict[str, Any] = {"rows_planned": start + len(chunk), "pending": count(chunk)}
    changed_rows = _changed(lead_import, chunk)

    def block() -> bool:
        won = LeadImport.objects.filter(
            pk=lead_import.pk, status=Status.COMMITTING, rows_done=start, rows_planned=start
        ).update(**plan, progressed_at=pace.real_now())
        if won and changed_rows:
            numbers = [row.number for row in changed_rows]
            LeadImportRow.objects.filter(lead_import=lead_import, row_number__in=numbers).delete()
            LeadImportRow.objects.bulk_create(verdict_rows(lead_import, changed_rows))
        return bool(won)

    won = run_atomic(block)
    lead_import.refresh_from_db()
    # Planned before, by a worker that was killed: then write it again, and count by that plan.
    return won or (lead_import.status == Status.COMMITTING and lead_import.rows_done == start)


def _changed(lead_import: LeadImport, chunk: Sequence[ReadRow]) -> list[ReadRow]:
    stored = dict(
        LeadImportRow.objects.filter(
            lead_import=lead_import, row_number__range=(chunk[0].number, chunk[-1].number)
        ).values_list("row_number", "verdict")
    )
    return [row for row in chunk if row.verdict != stored.get(row.number, Verdict.NEW)]


def _enrol(work: Work, people: Sequence[ReadRow], *, now: datetime) -> None:
    """Enrol the chunk's people who may be called; the target skips who is enrolled already."""
    assert work.target is not None  # asked by the caller
    rows = [
        EnrolRow(row.lead.pk, row.lead.phone_number, row.lead.zones, row.variables)
        for row in people
        if row.lead is not None and row.verdict in {Verdict.NEW, Verdict.UPDATE}
    ]
    if rows:
        work.target.enrol(rows=rows, now=now)


def _count_chunk(lead_import: LeadImport, start: int, *, rate: Rate, pace: Pace) -> bool:
    """Move on behind the chunk; False if another worker has, or somebody cancelled."""
    progress: dict[str, Any] = {
        "rows_done": lead_import.rows_planned,
        "counts": merged(lead_import.counts, lead_import.pending),
        "pending": {},
        "rows_per_second": rate.per_second(),
        "progressed_at": pace.real_now(),
    }
    # A chunk that was being written when somebody cancelled is on the receipt as well.
    here = LeadImport.objects.filter(pk=lead_import.pk, rows_done=start)
    if not here.filter(status=Status.COMMITTING).update(**progress):
        here.filter(status=Status.CANCELLED).update(**progress)
        return False
    lead_import.rows_done, lead_import.counts = progress["rows_done"], progress["counts"]
    return True


@atomic
def _finish(lead_import: LeadImport, *, now: datetime) -> None:
    done = LeadImport.objects.filter(
        pk=lead_import.pk, status=Status.COMMITTING, rows_done=lead_import.rows_done
    ).update(status=Status.COMMITTED, rows_total=lead_import.rows_done, finished_at=now)
    if done:
        record(
            actions.LEADS_IMPORTED,
            resource=lead_import,
            actor=System("imports"),
            now=now,
            details={"counts": lead_import.counts},
        )
