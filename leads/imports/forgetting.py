"""Takes an erased person out of what imports keep: uploads, verdict files, samples, mended rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convomono.lib import files
from leads.imports import verdict_file
from leads.models import LeadImport, LeadImportRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

_ENDED = frozenset({"committed", "undone", "cancelled", "failed"})
_DIGITS = 8  # the end of a number that two people of one list don't share


def forget_in_import(lead_import: LeadImport, is_theirs: Callable[[int], bool]) -> bool | None:
    """
    Take the person whose number `is_theirs` knows (E.164 as an integer) out of an import's files and rows.

    False if they aren't in it. None if they are, or may be, and the import still goes on: ask again
    when it has ended. The upload itself is deleted then: nothing reads it any more.
    """
    has_ended = lead_import.status in _ENDED
    with verdict_file.read(lead_import.verdicts_name) as ledger:
        is_checked = ledger is not None
        phone = ledger.find_phone(is_theirs) if ledger else None
    if not has_ended:
        return (
            None if phone is not None or lead_import.status in {"uploaded", "checking"} else False
        )
    if phone is None and is_checked:
        return False
    _delete_upload(lead_import)
    if phone is None:
        LeadImport.objects.filter(pk=lead_import.pk).update(
            detected={**lead_import.detected, "samples": []}
        )
        return True  # it ended before anybody looked who is in it
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
