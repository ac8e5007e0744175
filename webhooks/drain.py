"""
Empties the inbox: applies events in short transactions, and keeps one that fails from the rest.

Events that nobody knows the call of are parked, and tried again when their call turns up.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from django.db import InterfaceError, OperationalError, connection
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from convomono.lib import live
from convomono.lib.bulk import update_alike
from convomono.lib.db import is_transient, on_commit, outage
from convomono.lib.keys import beside
from convomono.lib.lane import run_bulk
from telephony.models import Call
from webhooks.handlers.retell import SecondCall, conclude, handle
from webhooks.handlers.together import Together
from webhooks.models import WebhookEvent
from webhooks.payloads import call_event
from webhooks.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from telephony.events import CallChange, CallEvent

log = structlog.get_logger()

BATCH: Final = 200
# A write transaction beside the intake lasts ten milliseconds at most; this leaves some for it.
_TARGET_SECONDS: Final = 0.007
# Each writes twelve rows at most (three of them follow-ups), and no transaction may write more than two
# hundred. A slice of one takes 5.5 ms and one of eight 6.7 ms: fewer would cost far more than they let others write.
_LEAST_IN_A_SLICE, _MOST_IN_A_SLICE = 8, 16
_SHRINK, _GROW = 0.5, 1.3
_CONCLUDE_SECONDS: Final = 0.1
WHOLE: Final = Shard()
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

    It learns how many events fit into a transaction from how long the last ones took. Most of a short
    one is spent once, whatever is in it, so that the time of one event says little.
    """

    def __init__(self, shard: Shard = WHOLE) -> None:
        self._shard = shard
        self._fitting = float(_LEAST_IN_A_SLICE)

    def step(self, *, now: datetime) -> int:
        """Apply up to 200 events that are due; return how many were dealt with."""
        rows = self._due(now)
        if len(rows) < BATCH and self._unpark(now):
            rows = self._due(now)
        # The order they came in, for each call; the index gives the order they are due in.
        rows.sort(key=lambda row: (row.created_at, row.pk))
        news = [_News(row, event) for row in rows if (event := _read(row, now)) is not None]
        conclusion = _Conclusion(now)
        together, done = _together(news), 0
        try:
            while done < len(news):
                part = news[done : done + int(self._fitting)]
                done += len(part)
                changes = self._apply(part, together, now) if together else None
                if changes is None:  # somebody else was at these rows, or one event is poisonous
                    changes = self._apply_each(part, now)
                    together = _together(news[done:])
                conclusion.add(changes)
        finally:  # whatever stopped it, what is committed has its consequences
            conclusion.draw()
        return len(rows)

    def _due(self, now: datetime) -> list[WebhookEvent]:
        due = WebhookEvent.objects.filter(
            self._shard.events(), status=_Status.PENDING, next_try_at__lte=now
        )
        return list(due.order_by("next_try_at", "created_at", "pk")[:BATCH])

    def _unpark(self, now: datetime) -> bool:
        """Take up parked events whose call is known by now, or whose time has come again."""
        parked = WebhookEvent.objects.filter(self._shard.events(), status=_Status.PARKED)
        rows = list(
            parked.order_by("next_try_at", "pk").values_list(
                "pk", "provider_call_id", "next_try_at"
            )[:BATCH]
        )
        if not rows:
            return False
        ids = {provider_call_id for _pk, provider_call_id, _next in rows}
        known = set(
            Call.objects.filter(provider_call_id__in=ids).values_list("provider_call_id", flat=True)
        )
        due = [pk for pk, call_id, next_try_at in rows if call_id in known or next_try_at <= now]
        mine = WebhookEvent.objects.filter(beside(status=_Status.PARKED), pk__in=due)
        return bool(mine.update(status=_Status.PENDING, next_try_at=now))

    def _learn(self, events: int, seconds: float) -> None:
        """Let the next transaction be larger or smaller, by what this one took."""
        change = min(max(_TARGET_SECONDS / max(seconds, 1e-6), _SHRINK), _GROW)
        if events >= int(self._fitting) or change < 1:  # a part of a slice says nothing of more
            self._fitting = min(max(self._fitting * change, _LEAST_IN_A_SLICE), _MOST_IN_A_SLICE)

    def _apply(
        self, part: Sequence[_News], together: Together, now: datetime
    ) -> list[CallChange] | None:
        """Apply the plain events at once and the others by themselves; None if that failed."""
        try:
            plain = [news for news in part if together.take(news.event, now=now)]
            changes = self._write(plain, together, now) if plain else []
        except Exception as error:  # noqa: BLE001 - whatever one event does, the others go on
            _raise_if_database_is_away(error)
            return None
        if len(plain) == len(part):
            return changes
        taken = {news.row.pk for news in plain}
        return changes + self._apply_each([n for n in part if n.row.pk not in taken], now)

    def _write(self, plain: Sequence[_News], together: Together, now: datetime) -> list[CallChange]:
        watch = _Watch()

        def block() -> list[CallChange]:
            watch.start()  # the wait for the lock isn't ours
            on_commit(watch.stop)  # and what follows the commit holds none
            changes = together.write(now=now)
            _mark_applied([news.row.pk for news in plain], now)
            return changes

        changes = run_bulk(block)
        together.written()
        for news, change in zip(plain, changes, strict=True):
            _note_contradiction(news.row, change, now)
        self._learn(len(plain), watch.seconds)
        return changes

    def _apply_each(self, part: Sequence[_News], now: datetime) -> list[CallChange]:
        """Apply events one by one: there are no savepoints on MongoDB to find a poisonous one by."""
        changes = []
        for news in part:
            try:
                change = run_bulk(partial(_apply_one, news, now))
            except Exception as error:  # noqa: BLE001 - it is counted, kept and shown
                _raise_if_database_is_away(error)
                _fail(news.row, error, now)
            else:
                changes += [change] if change else []
                _note_contradiction(news.row, change, now)
        return changes


