"""Reads the numbers of a do-not-call list and puts them on the client's list, or a campaign's."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import F

from convomono.lib import files
from convomono.lib.ids import uuid7
from leads.models import LeadOperation, LeadOperationRow, Suppression
from leads.operations.kinds import LISTED, NO_NUMBER
from leads.operations.list_file import ListReader, reading_of, slices
from leads.operations.list_left import store_left
from leads.operations.work import SLICE, TRIES, Overtaken, move, tried
from leads.services.statuses import Cause, Why
from leads.services.suppressions import keep_listed, mark_leads, new_entries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from leads.imports.work import Pace
    from leads.operations.list_file import ListLine

Status = LeadOperation.Status


def run_listing(*, operation: LeadOperation, pace: Pace, now: datetime) -> bool:
    """Put the file's numbers on the list; True when it came to its end in this run."""
    claimed = LeadOperation.objects.filter(
        pk=operation.pk, status__in=(Status.QUEUED, Status.RUNNING)
    ).update(status=Status.RUNNING, progressed_at=pace.real_now())
    if not claimed:
        return False
    operation.refresh_from_db()
    # The cursor is the number of lines that are done, written as an id.
    done = operation.cursor_id.int if operation.cursor_id else 0
    try:
        reader = _reader(operation)
        for part in slices(islice(reader.lines(operation.stored_name), done, None), SLICE):
            done += len(part)
            _write_slice(operation, part, done=done, pace=pace, now=now)
            pace.rest()
        return _end(operation, reader, done=done, now=now)
    except Overtaken:
        return False
    except FileNotFoundError:
        if LeadOperation.objects.filter(pk=operation.pk, status=Status.RUNNING).exists():
            raise
        return False  # somebody cancelled it this moment, and the file went with it


def _reader(operation: LeadOperation) -> ListReader:
    country = operation.params["country"]
    reading = operation.params.get("reading")
    return ListReader(reading or reading_of(operation.stored_name, country=country), country)


def _end(operation: LeadOperation, reader: ListReader, *, done: int, now: datetime) -> bool:
    """Let go of the list, and keep what was no number in it; False if somebody ended it this moment."""
    source, left = operation.stored_name, ""
    if operation.params.get("refused_count"):
        left = store_left(reader=reader, stored_name=source, client_id=operation.client_id)
    ended = LeadOperation.objects.filter(pk=operation.pk, status=Status.RUNNING).update(
        status=Status.DONE, finished_at=now, stored_name=left, total_count=done
    )
    files.delete_stored(source if ended else left)
    return bool(ended)


def _write_slice(
    operation: LeadOperation, lines: Sequence[ListLine], *, done: int, pace: Pace, now: datetime
) -> None:
    for _attempt in range(TRIES):
        rows, entries, listed = _plan(operation, lines, now)
        skipped = len(rows) - len(entries)
        refused = sum(row.note == NO_NUMBER for row in rows)
        params = {
            **operation.params,
            "refused_count": operation.params.get("refused_count", 0) + refused,
        }

        def block(
            rows: Sequence[LeadOperationRow] = rows,
            entries: Sequence[Suppression] = entries,
            listed: Sequence[str] = listed,
            skipped: int = skipped,
            params: dict[str, object] = params,
        ) -> None:
            move(
                operation,
                Status.RUNNING,
                cursor_id=UUID(int=done),
                progressed_at=pace.real_now(),
                changed_count=F("changed_count") + len(entries),
                skipped_count=F("skipped_count") + skipped,
                params=params,
            )
            Suppression.objects.bulk_create(entries)
            LeadOperationRow.objects.bulk_create(rows)
            keep_listed(scope_keys=listed, operation_id=operation.pk)
            if "campaign_id" not in operation.params:  # of a campaign's list others don't care
                mark_leads(
                    client_id=operation.client_id,
                    phone_numbers=[one.phone_number for one in entries],
                    cause=Cause(why=Why.LISTED, by_email=operation.created_by_email, at=now),
                )

        if tried(block):
            operation.cursor_id, operation.params = UUID(int=done), params
            return
    raise Overtaken


def _plan(
    operation: LeadOperation, lines: Sequence[ListLine], now: datetime
) -> tuple[list[LeadOperationRow], list[Suppression], list[str]]:
    numbers = [number for line in lines for number in line.numbers]
    campaign_id = operation.params.get("campaign_id")
    like = Suppression(
        level=Suppression.Level.CAMPAIGN if campaign_id else Suppression.Level.CLIENT,
        client_id=operation.client_id,
        campaign_id=UUID(campaign_id) if campaign_id else None,
        reason=operation.params["reason"],
        operation_id=operation.pk,
        added_by_email=operation.created_by_email,
    )
    entries, listed = new_entries(numbers, like=like, now=now)
    waiting, rows = dict(entries), []
    for line in lines:
        for number in line.numbers:
            entry = waiting.pop(number, None)  # the first line that names it
            label, note = f"…{number[-4:]}", "" if entry else LISTED
            rows.append(_row(operation, line, label, note, entry.pk if entry else uuid7()))
        rows += [_row(operation, line, text, NO_NUMBER, uuid7()) for text in line.left]
    return rows, list(entries.values()), listed


def _row(
    operation: LeadOperation, line: ListLine, label: str, note: str, key: UUID
) -> LeadOperationRow:
    return LeadOperationRow(
        client_id=operation.client_id,
        operation=operation,
        lead_id=key,
        label=label,
        before={"line": line.number},
        note=note,
    )
