"""Writes the leads of a list into a file: CSV or a workbook, no cell a formula, memory bounded."""

from __future__ import annotations

import tempfile
from typing import IO, TYPE_CHECKING

import openpyxl

from convomono.lib import files
from convomono.lib.csvio import csv_lines, safe_cell
from leads.lead_table import LEAD_COLUMNS, lead_lines
from leads.models import Lead, LeadOperation
from leads.operations.work import behind, matching_leads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from leads.imports.work import Pace

CHUNK = 1000
# A sheet holds 1,048,576 rows, its heading among them.
SHEET_ROWS = 1_048_575
Status = LeadOperation.Status


class ExportStopped(Exception):
    """Somebody cancelled it on the way."""


def export_leads(*, operation: LeadOperation, pace: Pace, now: datetime) -> bool:
    """
    Make the file of an export; a worker that takes it up after a kill begins anew.

    True when the file is there; False if the export was cancelled, or another worker was quicker.
    """
    claimed = LeadOperation.objects.filter(
        pk=operation.pk, status__in=(Status.QUEUED, Status.RUNNING)
    ).update(status=Status.RUNNING, changed_count=0, progressed_at=pace.real_now())
    if not claimed:
        return False
    is_book = operation.params.get("format") == "xlsx"
    with tempfile.TemporaryFile("w+b") as target:
        try:
            (_write_book if is_book else _write_csv)(_leads(operation, pace), target)
        except ExportStopped:
            return False
        target.seek(0)
        stored = files.store(
            room="exports",
            client_id=operation.client_id,
            suffix=".xlsx" if is_book else ".csv",
            content=target,
        )
    done = LeadOperation.objects.filter(pk=operation.pk, status=Status.RUNNING).update(
        status=Status.DONE, stored_name=stored, finished_at=now
    )
    if not done:
        files.delete_stored(stored)
    return bool(done)


def _leads(operation: LeadOperation, pace: Pace) -> Iterator[Lead]:
    """
    Yield the leads, a chunk's query at a time, and say after each how far that is.

    A query left open while its connection writes is a read that SQLite can't turn into a write once anybody
    else has committed: "database is locked", at once.
    """
    rows, at, last, number = matching_leads(operation), None, None, 0
    while chunk := list(behind(rows, at, last)[:CHUNK]):
        yield from chunk
        at, last = chunk[-1].created_at, chunk[-1].pk
        number += len(chunk)
        going = LeadOperation.objects.filter(pk=operation.pk, status=Status.RUNNING).update(
            changed_count=number, progressed_at=pace.real_now()
        )
        if not going:
            raise ExportStopped


def _write_csv(leads: Iterator[Lead], target: IO[bytes]) -> None:
    for line in csv_lines(lead_lines(leads)):
        target.write(line.encode())


def _write_book(leads: Iterator[Lead], target: IO[bytes]) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Leads")
    for number, cells in enumerate(lead_lines(leads)):
        if number and number % SHEET_ROWS == 0:
            sheet = book.create_sheet()
            sheet.append(list(LEAD_COLUMNS))
        sheet.append([cell if isinstance(cell, int) else safe_cell(cell) for cell in cells])
    book.save(target)
