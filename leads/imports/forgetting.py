"""Takes an erased person out of what imports keep: uploads, verdict files, samples, mended rows."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from convomono.lib import files
from convomono.lib.phone import NumberRefused
from leads.imports import verdict_file
from leads.imports.countries import country_said
from leads.imports.numbers import numbers_in, phone_cell
from leads.imports.source import FEWEST_DIGITS
from leads.imports.verdicts import MENDABLE
from leads.models import LeadImport, LeadImportRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from leads.imports.verdict_file import VerdictFile

_ENDED = frozenset({"committed", "undone", "cancelled", "failed"})
_REFUSED = sorted(MENDABLE)  # what was refused before its number stood for a person
_DIGITS = 8  # the end of a number that two people of one list don't share


def forget_in_import(lead_import: LeadImport, is_theirs: Callable[[int], bool]) -> bool | None:
    """
    Take the person whose number `is_theirs` knows (E.164 as an integer) out of an import's files and rows.

    False if they aren't in it. None if they are, or may be, and the import still goes on: ask again
    when it has ended. The upload itself is deleted then: nothing reads it any more.
    """
    has_ended = lead_import.status in _ENDED
    with verdict_file.read(lead_import.verdicts_name) as ledger:
        # What was stopped may not have been looked at to its end.
        is_checked = ledger is not None and lead_import.status not in {"cancelled", "failed"}
        phone = ledger.find_phone(is_theirs) if ledger else None
        if ledger and phone is None:
            phone = _find_in_rows(lead_import, ledger, is_theirs)
    if not has_ended:
        return (
            None if phone is not None or lead_import.status in {"uploaded", "checking"} else False
        )
    if phone is None and is_checked:
        return False
    held_some = bool(lead_import.stored_name or lead_import.detected["samples"])
    _delete_upload(lead_import)
    if phone is None:
        LeadImport.objects.filter(pk=lead_import.pk).update(
            detected={**lead_import.detected, "samples": []}
        )
        return held_some  # it ended before anybody looked who is in it
    digits = str(phone)[-_DIGITS:]
    with verdict_file.written(lead_import.verdicts_name) as ledger:
        ledger.forget(phone, lambda cells: _holds(cells, digits))
    _forget_rows(lead_import.pk, digits)
    samples = [
        [""] * len(row) if _holds(row, digits) else row for row in lead_import.detected["samples"]
    ]
    LeadImport.objects.filter(pk=lead_import.pk).update(
        detected={**lead_import.detected, "samples": samples}
    )
    return True


def _find_in_rows(
    lead_import: LeadImport, ledger: VerdictFile, is_theirs: Callable[[int], bool]
) -> int | None:
    """Look for the number in the cells of refused rows, which stand for nobody, and of mended ones."""
    place = lead_import.mapping["fields"].get("country")
    mended = LeadImportRow.objects.filter(lead_import_id=lead_import.pk)
    refused = (row.cells for row in ledger.rows(_REFUSED))
    for cells in chain(refused, [list(row.values) for row in mended]):
        own = cells[place] if place is not None and place < len(cells) else ""
        countries = {lead_import.options["country"], country_said(own) or "US"}
        texts = chain(
            cells, (f"+{cell}" for cell in cells if cell.isdecimal())
        )  # one that lost its +
        said = (_phones(cell, country) for cell in texts for country in countries)
        if found := next((phone for phone in chain.from_iterable(said) if is_theirs(phone)), None):
            return found
    return None


def _phones(cell: str, country: str) -> tuple[int, ...]:
    """Return the numbers in a cell as integers."""
    if sum(map(str.isdecimal, cell)) < FEWEST_DIGITS:
        return ()
    try:
        found = numbers_in(phone_cell(cell), country)
    except NumberRefused:
        return ()
    return (found.value, *found.others)


def _delete_upload(lead_import: LeadImport) -> None:
    if lead_import.stored_name:
        LeadImport.objects.filter(pk=lead_import.pk).update(stored_name="")
        files.delete_stored(lead_import.stored_name)


def _forget_rows(import_id: UUID, digits: str) -> None:
    for row in list(LeadImportRow.objects.filter(lead_import_id=import_id)):  # at most 500
        if _holds(row.values, digits):
            LeadImportRow.objects.filter(pk=row.pk).update(values=[""] * len(row.values))


def _holds(cells: Sequence[str], digits: str) -> bool:
    return any(digits in "".join(filter(str.isdecimal, cell)) for cell in cells)
