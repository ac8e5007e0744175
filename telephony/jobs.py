"""Jobs of the telephony room: copies of recordings, where they are wanted, and how numbers do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from convomono.lib import clock
from convomono.lib.jobs import enqueue
from telephony import lookups, recordings
from telephony.services import health


def copy_recording(*, call_id: str, **_later: Any) -> bool:
    """Copy one call's recording; a second run does nothing."""
    return recordings.copy_recording(
        call_id=UUID(call_id), now=clock.now(), trusted=settings.OUTBOUND_TRUSTED
    )


def copy_recordings(**_later: Any) -> int:
    """Order the copies that are missing, and delete those that are older than they are kept."""
    if not settings.RECORDINGS_COPY:
        return 0
    now = clock.now()
    missing = recordings.calls_without_copy(now=now)
    for call_id in missing:
        enqueue(copy_recording, queue="default", call_id=str(call_id))
    recordings.purge_recordings(before=now - timedelta(days=settings.RECORDINGS_DAYS))
    return len(missing)


def fetch_lookup(*, call_id: str, **_later: Any) -> bool:
    """Fetch what was looked up during one call; a second run does nothing."""
    return lookups.fetch_lookup(call_id=UUID(call_id), trusted=settings.OUTBOUND_TRUSTED)


def fetch_lookups(**_later: Any) -> int:
    """Order what isn't fetched yet, at most two hundred calls at once."""
    waiting = lookups.calls_to_ask()
    for call_id in waiting:
        enqueue(fetch_lookup, queue="default", call_id=str(call_id))
    return len(waiting)


def watch_numbers(**_later: Any) -> int:
    """Count the numbers' days and put those to rest that wear out; safe to run twice."""
    return health.watch_numbers(now=clock.now())
