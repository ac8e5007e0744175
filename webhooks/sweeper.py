"""
Fetches what never arrived: Retell repeats a delivery three times, and then it is lost.

What it finds goes through the inbox like any delivery, so that there is one way to apply news.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
import structlog
from django.db.models import Exists, OuterRef, Q

from campaigns.models import Attempt, TrialCall
from convomono.lib import clock
from convomono.lib.db import insert_once
from telephony.models import Call
from telephony.provider import NotFound, PaymentRequired, ProviderError, Rejected, Unauthorised
from webhooks.deliveries import body_digest
from webhooks.doorbell import ring_drains
from webhooks.models import WebhookEvent
from webhooks.shards import slot_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from telephony.provider import ProviderCall

log = structlog.get_logger()

BATCH: Final = 100
_RING: Final = timedelta(minutes=2)
_MARGIN: Final = timedelta(minutes=10)
_LONGEST_CALL: Final = timedelta(hours=2)  # Retell's own cap on max_call_duration_ms
# A call that Retell still calls running is asked about again after this.
_ASKED_AGAIN: Final = timedelta(minutes=10)
# So many calls in progress are looked at in one sweep; a thousand lines have fewer that are this old.
_MOST_LOOKED_AT: Final = 5_000
_READ_AT_ONCE: Final = 500
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

    def asked(call_id: str) -> None:
        Call.objects.filter(provider_call_id=call_id).update(swept_at=now)

    return _fetch_all(gateway, [*_silent(now), *_half_told(now)], now, asked)


def sweep_parked(*, gateway: Gateway, now: datetime) -> int:
    """
    Fetch the calls that parked events tell of: Retell may say in full whose they are.

    An event whose call is known by now needs no fetching: the drain takes it up itself.
    """
    parked = WebhookEvent.objects.filter(
        _is_not_fresh("asked_at", now),
        status=WebhookEvent.Status.PARKED,
        source=WebhookEvent.Source.DELIVERY,
        created_at__lt=now - _PARKED_FOR,
        created_at__gt=now - _STILL_SETTLED_LATE,
    )
    swept = WebhookEvent.objects.filter(
        provider_call_id=OuterRef("provider_call_id"), source=WebhookEvent.Source.SWEEP
    )
    # A call has three events or so. Those never asked about (NULL is least) come first.
    rows = parked.filter(~Exists(swept)).order_by("asked_at", "created_at")
    found = list(dict.fromkeys(rows.values_list("provider_call_id", flat=True)[: 5 * BATCH]))

    def asked(call_id: str) -> None:
        of_call = WebhookEvent.objects.filter(provider_call_id=call_id)
        of_call.filter(status=WebhookEvent.Status.PARKED).update(asked_at=now)

    return _fetch_all(gateway, found[:BATCH], now, asked)


def _is_not_fresh(column: str, now: datetime) -> Q:
    """Keep what was never asked about, or not lately: what stays as it is must not hide the others."""
    return Q(**{column: None}) | Q(**{f"{column}__lt": now - _ASKED_AGAIN})


def _silent(now: datetime) -> list[str]:
    """Find calls in progress that must be over, each by its own longest duration."""
    rows = Call.objects.filter(
        _is_not_fresh("swept_at", now), status__in=Call.LIVE, created_at__lt=now - _RING - _MARGIN
    )
    found = list(
        rows.order_by("created_at", "pk").values_list(
            "provider_call_id", "attempt_id", "created_at", "swept_at"
        )[:_MOST_LOOKED_AT]
    )
    longest = _longest_by_attempt([attempt_id for _id, attempt_id, _at, _swept in found])
    overdue = [
        (swept_at is not None, swept_at or created_at, provider_call_id)
        for provider_call_id, attempt_id, created_at, swept_at in found
        if created_at + _RING + longest.get(attempt_id, _LONGEST_CALL) + _MARGIN < now
    ]
    # Those never asked about first.
    return [provider_call_id for _was_asked, _at, provider_call_id in sorted(overdue)[:BATCH]]


def _longest_by_attempt(attempt_ids: Sequence[UUID | None]) -> dict[UUID | None, timedelta]:
    """Return how long the calls of these attempts, or test calls, may last."""
    known = [pk for pk in attempt_ids if pk is not None]
    longest: dict[UUID | None, timedelta] = {}
    for start in range(0, len(known), _READ_AT_ONCE):
        part = known[start : start + _READ_AT_ONCE]
        for those in (Attempt.objects, TrialCall.objects):
            rows = those.filter(pk__in=part).values_list("pk", "held_seconds")
            longest |= {pk: timedelta(seconds=seconds) for pk, seconds in rows}
    return longest


def _half_told(now: datetime) -> list[str]:
    """Find calls that ended and can't be settled, because no event had all it takes."""
    over = Call.objects.filter(
        _is_not_fresh("swept_at", now),
        status__in=Call.OVER,
        outcome_class="",
        created_at__gt=now - _STILL_SETTLED_LATE,
        created_at__lt=now - _MARGIN,
    ).order_by("swept_at", "created_at")
    return list(over.values_list("provider_call_id", flat=True)[:BATCH])


def fetch_call(*, gateway: Gateway, call_id: str, now: datetime) -> bool:
    """
    Put what Retell says of one call into the inbox; False if the call isn't over, or was told before.

    :raises ProviderError: if Retell is away or busy
    """
    told = _fetch(gateway, call_id, now)
    if told:
        ring_drains()
    return told


def _fetch_all(
    gateway: Gateway, call_ids: Iterable[str], now: datetime, asked: Callable[[str], None]
) -> int:
    """Ask about these calls, and note of each that it was asked about; return how many told us something."""
    told = 0
    for call_id in call_ids:
        try:
            told += _fetch(gateway, call_id, now)
        except (Unauthorised, PaymentRequired) as error:
            log.warning("sweep.stopped", reason=type(error).__name__)
            break  # it would refuse each of them
        except Rejected as error:
            log.warning("sweep.refused", provider_call_id=call_id, status=error.status)
        except ProviderError as error:
            log.warning("sweep.stopped", reason=type(error).__name__)
            break  # it is away or busy: the next sweep goes on
        asked(call_id)
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
