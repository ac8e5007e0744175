"""The error file: the rows that were refused as they were, with what is wrong beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convomono.lib.csvio import csv_lines
from leads.imports.verdict_file import read
from leads.imports.verdicts import MENDABLE, SUGGESTIONS, Verdict
from leads.models import LeadImportRow

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    mended = set(
        LeadImportRow.objects.filter(lead_import_id=lead_import.pk).values_list(
            "row_number", flat=True
        )
    )
    with read(lead_import.verdicts_name) as ledger:
        for row in ledger.rows(asked) if ledger else ():
            if row.number in mended:
                continue
            cells = [row.cells[place] if place < len(row.cells) else "" for place in places]
            code = Verdict(row.verdict)
            yield [*cells, row.number, row.column, code, row.reason, SUGGESTIONS.get(code, "")]
