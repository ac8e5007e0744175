"""Goes through the leads of an operation slice by slice, forwards or back; a killed worker goes on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING

from django.db.models import F, ProtectedError, Q
from django.utils.translation import gettext as _

from convomono.lib.db import IntegrityError, on_commit, run_atomic
from convomono.lib.files import delete_stored
from convomono.lib.lane import run_bulk
from leads.lead_table import leads_matching, leads_named
from leads.models import Lead, LeadOperation, LeadOperationRow
from leads.operations.kinds import ERASED, Stale, change_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from leads.imports.work import Pace
    from leads.operations.kinds import Change

CHUNK = 200
SLICE = 40  # a lead, a row and what hangs on it: within 10 ms on SQLite
TRIES = 5
Status = LeadOperation.Status
UNFINISHED = (Status.QUEUED, Status.RUNNING, Status.UNDOING)


class Overtaken(Exception):
    """Somebody cancelled it, or another worker is at it."""


@dataclass(frozen=True)
class _Everybody:
    """Sees the leads of one client, as its people do."""

    client_id: UUID
    is_agency_staff: bool = False


def matching_leads(operation: LeadOperation) -> QuerySet[Lead]:
    """Return the leads an operation is for that were there when it began, oldest first."""
    viewer = _Everybody(operation.client_id)
    filters = operation.params.get("filters", {})
    if "ids" in operation.params:  # an empty choice is for nobody
        rows = leads_named(viewer=viewer, keys=operation.params["ids"], filters=filters)
    else:
        rows = leads_matching(viewer=viewer, filters=filters)
    return rows.filter(created_at__lte=operation.created_at).order_by("created_at", "pk")


def run_operation(*, operation: LeadOperation, pace: Pace, now: datetime) -> bool:
    """Change what is left to change; True when it came to its end in this run."""
    claimed = LeadOperation.objects.filter(
        pk=operation.pk, status__in=(Status.QUEUED, Status.RUNNING)
    ).update(status=Status.RUNNING, progressed_at=pace.real_now())
    if not claimed:
        return False
    change = change_of(operation, now=now, pace=pace)
    # What the last slice of a killed worker left to settle.
    newest = LeadOperationRow.objects.filter(client_id=operation.client_id, operation=operation)
    change.settle(list(newest.order_by("-pk")[:SLICE]))
    rows = matching_leads(operation)
    operation.refresh_from_db()
    try:
        while chunk := list(behind(rows, operation.cursor_at, operation.cursor_id)[:CHUNK]):
            for part in batched(chunk, SLICE):
                _change_slice(operation, change, part, pace)
                pace.rest()
    except Overtaken:
        return False
    return finish(operation, from_status=Status.RUNNING, to_status=Status.DONE, now=now)


def undo_operation(*, operation: LeadOperation, pace: Pace, now: datetime) -> bool:
    """Take back what is left to take back; True when it came to its end in this run."""
    operation.refresh_from_db()
    if operation.status != Status.UNDOING:
        return False
    change = change_of(operation, now=now, pace=pace)
    done = LeadOperationRow.objects.filter(
        client_id=operation.client_id, operation=operation, note=""
    ).order_by("pk")
    try:
        while part := list(
            (done.filter(pk__gt=operation.cursor_id) if operation.cursor_id else done)[:SLICE]
        ):
            _undo_slice(operation, change, part, pace)
            pace.rest()
    except Overtaken:
        return False
    return finish(operation, from_status=Status.UNDOING, to_status=Status.UNDONE, now=now)


def behind(rows: QuerySet[Lead], at: datetime | None, last: UUID | None) -> QuerySet[Lead]:
    """Return those of `matching_leads` that come after the one of this age and id; all without one."""
    if at is None:
        return rows
    return rows.filter(Q(created_at__gt=at) | Q(created_at=at, pk__gt=last), created_at__gte=at)


def _change_slice(
    operation: LeadOperation, change: Change, leads: Sequence[Lead], pace: Pace
) -> None:
    ids = [lead.pk for lead in leads]
    last = leads[-1]
    for attempt in range(TRIES):
        if attempt:
            leads = list(Lead.objects.filter(pk__in=ids))
        living = [lead for lead in leads if lead.erased_at is None]
        gone = [lead for lead in leads if lead.erased_at is not None]
        rows = [*change.plan(living), *(change.row(lead, note=ERASED) for lead in gone)]
        skipped = sum(bool(row.note) for row in rows)
        by_lead = {row.lead_id: row for row in rows}

        def block(
            leads: Sequence[Lead] = leads,
            rows: Sequence[LeadOperationRow] = rows,
            by_lead: dict[UUID, LeadOperationRow] = by_lead,
            skipped: int = skipped,
            living: int = len(living),
        ) -> None:
            # Whoever was erased since the read must not come back by number or name.
            if Lead.objects.filter(pk__in=by_lead, erased_at=None).count() != living:
                raise Stale
            move(
                operation,
                Status.RUNNING,
                cursor_at=last.created_at,
                cursor_id=last.pk,
                progressed_at=pace.real_now(),
                changed_count=F("changed_count") + len(rows) - skipped,
                skipped_count=F("skipped_count") + skipped,
            )
            change.write(leads, by_lead)
            LeadOperationRow.objects.bulk_create(rows)

        if tried(block):
            operation.cursor_at, operation.cursor_id = last.created_at, last.pk
            change.settle(rows)
            return
    raise Overtaken


def _undo_slice(
    operation: LeadOperation, change: Change, rows: Sequence[LeadOperationRow], pace: Pace
) -> None:
    def block() -> None:
        kept = change.undo(rows)
        move(
            operation,
            Status.UNDOING,
            cursor_id=rows[-1].pk,
            progressed_at=pace.real_now(),
            undone_count=F("undone_count") + len(rows) - len(kept),
            kept_count=F("kept_count") + len(kept),
        )
        for row in rows:
            if note := kept.get(row.lead_id):
                LeadOperationRow.objects.filter(pk=row.pk).update(note=note)

    for _attempt in range(TRIES):
        if tried(block):
            operation.cursor_id = rows[-1].pk
            return
    raise Overtaken


def move(operation: LeadOperation, status: str, **columns: object) -> None:
    """Write how far it is, if nobody else did since: two workers never do a slice twice."""
    moved = LeadOperation.objects.filter(
        pk=operation.pk, status=status, cursor_id=operation.cursor_id
    ).update(**columns, tries_count=0)
    if not moved:
        raise Overtaken


def tried(block: object) -> bool:
    try:
        run_bulk(block)  # type: ignore[arg-type]  # a block of this module
    except (Stale, IntegrityError, ProtectedError):
        return False
    return True


def finish(operation: LeadOperation, *, from_status: str, to_status: str, now: datetime) -> bool:
    return bool(
        LeadOperation.objects.filter(pk=operation.pk, status=from_status).update(
            status=to_status, finished_at=now
        )
    )


def give_up(operation: LeadOperation, *, now: datetime) -> bool:
    """End an operation that gets no further, with a sentence; what it did can be undone. False if it ended."""
    sentence = (
        _("The file couldn't be made. Export again, and ask support if that fails too.")
        if operation.kind == LeadOperation.Kind.EXPORT
        else _("Something went wrong again and again. Ask support; what was done can be undone.")
    )

    def block() -> bool:
        ended = LeadOperation.objects.filter(pk=operation.pk, status__in=UNFINISHED).update(
            status=Status.FAILED, error=sentence, finished_at=now
        )
        if ended:
            drop_list(operation)
        return bool(ended)

    return run_atomic(block)


def drop_list(operation: LeadOperation) -> None:
    """Delete the file of a do-not-call list that is read no further, inside the caller's atomic block."""
    if operation.kind == LeadOperation.Kind.LIST and operation.stored_name:
        LeadOperation.objects.filter(pk=operation.pk).update(stored_name="")
        on_commit(partial(delete_stored, operation.stored_name))
