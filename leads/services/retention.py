"""What nobody needs any more: abandoned uploads, spreadsheets and earlier values after their undo, old exports."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.translation import gettext as _

from audit import actions
from audit.services import System, record
from convomono.lib.db import on_commit, run_atomic
from convomono.lib.files import delete_stored
from convomono.lib.lane import run_bulk
from leads.models import (
    UNDO_FOR,
    AgencyListing,
    LeadImport,
    LeadImportChange,
    LeadImportRow,
    LeadOperation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

ABANDONED_AFTER = timedelta(days=7)
EXPORTS_KEPT_FOR = timedelta(days=7)
_AT_ONCE = 200
Status = LeadImport.Status
_OVER = (Status.COMMITTED, Status.UNDONE, Status.CANCELLED, Status.FAILED)


def end_abandoned_imports(*, now: datetime) -> int:
    """Cancel uploads that nobody has gone on with for a week, and delete their files; return how many."""
    limit = now - ABANDONED_AFTER
    rows = LeadImport.objects.filter(
        Q(started_at=None) | Q(started_at__lt=limit),
        status__in=[Status.UPLOADED, Status.CHECKED],
        created_at__lt=limit,
    )
    ended = 0
    for row in list(rows.order_by("created_at")[:_AT_ONCE]):
        ended += run_atomic(partial(_end, row, now))
    return ended


def _end(row: LeadImport, now: datetime) -> bool:
    ended = LeadImport.objects.filter(
        pk=row.pk, status=row.status, started_at=row.started_at
    ).update(status=Status.CANCELLED, finished_at=now, rows_done=0)
    if ended:
        record(
            actions.LEADS_IMPORT_CANCELLED,
            resource=row,
            actor=System("imports"),
            now=now,
            details={"reason": "abandoned"},
        )
        drop_files(row)
    return bool(ended)


def purge_import_files(*, now: datetime) -> int:
    """
    Delete the spreadsheets and verdicts of imports that can't be undone any more; return how many.

    The receipt stays with its counts, and of each lead that the import had changed; sample rows, mended rows
    and what stood in a lead before go, for they are people's data too.
    """
    over = LeadImport.objects.filter(status__in=_OVER, finished_at__lt=now - UNDO_FOR).exclude(
        stored_name="", verdicts_name=""
    )
    rows = list(over.order_by("finished_at")[:_AT_ONCE])
    for row in rows:
        _forget_earlier_values(row)
        run_atomic(partial(drop_files, row))  # last: as long as there are files, this isn't over
    return len(rows)


def _forget_earlier_values(row: LeadImport) -> None:
    """Keep of each change which columns it was; what is forgotten already costs a read."""
    changes, last = LeadImportChange.objects.filter(lead_import_id=row.pk), None
    while True:
        rest = changes.filter(lead_id__gt=last) if last else changes
        some = list(rest.order_by("lead_id").only("lead_id", "before")[:_AT_ONCE])
        if not some:
            return
        last = some[-1].lead_id
        alike: dict[tuple[str, ...], list[UUID]] = defaultdict(list)
        for change in some:
            if any(value is not None for value in change.before.values()):
                alike[tuple(change.before)].append(change.pk)
        if alike:
            run_bulk(partial(_blank, alike))


def _blank(alike: Mapping[tuple[str, ...], Sequence[UUID]]) -> None:
    for names, keys in alike.items():
        LeadImportChange.objects.filter(pk__in=keys).update(before=dict.fromkeys(names))


def drop_files(row: LeadImport) -> None:
    """Delete an import's spreadsheet, verdicts, sample and mended rows, inside the caller's atomic block."""
    LeadImport.objects.filter(pk=row.pk).update(
        stored_name="", verdicts_name="", detected={**row.detected, "samples": []}
    )
    LeadImportRow.objects.filter(lead_import_id=row.pk).delete()
    for name in filter(None, (row.stored_name, row.verdicts_name)):
        on_commit(partial(delete_stored, name))


def purge_exports(*, now: datetime) -> int:
    """Delete the files of exports, and what do-not-call lists left, when they are a week old; return how many."""
    kinds = LeadOperation.Kind
    old = LeadOperation.objects.filter(
        kind__in=[kinds.EXPORT, kinds.LIST], finished_at__lt=now - EXPORTS_KEPT_FOR
    ).exclude(stored_name="")
    rows = list(old.order_by("finished_at")[:_AT_ONCE])
    for row in rows:
        columns = {"stored_name": ""}
        if row.kind == kinds.EXPORT:
            columns["error"] = _("The file was deleted after a week. Export again.")
        LeadOperation.objects.filter(pk=row.pk).update(**columns)
        delete_stored(row.stored_name)
    return len(rows) + _purge_left(before=now - EXPORTS_KEPT_FOR)


def _purge_left(*, before: datetime) -> int:
    """Delete what was no number in the agency's lists, of those that ended before."""
    old = AgencyListing.objects.filter(finished_at__lt=before).exclude(stored_name="")
    rows = list(old.order_by("finished_at")[:_AT_ONCE])
    for row in rows:
        AgencyListing.objects.filter(pk=row.pk).update(stored_name="")
        delete_stored(row.stored_name)
    return len(rows)
