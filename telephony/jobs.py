"""Jobs of the telephony room: copies of recordings, where they are wanted, and how numbers do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache

from convomono.lib import clock
from convomono.lib.jobs import enqueue, queue_lengths
from telephony import fetching, lookups, recordings
from telephony.models import CallLookup, Recording
from telephony.retell import retell_gateway
from telephony.services import erasing, health, ordering, returns, twilio_orders
from telephony.twilio import find_twilio_gateway

if TYPE_CHECKING:
    from collections.abc import Callable

# Real time, of every ten minutes.
PURGE_SECONDS = 300
_WALK, _WALKED = "recordings:noted-until", "done"


def copy_recording(*, call_id: str, **_later: Any) -> bool:
    """Copy one call's recording; a second run does nothing."""
    return recordings.copy_recording(
        call_id=UUID(call_id), now=clock.now(), trusted=settings.OUTBOUND_TRUSTED
    )


def copy_recordings(**_later: Any) -> int:
    """Order the copies that are missing."""
    if not settings.RECORDINGS_COPY:
        cache.delete(_WALK)
        return 0
    _note_earlier()
    return _order(Recording, copy_recording)


def _note_earlier() -> None:
    """
    Have the calls of the last day copied too that ended before copying was switched on.

    How far it came is kept in the cache; if that is lost it begins anew, which does no harm.
    """
    place = cache.get(_WALK)
    if place == _WALKED:
        return
    _noted, place = recordings.note_recordings(now=clock.now(), after=place)
    cache.set(_WALK, _WALKED if place is None else place, timeout=None)


def purge_recordings(**_later: Any) -> int:
    """Delete copies that are older than they are kept, even if no more are taken."""
    before = clock.now() - timedelta(days=settings.RECORDINGS_DAYS)
    return recordings.purge_recordings(before=before, seconds=PURGE_SECONDS)


def fetch_lookup(*, call_id: str, **_later: Any) -> bool:
    """Fetch what was looked up during one call; a second run does nothing."""
    return lookups.fetch_lookup(
        call_id=UUID(call_id), now=clock.now(), trusted=settings.OUTBOUND_TRUSTED
    )


def fetch_lookups(**_later: Any) -> int:
    """Order what isn't fetched yet."""
    return _order(CallLookup, fetch_lookup)


def _order(model: type[Recording | CallLookup], job: Callable[..., bool]) -> int:
    """Put what is due in line, as far as the line isn't full; none twice while it waits there."""
    waiting = (queue_lengths() or {}).get("copies", fetching.MOST_IN_LINE)
    claimed = fetching.claim_due(model, now=clock.now(), most=fetching.MOST_IN_LINE - waiting)
    for call_id in claimed:
        enqueue(job, queue="copies", call_id=str(call_id))
    return len(claimed)


def delete_erased_calls(**_later: Any) -> int:
    """Have Retell delete its copies of calls with people who were erased."""
    return erasing.delete_erased_calls(gateway=retell_gateway(), now=clock.now())


def settle_orders(**_later: Any) -> int:
    """Find out what became of purchases whose answer was lost."""
    return ordering.settle_orders(gateway=retell_gateway(), now=clock.now())


def tend_twilio_numbers(**_later: Any) -> int:
    """Bring purchases at Twilio to their end, and give released numbers back there."""
    now = clock.now()
    has_work = twilio_orders.due_orders(now=now).exists() or returns.due_returns(now=now).exists()
    # A minute mostly has none: the SDK isn't even loaded then.
    carrier = find_twilio_gateway() if has_work else None
    if carrier is None:
        return 0
    retell = retell_gateway()
    settled = twilio_orders.settle_twilio_orders(carrier=carrier, gateway=retell, now=now)
    return settled + returns.give_numbers_back(carrier=carrier, gateway=retell, now=now)


def watch_numbers(**_later: Any) -> int:
    """Count the numbers' days and put those to rest that wear out; safe to run twice."""
    return health.watch_numbers(now=clock.now())
