"""Lists of numbers for the agency's do-not-call list, as its people begin them and take them back."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from audit import actions
from audit.services import record
from convomono.lib.db import atomic
from convomono.lib.jobs import enqueue
from leads.jobs import JOB_SECONDS, work_on_listing
from leads.models import UNDO_FOR, AgencyListing
from leads.operations.list_file import take_list

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor

Status = AgencyListing.Status


class ListingUndoRefused(Exception):
    """It goes on, is too old, or was taken back already."""


def start_agency_listing(
    *,
    stream: IO[bytes],
    country: str,
    reason: str,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> AgencyListing:
    """
    Begin to put the numbers of a file on the agency's list.

    :raises FileRefused: with a sentence, if it is no list
    """
    # Before the block: storing a file may take long.
    stored, reading, lines = take_list(stream, client_id=None, country=country)
    return _begin(
        AgencyListing(
            stored_name=stored,
            country=country,
            reason=reason,
            refused={"reading": reading, "left": []},
            lines_total=lines,
            created_by_email=actor.actor_email,
            progressed_at=real_now,
            created_at=now,
        ),
        actor=actor,
        now=now,
    )


@atomic
def _begin(listing: AgencyListing, *, actor: Actor, now: datetime) -> AgencyListing:
    listing.save(force_insert=True)
    details = {"level": "agency", "lines": listing.lines_total, "reason": listing.reason}
    record(actions.SUPPRESSIONS_IMPORTED, resource=listing, actor=actor, now=now, details=details)
    _enqueue(listing)
    return listing


def may_undo_listing(listing: AgencyListing, *, now: datetime) -> bool:
    """Tell whether a list can still be taken back."""
    is_recent = listing.created_at > now - UNDO_FOR
    return listing.status == Status.DONE and is_recent and listing.added_count > 0


@atomic
def undo_agency_listing(
    *, listing: AgencyListing, actor: Actor, now: datetime, real_now: datetime
) -> None:
    """
    Take off the list what it added; a job does it.

    :raises ListingUndoRefused: see there; of two people who ask at once one is refused
    """
    if not may_undo_listing(listing, now=now):
        raise ListingUndoRefused
    begun = AgencyListing.objects.filter(pk=listing.pk, status=Status.DONE).update(
        status=Status.UNDOING, undone_by_email=actor.actor_email, progressed_at=real_now
    )
    if not begun:
        raise ListingUndoRefused
    record(
        actions.SUPPRESSIONS_LISTING_UNDONE,
        resource=listing,
        actor=actor,
        now=now,
        details={"level": "agency", "numbers": listing.added_count},
    )
    _enqueue(listing)


def _enqueue(listing: AgencyListing) -> None:
    enqueue(work_on_listing, queue="imports", timeout_seconds=JOB_SECONDS, listing_id=listing.pk)