class _Watch:
    """
    How long a transaction took of what it is to blame for.

    A thread that waits for a core holds the lock meanwhile, but no smaller transaction would help:
    beside SQLite most of waiting is that, so it counts for a quarter.
    """

    seconds = 0.0
    _started = (0.0, 0.0)

    def start(self) -> None:
        self._started = (time.perf_counter(), time.thread_time())

    def stop(self) -> None:
        real, busy = time.perf_counter() - self._started[0], time.thread_time() - self._started[1]
        self.seconds = max(busy, real / 4) if connection.vendor == "sqlite" else real


class _Conclusion:
    """What follows applied events, drawn for many of them at once and every tenth of a second."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._changes: list[CallChange] = []
        self._drawn_at = time.perf_counter()

    def add(self, changes: Sequence[CallChange]) -> None:
        self._changes += changes
        if time.perf_counter() - self._drawn_at > _CONCLUDE_SECONDS:
            self.draw()

    def draw(self) -> None:
        changes, self._changes = self._changes, []
        conclude(changes=changes, now=self._now)
        self._drawn_at = time.perf_counter()


def _together(news: Sequence[_News]) -> Together | None:
    """Read the rows of events ahead; None if there are none, or they can't be read so."""
    if not news:
        return None
    try:
        return Together([one.event for one in news])
    except Exception as error:  # noqa: BLE001 - each event is then tried by itself
        _raise_if_database_is_away(error)
        return None


def _apply_one(news: _News, now: datetime) -> CallChange | None:
    change = handle(event=news.event, now=now)
    if change is None:
        _park(news.row, now)
    else:
        _mark_applied([news.row.pk], now)
    return change


_DRAIN = Drain()


def step(*, now: datetime) -> int:
    """Apply up to 200 events that are due; return how many were dealt with."""
    return _DRAIN.step(now=now)


def _read(row: WebhookEvent, now: datetime) -> CallEvent | None:
    try:
        return call_event(row.body)
    except Exception as error:  # noqa: BLE001 - a body that breaks the reader is that event's affair
        _fail(row, error, now)
        return None


def _mark_applied(pks: Sequence[UUID], now: datetime) -> None:
    applied = {"status": _Status.APPLIED.value, "processed_at": now, "error": ""}
    update_alike(WebhookEvent, pks, {"status": _Status.PENDING.value}, applied)


def _note_contradiction(row: WebhookEvent, change: CallChange | None, now: datetime) -> None:
    """Write on an event where it contradicts an earlier one, and tell the agency; once a day is enough."""
    if change is None or not change.contradiction:
        return
    log.warning("webhook.contradiction", event_id=str(row.pk))
    WebhookEvent.objects.filter(pk=row.pk, status=_Status.APPLIED).update(
        error=change.contradiction[:400]
    )
    notify(
        client=None,
        level=Notification.Level.WARN,
        title=_("Two events of a call contradict each other"),
        body=_("The first one holds. Reconciliation compares it with the voice platform's books."),
        url=f"/agency/webhooks/{row.pk}/",
        key=f"webhook-contradiction:{now:%Y-%m-%d}",
        now=now,
    )


def _park(row: WebhookEvent, now: datetime) -> None:
    """Wait as long again as it has waited already, between five seconds and an hour."""
    live.changed()
    wait = min(max(now - row.created_at, _SHORTEST_PARKING), _LONGEST_PARKING)
    WebhookEvent.objects.filter(pk=row.pk, status=_Status.PENDING).update(
        status=_Status.PARKED, next_try_at=now + wait
    )


def _fail(row: WebhookEvent, error: Exception, now: datetime) -> None:
    """Count a failed try: again after a pause, and dead after the fifth; a second call gets no better."""
    attempts = row.attempts + 1
    is_second = isinstance(error, SecondCall)
    is_dead = is_second or attempts >= TRIES
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
    live.changed()
    if changed and is_dead:
        notify(
            client=None,
            level=Notification.Level.BAD,
            title=(
                _("The voice platform made two calls of one attempt")
                if is_second
                else _("A webhook event failed five times")
            ),
            body=_("Look at the error, mend its cause and replay the event, or set it aside."),
            url=f"/agency/webhooks/{row.pk}/",
            key=f"second-call:{row.provider_call_id}" if is_second else f"webhook-dead:{row.pk}",
            now=now,
        )


def _raise_if_database_is_away(error: Exception) -> None:
    """Let the outermost loop wait when nothing can be written: that is no event's fault."""
    if not isinstance(error, OperationalError | InterfaceError):
        return
    # A full disk answers who reads, and takes a change that needs no further page.
    if is_transient(error) or outage(error) or not _database_answers():
        raise error


def _database_answers() -> bool:
    try:
        WebhookEvent.objects.order_by("-created_at").values("pk").first()
    except (OperationalError, InterfaceError):
        return False
    return True
