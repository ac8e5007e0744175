"""Rows mended on the page after the dry run: new cells, a verdict of their own, counts put right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from convomono.lib.db import run_atomic
from leads.imports.doubles import refuse_double, take_in_refusals
from leads.imports.judge import judge, known_leads
from leads.imports.verdict_file import VerdictFile, read
from leads.imports.verdicts import MENDABLE
from leads.imports.work import Work, opened
from leads.models import LeadImport, LeadImportRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from audit.services import Actor
    from leads.imports.rows import ReadRow

MOST_MENDED = 500  # more are mended in the error file, which is uploaded again


class NotMendable(Exception):
    """The row isn't one to mend here, or the import has moved on."""


class TooManyMended(Exception):
    """As many rows as can be mended here have been."""


def row_to_mend(*, lead_import: LeadImport, row_number: int) -> tuple[list[str], str, str, str]:
    """
    Return a row's cells, verdict, column and reason as they stand now.

    :raises NotMendable: if there is no such row, or nothing to mend in it
    """
    mended = LeadImportRow.objects.filter(lead_import=lead_import, row_number=row_number).first()
    if mended is not None:
        return list(mended.values), mended.verdict, mended.column, mended.reason
    with read(lead_import.verdicts_name) as ledger:
        row = ledger.row(row_number) if ledger else None
    if row is None or row.verdict not in MENDABLE:
        raise NotMendable
    return row.cells, row.verdict, row.column, row.reason


def places_to_mend(lead_import: LeadImport, column: str) -> dict[int, bool]:
    """
    Return the columns to type in, all that mean something, in the file's order.

    The one that a refusal names, by its heading or as a variable, is True, and among them whatever it means.
    """
    mapping, header = lead_import.mapping, lead_import.detected["header"]
    meant = {*mapping["fields"].values(), *mapping["variables"].values()}
    wrong = mapping["variables"].get(column, mapping["fields"].get(column))
    if wrong is None and column in header:
        wrong = header.index(column)
    if wrong is not None:
        meant.add(wrong)
    return {place: place == wrong for place in sorted(meant)}


def mend_row(
    *,
    lead_import: LeadImport,
    row_number: int,
    cells: Mapping[int, str],
    actor: Actor,
    now: datetime,
) -> LeadImportRow:
    """
    Put new texts into some cells of a row, by place, and judge it again; the import's counts follow.

    :raises NotMendable: if the import isn't checked (any more)
    :raises TooManyMended: if it has too many mended rows
    :raises ImportFailed: if its file or campaign is gone
    """
    old, _verdict, _column, _reason = row_to_mend(lead_import=lead_import, row_number=row_number)
    width = len(lead_import.detected["header"])
    whole = [*old, *[""] * width][: max(width, len(old))]
    for place, text in cells.items():
        whole[place] = text
    if len(whole) > width:
        whole = whole[:width]
    others = LeadImportRow.objects.filter(lead_import=lead_import).exclude(row_number=row_number)
    if others.count() >= MOST_MENDED:
        raise TooManyMended
    with opened(lead_import) as work, read(lead_import.verdicts_name) as ledger:
        if ledger is None:
            raise NotMendable
        row = _judged(work, ledger, (row_number, whole), others=list(others), now=now)
        return run_atomic(lambda: _keep(lead_import, ledger, row, actor=actor, now=now))


def _judged(
    work: Work,
    ledger: VerdictFile,
    raw: tuple[int, list[str]],
    *,
    others: list[LeadImportRow],
    now: datetime,
) -> ReadRow:
    row = work.read(raw)
    if not row.verdict:
        kept = ledger.kept_row(row.value)
        if kept is None or kept == row.number:
            read_others = (work.read((one.row_number, list(one.values))) for one in others)
            kept = next((one.number for one in read_others if one.value == row.value), None)
        if kept is not None:
            refuse_double(row, kept)
    take_in_refusals(work, ledger, [row])
    judge(work, [row], known_leads(work, [] if row.verdict else [row.e164]), now=now)
    return row


def _keep(
    lead_import: LeadImport, ledger: VerdictFile, row: ReadRow, *, actor: Actor, now: datetime
) -> LeadImportRow:
    mended, _is_new = LeadImportRow.objects.update_or_create(
        lead_import=lead_import,
        row_number=row.number,
        defaults={
            "client_id": lead_import.client_id,
            "verdict": str(row.verdict),
            "column": row.column,
            "reason": row.reason,
            "values": row.cells,
        },
    )
    won = LeadImport.objects.filter(
        pk=lead_import.pk,
        status=LeadImport.Status.CHECKED,
        verdicts_name=lead_import.verdicts_name,
    ).update(counts=_counts(lead_import, ledger))
    if not won:
        raise NotMendable
    record(
        actions.LEADS_IMPORT_ROW_MENDED,
        resource=lead_import,
        actor=actor,
        now=now,
        details={"row": row.number, "verdict": str(row.verdict)},
    )
    return mended


def _counts(lead_import: LeadImport, ledger: VerdictFile) -> dict[str, int]:
    """Return the dry run's counts with every mended row counted anew."""
    counts = dict(ledger.progress().counts)
    rows = LeadImportRow.objects.filter(lead_import=lead_import)
    for number, verdict in rows.values_list("row_number", "verdict"):
        before = ledger.row(number)
        if before is not None:
            counts[before.verdict] = counts.get(before.verdict, 0) - 1
        counts[verdict] = counts.get(verdict, 0) + 1
    return {name: number for name, number in counts.items() if number}
