"""What follows an erasure: files that still hold the person are cleaned by a job, until none does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from convomono.lib import files
from convomono.lib.keys import beside
from leads.imports.forgetting import forget_in_import
from leads.models import Erasure, LeadImport, LeadOperation, LeadOperationRow
from leads.operations.kinds import ERASED
from leads.services.suppressions import hashed_numbers

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

_ROWS_AT_ONCE = 500


def go_on_forgetting(*, erasure: Erasure, now: datetime) -> bool:
    """
    Clean every import, export and deleted lead from before the erasure; a second time finds none.

    False while an import that holds the person, or may, goes on: it is looked at again when it has ended.
    """

    def is_theirs(phone: int) -> bool:
        return erasure.number_hash in hashed_numbers(f"+{phone}")

    counts = {
        "imports": 0,
        "exports": _delete_exports(erasure),
        "deleted": _forget_deleted(erasure, is_theirs),
        "open": 0,
    }
    imports = LeadImport.objects.filter(
        client_id=erasure.client_id, created_at__lte=erasure.created_at
    )
    # By key: SQLite takes no write from a connection whose query is still open.
    for key in list(imports.order_by("pk").values_list("pk", flat=True)):
        cleaned = forget_in_import(LeadImport.objects.get(pk=key), is_theirs)
        counts["open" if cleaned is None else "imports"] += cleaned is not False
    known = Erasure.objects.get(pk=erasure.pk).counts
    for name in ("imports", "exports", "deleted"):
        counts[name] += known.get(name, 0)
    columns: dict[str, object] = {"counts": counts}
    if not counts["open"]:
        columns |= {"done_at": now, "number_hash": ""}  # the do-not-call entry alone keeps it
    Erasure.objects.filter(pk=erasure.pk).update(**columns)
    return not counts["open"]


def _delete_exports(erasure: Erasure) -> int:
    """
    Delete the client's exports: each may hold the person, and is made again in a minute.

    One under way has read them by now, perhaps: it ends, and its worker throws away what it wrote.
    """
    made = LeadOperation.objects.filter(
        client_id=erasure.client_id,
        kind=LeadOperation.Kind.EXPORT,
        created_at__lte=erasure.created_at,
    )
    made.filter(status=LeadOperation.Status.RUNNING).update(
        status=LeadOperation.Status.FAILED,
        finished_at=erasure.created_at,
        error=_("Somebody was erased while the file was made. Export again."),
    )
    deleted = 0
    for operation in made.exclude(stored_name=""):
        LeadOperation.objects.filter(pk=operation.pk).update(
            stored_name="",
            error=_("The file held somebody who was erased, and is deleted. Export again."),
        )
        files.delete_stored(operation.stored_name)
        deleted += 1
    return deleted


def _forget_deleted(erasure: Erasure, is_theirs: Callable[[int], bool]) -> int:
    """Blank what is kept for the undo of deletions of leads with the person's number; return how many."""
    deletions = LeadOperation.objects.filter(
        client_id=erasure.client_id,
        kind=LeadOperation.Kind.DELETE,
        created_at__lte=erasure.created_at,
    )
    theirs: list[UUID] = []
    for key in list(deletions.values_list("pk", flat=True)):
        rows = LeadOperationRow.objects.filter(operation_id=key).order_by("pk")
        last = None
        while some := list((rows.filter(pk__gt=last) if last else rows)[:_ROWS_AT_ONCE]):
            last = some[-1].pk
            theirs += [row.lead_id for row in some if is_theirs(_number_of(row))]
    # Other changes name the same lead, as it was then.
    return LeadOperationRow.objects.filter(
        beside(client_id=erasure.client_id), lead_id__in=theirs
    ).update(label="", before={}, after={}, note=ERASED)


def _number_of(row: LeadOperationRow) -> int:
    """Return the number of a deleted lead, as an integer; 0 if the row keeps none."""
    rows = row.before.get("rows")
    digits = rows[0]["fields"]["phone_number"].removeprefix("+") if rows else ""
    return int(digits) if digits.isdecimal() else 0
