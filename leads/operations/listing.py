"""Reads the numbers of a do-not-call list, a line each, and puts them on the client's list, or a campaign's."""

from __future__ import annotations

import re
from itertools import batched, islice
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import F

from convomono.lib import files
from convomono.lib.ids import uuid7
from convomono.lib.phone import NumberRefused, parse_number
from leads.models import LeadOperation, LeadOperationRow, Suppression
from leads.operations.kinds import LISTED, NO_NUMBER
from leads.operations.work import SLICE, TRIES, Overtaken, finish, move, tried
from leads.services.statuses import Cause, Why
from leads.services.suppressions import keep_listed, mark_leads, new_entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from leads.imports.work import Pace

MAX_BYTES = 20 * 1024 * 1024
MAX_LINE = 2000
LABEL = 40  # characters kept of a line without a number
_CELLS = re.compile(r"[,;\t|\"]")
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
        for part in batched(islice(file_lines(operation.stored_name), done, None), SLICE):
            done += len(part)
            _write_slice(operation, part, done=done, pace=pace, now=now)
            pace.rest()
    except Overtaken:
        return False
    except FileNotFoundError:
        if LeadOperation.objects.filter(pk=operation.pk, status=Status.RUNNING).exists():
            raise
        return False  # somebody cancelled it this moment, and the file went with it
    files.delete_stored(operation.stored_name)
    LeadOperation.objects.filter(pk=operation.pk).update(stored_name="")
    return finish(operation, from_status=Status.RUNNING, to_status=Status.DONE, now=now)


def file_lines(stored_name: str) -> Iterator[str]:
    """Yield the lines of the file that say something, at most 2,000 characters of each."""
    with files.open_stored(stored_name) as stream:
        is_rest = False
        while line := stream.readline(MAX_LINE):
            text = line.decode("utf-8-sig", errors="replace").replace("\x00", "").strip()
            if text and not is_rest:
                yield text
            is_rest = not line.endswith(b"\n")  # of a line that is longer


def number_in(line: str, country: str) -> str:
    """Return the first number of the line in E.164; empty if none may be called."""
    for cell in _CELLS.split(line):
        try:
            return parse_number(cell, country).e164
        except NumberRefused:
            continue
    return ""


def _write_slice(
    operation: LeadOperation, lines: Sequence[str], *, done: int, pace: Pace, now: datetime
) -> None:
    for _attempt in range(TRIES):
        rows, entries, listed = _plan(operation, lines, now)
        skipped = len(rows) - len(entries)

        def block(
            rows: Sequence[LeadOperationRow] = rows,
            entries: Sequence[Suppression] = entries,
            listed: Sequence[str] = listed,
            skipped: int = skipped,
        ) -> None:
            move(
                operation,
                Status.RUNNING,
                cursor_id=UUID(int=done),
                progressed_at=pace.real_now(),
                changed_count=F("changed_count") + len(entries),
                skipped_count=F("skipped_count") + skipped,
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
            operation.cursor_id = UUID(int=done)
            return
    raise Overtaken


def _plan(
    operation: LeadOperation, lines: Sequence[str], now: datetime
) -> tuple[list[LeadOperationRow], list[Suppression], list[str]]:
    numbers = [number_in(line, operation.params["country"]) for line in lines]
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
    for line, number in zip(lines, numbers, strict=True):
        entry = waiting.pop(number, None)  # the first line that names it
        rows.append(
            LeadOperationRow(
                client_id=operation.client_id,
                operation=operation,
                lead_id=entry.pk if entry else uuid7(),
                label=f"…{number[-4:]}" if number else line[:LABEL],
                note="" if entry else LISTED if number else NO_NUMBER,
            )
        )
    return rows, list(entries.values()), listed
