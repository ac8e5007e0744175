"""Which tags and zones a client's leads have together, so that few leads of a rare one are found at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convomono.lib.bulk import insert_rows, new_row
from convomono.lib.ids import uuid7
from convomono.lib.reading import rows_where_in
from leads.models import Lead, MarkSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

MOST_SETS = 500


def know_marks(leads: Iterable[Lead]) -> None:
    """
    Keep the marks of these leads of one client, inside the transaction that writes their `marks_key`.

    A lead whose marks nobody knows would be found by no tag that few leads have.
    """
    wanted = {lead.marks_key: lead for lead in leads if lead.marks_key}
    if not wanted:
        return
    client_id = next(iter(wanted.values())).client_id
    rows = rows_where_in(MarkSet, "key", wanted, ("key",), client_id=client_id)
    known = {key for (key,) in rows}
    insert_rows(
        [
            new_row(MarkSet, id=uuid7(), client_id=client_id, key=key, marks=lead.marks)
            for key, lead in wanted.items()
            if key not in known
        ]
    )


def keys_with(marks: Sequence[str], *, client_id: UUID) -> list[str] | None:
    """Return the keys of the client's sets that hold all of these marks; None if they are too many to name."""
    rows = MarkSet.objects.filter(client_id=client_id)
    for mark in marks:
        rows = rows.filter(marks__contains=mark)
    keys = list(rows.values_list("key", flat=True)[: MOST_SETS + 1])
    return keys if len(keys) <= MOST_SETS else None


def forget_marks(lead: Lead) -> None:
    """Drop what only an erased lead was marked with, inside the transaction that erases it."""
    rows = {"client_id": lead.client_id}
    if lead.marks_key and not Lead.objects.filter(**rows, marks_key=lead.marks_key).exists():
        MarkSet.objects.filter(**rows, key=lead.marks_key).delete()
