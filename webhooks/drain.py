"""
Empties the inbox: applies events in short transactions, and keeps one that fails from the rest.

Events that nobody knows the call of are parked, and tried again when their call turns up.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from django.db import InterfaceError, OperationalError, connection

from accounts.models import Notification
from accounts.notifications import notify
from convomono.lib.db import is_transient, run_atomic
from telephony.models import Call
from webhooks.handlers.retell import conclude, handle
from webhooks.models import WebhookEvent
from webhooks.payloads import call_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from telephony.events import CallChange, CallEvent

log = structlog.get_logger()

BATCH: Final = 200
# A write transaction beside the intake lasts ten milliseconds at most; this leaves some for it.
_TARGET_SECONDS: Final = 0.007
_MOST_IN_A_SLICE: Final = 50
_SHORTEST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.05
BACKOFF_SECONDS: Final = (1, 5, 30, 120)
TRIES: Final = len(BACKOFF_SECONDS) + 1
_SHORTEST_PARKING: Final = timedelta(seconds=5)
_LONGEST_PARKING: Final = timedelta(hours=1)
_Status = WebhookEvent.Status


@dataclass(frozen=True, slots=True)
class _News:
    """A row of the inbox and what it says."""

    row: WebhookEvent
    event: CallEvent


class Drain:
    """
    Applies what is due. Two of them side by side waste work and do no harm.

    It learns how many events fit into a transaction from how long the last ones took.
    """

    def __init__(self) -> None:
        self._seconds_per_event = _TARGET_SECONDS / 2

    def step(self, *, now: datetime) -> int:
        """Apply up to 200 events that are due; return how many were dealt with."""
        rows = _due(now)
        if len(rows) < BATCH and _unpark(now):
            rows = _due(now)
        # The order they came in, for each call; the index gives the order they are due in.
        rows.sort(key=lambda row: (row.created_at, row.pk))
        news = [_News(row, event) for row in rows if (event := _read(row, now)) is not None]
        for part in self._slices(news):
            began = time.perf_counter()
            conclude(changes=self._apply(part, now), now=now)
            _let_others_write(time.perf_counter() - began)
        return len(rows)

    def _slices(self, news: Sequence[_News]) -> Iterator[Sequence[_News]]:
        done = 0
        while done < len(news):
            fitting = int(_TARGET_SECONDS / self._seconds_per_event)
            size = min(max(fitting, 1), _MOST_IN_A_SLICE)
            yield news[done : done + size]
            done += size

    def _apply(self, part: Sequence[_News], now: datetime) -> list[CallChange]:
        try:
            return self._apply_together(part, now)
        except Exception as error:  # noqa: BLE001 - whatever one event does, the others go on
            _raise_if_database_is_away(error)
            return [change for news in part for change in self._apply_alone(news, now)]

    def _apply_alone(self, news: _News, now: datetime) -> list[CallChange]:
        """There are no savepoints on MongoDB: a poisonous event has to stand alone to be found."""
        try:
            return self._apply_together([news], now)
        except Exception as error:  # noqa: BLE001 - it is counted, kept and shown
            _raise_if_database_is_away(error)
            _fail(news.row, error, now)
            return []

    def _apply_together(self, part: Sequence[_News], now: datetime) -> list[CallChange]:
        started = time.perf_counter()

        def block() -> list[CallChange]:
            nonlocal started
            started = time.perf_counter()  # the wait for the lock isn't ours
            changes = [handle(event=news.event, now=now) for news in part]
            applied = [news.row.pk for news, change in zip(part, changes, strict=True) if change]
            parked = [news.row for news, change in zip(part, changes, strict=True) if not change]
            _mark_applied(applied, now)
            for row in parked:
                _park(row, now)
            return [change for change in changes if change]

        done = run_atomic(block)
        taken = max(time.perf_counter() - started, 1e-5) / len(part)
        self._seconds_per_event = 0.7 * self._seconds_per_event + 0.3 * taken
        return done


_DRAIN = Drain()


def step(*, now: datetime) -> int:
    """Apply up to 200 events that are due; return how many were dealt with."""
    return _DRAIN.step(now=now)


def _let_others_write(seconds: float) -> None:
    """
    Pause as long as the slice took.

    SQLite's lock isn't fair: slice upon slice without a pause kept the intake out for two seconds.
    """
    if connection.vendor == "sqlite":
        time.sleep(min(max(seconds, _SHORTEST_PAUSE), _LONGEST_PAUSE))


def _due(now: datetime) -> list[WebhookEvent]:
    due = WebhookEvent.objects.filter(status=_Status.PENDING, next_try_at__lte=now)
    return list(due.order_by("next_try_at", "created_at", "pk")[:BATCH])


def _read(row: WebhookEvent, now: datetime) -> CallEvent | None:
    try:
        return call_event(row.body)
    except Exception as error:  # noqa: BLE001 - a body that breaks the reader is that event's affair
        _fail(row, error, now)
        return None


def _unpark(now: datetime) -> bool:
    """Take up parked events whose call is known by now, or whose time has come again."""
    parked = WebhookEvent.objects.filter(status=_Status.PARKED).order_by("next_try_at", "pk")
    rows = list(parked.values_list("pk", "provider_call_id", "next_try_at")[:BATCH])
    if not rows:
        return False
    ids = {provider_call_id for _pk, provider_call_id, _next in rows}
    known = set(
        Call.objects.filter(provider_call_id__in=ids).values_list("provider_call_id", flat=True)
    )
    due = [pk for pk, call_id, next_try_at in rows if call_id in known or next_try_at <= now]
    mine = WebhookEvent.objects.filter(pk__in=due, status=_Status.PARKED)
    return bool(mine.update(status=_Status.PENDING, next_try_at=now))


def _mark_applied(pks: Sequence[UUID], now: datetime) -> None:
    WebhookEvent.objects.filter(pk__in=pks, status=_Status.PENDING).update(
        status=_Status.APPLIED, processed_at=now, error=""
    )


def _park(row: WebhookEvent, now: datetime) -> None:
    """Wait as long again as it has waited already, between five seconds and an hour."""
    wait = min(max(now - row.created_at, _SHORTEST_PARKING), _LONGEST_PARKING)
    WebhookEvent.objects.filter(pk=row.pk, status=_Status.PENDING).update(
        status=_Status.PARKED, next_try_at=now + wait
    )


def _fail(row: WebhookEvent, error: Exception, now: datetime) -> None:
    """Count a failed try: again after a pause, and dead after the fifth."""
    attempts = row.attempts + 1
    is_dead = attempts >= TRIES
    log.error(
        "webhook.failed", event_id=str(row.pk), attempts=attempts, is_dead=is_dead, exc_info=error
    )
    pause = timedelta(seconds=0 if is_dead else BACKOFF_SECONDS[attempts - 1])
    changed = WebhookEvent.objects.filter(
        pk=row.pk, status=_Status.PENDING, attempts=row.attempts
    ).update(
        attempts=attempts,
        status=_Status.DEAD if is_dead else _Status.PENDING,
        next_try_at=now + pause,
        error=f"{type(error).__name__}: {error}"[:400],
    )
    if changed and is_dead:
        notify(
            client=None,
            level=Notification.Level.BAD,
            title="A webhook event failed five times",
            body="Look at the error, mend its cause and replay the event.",
            url=f"/agency/webhooks/{row.pk}/",
            key=f"webhook-dead:{row.pk}",
            now=now,
        )


def _raise_if_database_is_away(error: Exception) -> None:
    """Let the outermost loop wait when nothing can be written: that is no event's fault."""
    if not isinstance(error, OperationalError | InterfaceError):
        return
    if is_transient(error) or not _database_answers():
        raise error


def _database_answers() -> bool:
    try:
        WebhookEvent.objects.order_by("-created_at").values("pk").first()
    except (OperationalError, InterfaceError):
        return False
    return True
