"""What follows an erasure: files that still hold the person are cleaned by a job, until none does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from convomono.lib import files
from leads.imports.forgetting import forget_in_import
from leads.models import Erasure, LeadImport, LeadOperation
from leads.services.suppressions import hashed_numbers

if TYPE_CHECKING:
    from datetime import datetime


def go_on_forgetting(*, erasure: Erasure, now: datetime) -> bool:
    """
    Clean every import and delete every export that was made before the erasure; a second time finds none.

    False while an import that holds the person, or may, goes on: it is looked at again when it has ended.
    """

    def is_theirs(phone: int) -> bool:
        return erasure.number_hash in hashed_numbers(f"+{phone}")

    counts = {"imports": 0, "exports": _delete_exports(erasure), "open": 0}
    imports = LeadImport.objects.filter(
        client_id=erasure.client_id, created_at__lte=erasure.created_at
    )
    # By key: SQLite takes no write from a connection whose query is still open.
    for key in list(imports.order_by("pk").values_list("pk", flat=True)):
        cleaned = forget_in_import(LeadImport.objects.get(pk=key), is_theirs)
        counts["open" if cleaned is None else "imports"] += cleaned is not False
    known = Erasure.objects.get(pk=erasure.pk).counts
    for name in ("imports", "exports"):
        counts[name] += known.get(name, 0)
    columns: dict[str, object] = {"counts": counts}
    if not counts["open"]:
        columns |= {"done_at": now, "number_hash": ""}  # the do-not-call entry alone keeps it
    Erasure.objects.filter(pk=erasure.pk).update(**columns)
    return not counts["open"]


def _delete_exports(erasure: Erasure) -> int:
    """Delete the client's exports: each may hold the person, and is made again in a minute."""
    exports = LeadOperation.objects.filter(
        client_id=erasure.client_id,
        kind=LeadOperation.Kind.EXPORT,
        created_at__lte=erasure.created_at,
    ).exclude(stored_name="")
    deleted = 0
    for operation in exports:
        LeadOperation.objects.filter(pk=operation.pk).update(
            stored_name="",
            error=_("The file held somebody who was erased, and is deleted. Export again."),
        )
        files.delete_stored(operation.stored_name)
        deleted += 1
    return deleted
