"""Puts the numbers of a list on the agency's do-not-call list, and takes them off again."""

from __future__ import annotations

from functools import partial
from itertools import batched, islice
from typing import TYPE_CHECKING

from convomono.lib import files
from convomono.lib.db import IntegrityError
from convomono.lib.lane import run_bulk
from leads.models import AgencyListing, Suppression
from leads.operations.list_file import ListReader, reading_of, slices
from leads.operations.list_left import store_left
from leads.services.statuses import Cause, Why
from leads.services.suppressions import free_leads, keep_listed, marked_clients, new_entries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from leads.imports.work import Pace
    from leads.models import ListingResult, ListReading
    from leads.operations.list_file import ListLine

SLICE = 150  # entries in one transaction, with the listing's own row
UNDO_SLICE = 50  # each may have leads of several clients
TRIES = 5
KEPT_REFUSED = 50
Status = AgencyListing.Status


def run_listing(*, listing: AgencyListing, pace: Pace, now: datetime) -> bool:
    """
    Go on with the file where it stands; True when it came to its end in this run.

    A slice's entries, counts and offset are one transaction, so a killed worker leaves no half slice
    and of two workers one writes it.
    """
    if listing.status != Status.RUNNING:
        return False
    reading = listing.result.get("reading") or reading_of(
        listing.stored_name, country=listing.country
    )
    reader = ListReader(reading, listing.country)
    lines = islice(reader.lines(listing.stored_name), listing.lines_done, None)
    for part in slices(lines, SLICE):
        if not _write_slice(listing, part, reading=reading, pace=pace, now=now):
            return False
        pace.rest()
    return _end(listing, reader, now=now)


def _end(listing: AgencyListing, reader: ListReader, *, now: datetime) -> bool:
    """Let go of the list, and keep what was no number in it; False if another worker did."""
    source, left = listing.stored_name, ""
    if listing.refused_count:
        left = store_left(reader=reader, stored_name=source, client_id=None)
    done = AgencyListing.objects.filter(
        pk=listing.pk, status=Status.RUNNING, lines_done=listing.lines_done
    ).update(status=Status.DONE, finished_at=now, stored_name=left, lines_total=listing.lines_done)
    files.delete_stored(source if done else left)
    return bool(done)


def _write_slice(
    listing: AgencyListing,
    lines: Sequence[ListLine],
    *,
    reading: ListReading,
    pace: Pace,
    now: datetime,
) -> bool:
    """Write a slice; False if another worker did, or somebody takes the list back."""
    like = Suppression(
        level=Suppression.Level.AGENCY,
        reason=listing.reason,
        operation_id=listing.pk,
        added_by_email=listing.created_by_email,
    )
    for _attempt in range(TRIES):
        numbers = [number for line in lines for number in line.numbers]
        by_number, listed = new_entries(numbers, like=like, now=now)
        entries = list(by_number.values())
        left = [(line.number, text) for line in lines for text in line.left]
        result: ListingResult = {
            "reading": reading,
            "left": [*listing.result.get("left", []), *left][:KEPT_REFUSED],
        }
        columns = {
            "lines_done": listing.lines_done + len(lines),
            "added_count": listing.added_count + len(entries),
            "listed_count": listing.listed_count + len(numbers) - len(entries),
            "refused_count": listing.refused_count + len(left),
            "refused": result,
        }

        def block(
            columns: dict[str, object] = columns,
            entries: Sequence[Suppression] = entries,
            listed: Sequence[str] = listed,
        ) -> bool:
            won = AgencyListing.objects.filter(
                pk=listing.pk, status=Status.RUNNING, lines_done=listing.lines_done
            ).update(**columns, progressed_at=pace.real_now())
            if won:
                Suppression.objects.bulk_create(entries)
                keep_listed(scope_keys=listed, operation_id=listing.pk)
            return bool(won)

        try:
            won = run_bulk(block)
        except IntegrityError:
            continue  # somebody listed one of them this very moment: look again
        finally:
            pace.wrote()
        if won:
            for name, value in columns.items():
                setattr(listing, name, value)
        return won
    return False


def undo_listing(*, listing: AgencyListing, pace: Pace, now: datetime) -> bool:
    """Take off what the list added and nobody took off since; True when that came to its end."""
    if listing.status != Status.UNDOING:
        return False
    mine = Suppression.objects.filter(level=Suppression.Level.AGENCY, operation_id=listing.pk)
    while some := dict(mine.order_by("pk").values_list("pk", "phone_number")[:UNDO_SLICE]):
        cause = Cause(why=Why.UNDONE, by_email=listing.undone_by_email, at=now)
        _take_off(mine, some, cause)
        pace.wrote()
        AgencyListing.objects.filter(pk=listing.pk).update(progressed_at=pace.real_now())
        pace.rest()
    return bool(
        AgencyListing.objects.filter(pk=listing.pk, status=Status.UNDOING).update(
            status=Status.UNDONE, finished_at=now
        )
    )


def _take_off(mine: QuerySet[Suppression], some: dict[UUID, str], cause: Cause) -> None:
    """Take entries, by key with their numbers, off the list, and free the leads of all clients."""
    concerned = marked_clients(list(some.values()))  # seldom more than one or two

    def block(part: Sequence[tuple[UUID, str]]) -> None:
        # Asked once more: somebody may have wished for one of them meanwhile, and then it stays.
        mine.filter(pk__in=[key for key, _number in part]).delete()
        for client_id in concerned:
            numbers = [number for _key, number in part]
            free_leads(client_id=client_id, phone_numbers=numbers, cause=cause)

    for part in batched(some.items(), max(1, UNDO_SLICE // max(1, len(concerned)))):
        run_bulk(partial(block, part))
