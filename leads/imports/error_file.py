"""The error file: the rows that were refused as they were, with what is wrong beside them."""

from __future__ import annotations

from heapq import merge
from operator import attrgetter
from typing import TYPE_CHECKING

from convomono.lib.csvio import csv_lines
from leads.imports.verdict_file import StoredRow, read
from leads.imports.verdicts import MENDABLE, SUGGESTIONS, Verdict
from leads.models import LeadImportRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leads.models import LeadImport

REASON_COLUMNS = ("_row", "_column", "_reason_code", "_reason", "_suggestion")


def error_lines(*, lead_import: LeadImport, verdict: str = "") -> Iterator[str]:
    """
    Yield the file line by line: the rows with this verdict, else all that can be mended.

    It can be uploaded again as it is: columns that begin with "_" mean nothing there, and the
    apostrophe before a formula is taken off.
    """
    return csv_lines(_rows(lead_import, verdict))


def _rows(lead_import: LeadImport, verdict: str) -> Iterator[list[object]]:
    header = lead_import.detected["header"]
    # A file of ours that is uploaded again doesn't grow a second set of these columns.
    places = [place for place, name in enumerate(header) if name not in REASON_COLUMNS]
    yield [*(header[place] for place in places), *REASON_COLUMNS]
    asked = [verdict] if verdict else sorted(MENDABLE)
    for row in rows_now(lead_import, asked):
        cells = [row.cells[place] if place < len(row.cells) else "" for place in places]
        code = Verdict(row.verdict)
        yield [*cells, row.number, row.column, code, row.reason, SUGGESTIONS.get(code, "")]


def rows_now(
    lead_import: LeadImport, verdicts: Sequence[str], *, after: int = 0
) -> Iterator[StoredRow]:
    """Yield the rows behind row `after` that have one of these verdicts by now, mended ones too, in file order."""
    mended = {
        row.row_number: StoredRow(
            row.row_number, row.verdict, row.column, row.reason, list(row.values)
        )
        for row in LeadImportRow.objects.filter(lead_import_id=lead_import.pk)
    }
    wrong = [row for row in mended.values() if row.verdict in verdicts and row.number > after]
    with read(lead_import.verdicts_name) as ledger:
        if ledger is None:
            return
        others = (row for row in ledger.rows(verdicts, after=after) if row.number not in mended)
        yield from merge(others, sorted(wrong), key=attrgetter("number"))
