"""
Fetches what never arrived: Retell repeats a delivery three times, and then it is lost.

What it finds goes through the inbox like any delivery, so that there is one way to apply news.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
import structlog

from campaigns.models import Attempt
from convomono.lib import clock
from convomono.lib.db import insert_once
from telephony.models import Call
from telephony.provider import NotFound, ProviderError
from webhooks.deliveries import body_digest
from webhooks.doorbell import ring_drains
from webhooks.models import WebhookEvent
from webhooks.shards import slot_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from telephony.provider import ProviderCall

log = structlog.get_logger()

BATCH: Final = 100
_RING: Final = timedelta(minutes=2)
_MARGIN: Final = timedelta(minutes=10)
_LONGEST_CALL: Final = timedelta(hours=2)  # Retell's own cap on max_call_duration_ms
# A parked event is given this long to be claimed by the answer to its dial.
_PARKED_FOR: Final = timedelta(minutes=2)
# Retell is asked about an ended call that lacks a fact only while it is this young.
_STILL_SETTLED_LATE: Final = timedelta(days=2)
# What a call becomes that Retell says it never had.
_LOST: Final = {"call_status": "error", "disconnection_reason": "lost_by_provider"}


class Gateway(Protocol):
    """What the sweeper asks of Retell's gateway."""

    def retrieve_call(self, *, call_id: str) -> ProviderCall: ...


def sweep_calls(*, gateway: Gateway, now: datetime) -> int:
    """
    Fetch calls of which there has been no news for as long as they may last; return how many told us something.

    Ring, longest duration and ten minutes, by the clock that dialling uses. Twice is once.
    """
    overdue = [*_silent(now), *_half_told(now)]
    return _fetch_all(gateway, overdue, now)


def sweep_parked(*, gateway: Gateway, now: datetime) -> int:
    """
    Fetch the calls that parked events tell of: Retell may say in full whose they are.

    An event whose call is known by now needs no fetching: the drain takes it up itself.
    """
    parked = WebhookEvent.objects.filter(
        status=WebhookEvent.Status.PARKED,
        source=WebhookEvent.Source.DELIVERY,
        created_at__lt=now - _PARKED_FOR,
        created_at__gt=now - _STILL_SETTLED_LATE,
    )
    ids = set(parked.order_by("created_at").values_list("provider_call_id", flat=True)[:BATCH])
    swept = WebhookEvent.objects.filter(provider_call_id__in=ids, source=WebhookEvent.Source.SWEEP)
    return _fetch_all(gateway, ids - set(swept.values_list("provider_call_id", flat=True)), now)


def _silent(now: datetime) -> list[str]:
    """Find calls in progress that must be over, each by its own longest duration."""
    live = (Call.Status.REGISTERED, Call.Status.ONGOING)
    rows = Call.objects.filter(status__in=live, created_at__lt=now - _RING - _MARGIN)
    found = list(
        rows.order_by("created_at", "pk").values_list(
            "provider_call_id", "attempt_id", "created_at"
        )[:BATCH]
    )
    attempts = Attempt.objects.filter(pk__in=[attempt_id for _id, attempt_id, _at in found])
    longest = {
        pk: timedelta(seconds=seconds) for pk, seconds in attempts.values_list("pk", "held_seconds")
    }
    return [
        provider_call_id
        for provider_call_id, attempt_id, created_at in found
        if created_at + _RING + _longest(attempt_id, longest) + _MARGIN < now
    ]


def _longest(attempt_id: UUID | None, longest: Mapping[UUID, timedelta]) -> timedelta:
    return longest.get(attempt_id, _LONGEST_CALL) if attempt_id else _LONGEST_CALL


def _half_told(now: datetime) -> list[str]:
    """Find calls that ended and can't be settled, because no event had all it takes."""
    over = Call.objects.filter(
        status__in=Call.OVER,
        outcome_class="",
        created_at__gt=now - _STILL_SETTLED_LATE,
        created_at__lt=now - _MARGIN,
    )
    return list(over.order_by("created_at").values_list("provider_call_id", flat=True)[:BATCH])


def fetch_call(*, gateway: Gateway, call_id: str, now: datetime) -> bool:
    """
    Put what Retell says of one call into the inbox; False if the call isn't over, or was told before.

    :raises ProviderError: if Retell is away or busy
    """
    told = _fetch(gateway, call_id, now)
    if told:
        ring_drains()
    return told


def _fetch_all(gateway: Gateway, call_ids: Iterable[str], now: datetime) -> int:
    told = 0
    for call_id in call_ids:
        try:
            told += _fetch(gateway, call_id, now)
        except ProviderError as error:
            log.warning("sweep.stopped", reason=type(error).__name__)
            break  # it is away or busy: the next sweep goes on
    if told:
        ring_drains()
    return told


def _fetch(gateway: Gateway, call_id: str, now: datetime) -> bool:
    try:
        found = gateway.retrieve_call(call_id=call_id)
        payload: Mapping[str, Any] = found.payload
    except NotFound:
        log.warning("sweep.call_lost", provider_call_id=call_id)
        payload = {"call_id": call_id, **_LOST}
    if payload.get("call_status") not in Call.OVER:
        return False
    return _deliver(call_id, payload, now)


def _deliver(call_id: str, payload: Mapping[str, Any], now: datetime) -> bool:
    """Put the call into the inbox; the same news is put there once."""
    call = orjson.dumps(payload, default=str)
    stamp_ms = round(clock.real_now().timestamp() * 1000)
    body = b'{"event":"call_swept","event_timestamp":%d,"call":%b}' % (stamp_ms, call)
    row = WebhookEvent(
        key=f"call_swept:{call_id}:{body_digest(call)[:32]}",
        event_type="call_swept",
        provider_call_id=call_id,
        slot=slot_of(call_id),
        source=WebhookEvent.Source.SWEEP,
        body=body.decode(),
        next_try_at=now,
        created_at=now,
    )
    return insert_once(row, "key")
