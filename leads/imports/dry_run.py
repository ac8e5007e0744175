"""The dry run: every row of the file gets its verdict, and no lead is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convomono.lib.db import run_atomic
from leads.imports.judge import count, judge
from leads.imports.verdicts import Verdict
from leads.imports.work import ImportFailed, Rate, fail, merged, opened
from leads.models import LeadImport, LeadImportRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from leads.imports.rows import ReadRow
    from leads.imports.work import Pace, Work

Status = LeadImport.Status


def check_rows(*, lead_import: LeadImport, pace: Pace, now: datetime) -> None:
    """
    Go on with the dry run where it stands, to the end of the file.

    Each chunk is one transaction: its verdicts, the counts and the offset together. So a killed
    worker's chunk is done again whole, and of two workers only one counts.
    """
    if lead_import.status != Status.CHECKING:
        return
    try:
        with opened(lead_import) as work:
            if not _check_all(work, pace):
                return
    except ImportFailed as exc:
        fail(lead_import, reason=str(exc), now=now)
        return
    LeadImport.objects.filter(
        pk=lead_import.pk, status=Status.CHECKING, rows_done=lead_import.rows_done
    ).update(status=Status.CHECKED, rows_total=lead_import.rows_done, finished_at=now)


def _check_all(work: Work, pace: Pace) -> bool:
    lead_import, rate = work.lead_import, Rate()
    for start, chunk in work.chunks():
        if start + len(chunk) <= lead_import.rows_done:
            continue
        judge(work, chunk)
        rate.rows += len(chunk)
        if not _save_chunk(lead_import, start, chunk, rate=rate, pace=pace):
            return False
        pace.rest()
    return True


def _save_chunk(
    lead_import: LeadImport, start: int, chunk: Sequence[ReadRow], *, rate: Rate, pace: Pace
) -> bool:
    """Store a chunk's verdicts; False if the import was cancelled or another worker did it."""
    progress = {
        "rows_done": start + len(chunk),
        "counts": merged(lead_import.counts, count(chunk)),
        "rows_per_second": rate.per_second(),
        "progressed_at": pace.real_now(),
    }

    def block() -> bool:
        changed = LeadImport.objects.filter(
            pk=lead_import.pk, status=Status.CHECKING, rows_done=start
        ).update(**progress)
        if changed:
            # An earlier dry run, with another mapping, may have said something else of them.
            LeadImportRow.objects.filter(
                lead_import=lead_import, row_number__range=(chunk[0].number, chunk[-1].number)
            ).delete()
            LeadImportRow.objects.bulk_create(verdict_rows(lead_import, chunk))
        return bool(changed)

    if not run_atomic(block):
        return False
    lead_import.rows_done, lead_import.counts = start + len(chunk), progress["counts"]
    return True


def verdict_rows(lead_import: LeadImport, rows: Sequence[ReadRow]) -> list[LeadImportRow]:
    """Return what is stored of rows that are not plainly new."""
    return [
        LeadImportRow(
            client_id=lead_import.client_id,
            lead_import=lead_import,
            row_number=row.number,
            verdict=row.verdict,
            column=row.column,
            reason=row.reason,
            values=row.cells,
        )
        for row in rows
        if row.verdict != Verdict.NEW
    ]
