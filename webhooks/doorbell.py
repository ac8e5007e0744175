"""Rings for the drain, counts refusals, tells open pages and passes on what is said: Redis is never in the sender's way."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from convomono.lib import clock, live
from convomono.lib.redis import RedisError, redis_connection, ring
from webhooks.shards import bells
from webhooks.spoken import pass_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from webhooks.deliveries import Delivery

# A burst of events is one ring; the drain takes whatever is there when it comes.
_PAUSE_SECONDS: Final = 0.005
_TALLY_SECONDS: Final = 8 * 24 * 3600
# Upper edges of what answers are counted by, in milliseconds of the real world.
_EDGES_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_SLOT_MINUTES: Final = 15
# While Redis hangs, of more calls at once nothing is kept in memory; their next turn comes soon.
_MOST_CALLS: Final = 2_000


def ring_drains(ring_bell: Callable[[str], None] = ring) -> None:
    """Wake every drain there is; which of them has work it sees itself."""
    for bell in bells():
        ring_bell(bell)


class Doorbell:
    """
    A thread that does what may fail or hang: rings, tells pages, passes on what is said, writes tallies down.

    It starts with the first press, so that a forked server's workers each have their own.
    """

    def __init__(
        self,
        ring_bell: Callable[[str], None] = ring,
        pass_on: Callable[[Delivery], None] = pass_on,
    ) -> None:
        self._ring_bell = ring_bell
        self._pass_on = pass_on
        self._spoken: dict[str, Delivery] = {}
        self._pressed = threading.Event()
        self._refused: Counter[str] = Counter()
        self._answers: Counter[int] = Counter()
        self._has_news = False
        self._lock = threading.Lock()
        # Held from taking the tallies until Redis has them: whoever has it meets none on their way.
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def press(self) -> None:
        """Have the bell rung soon; returns at once."""
        self._pressed.set()
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def count(self, reason: str) -> None:
        """Count a refused delivery, and have the agency's pages told of it."""
        with self._lock:
            self._refused[reason] += 1
        self.note()

    def note(self) -> None:
        """Have the agency's pages told soon of what no drain deals with, which would tell them."""
        self._has_news = True
        self.press()

    def say(self, delivery: Delivery) -> None:
        """Have what is said in a call passed on soon; of several turns of one call the newest is enough."""
        with self._lock:
            if len(self._spoken) < _MOST_CALLS or delivery.provider_call_id in self._spoken:
                self._spoken[delivery.provider_call_id] = delivery
        self.press()

    def answered(self, seconds: float) -> None:
        """Count how long an answer took."""
        edge = _EDGES_MS[min(bisect_left(_EDGES_MS, seconds * 1000), len(_EDGES_MS) - 1)]
        with self._lock:
            self._answers[edge] += 1

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name="doorbell", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        while True:
            self._pressed.wait()
            self._pressed.clear()
            ring_drains(self._ring_bell)
            self._pass_on_spoken()
            # Before the tallies: what is counted from now on is told with the next ones.
            has_news, self._has_news = self._has_news, False
            with self._writing:
                self._write_tallies()
            if has_news:
                live.changed()
            time.sleep(_PAUSE_SECONDS)

    def _pass_on_spoken(self) -> None:
        with self._lock:
            spoken, self._spoken = self._spoken, {}
        for delivery in spoken.values():
            self._pass_on(delivery)

    def _write_tallies(self) -> None:
        with self._lock:
            refused, self._refused = self._refused, Counter()
            answers, self._answers = self._answers, Counter()
        now = clock.real_now()
        _add(_tally_name(now.date()), {f"{now:%H}:{why}": count for why, count in refused.items()})
        _add(_slot_name(now), {str(edge): count for edge, count in answers.items()})


def refusals_on(day: date) -> dict[str, int]:
    """Return how many deliveries were refused on a UTC day of the real world, by reason."""
    tally: Counter[str] = Counter()
    for (_hour, reason), count in _tally(day).items():
        tally[reason] += count
    return dict(tally)


def refusals_in_hour(moment: datetime) -> dict[str, int]:
    """Return how many were refused in the UTC hour of that moment of the real world, by reason."""
    return {
        reason: count
        for (hour, reason), count in _tally(moment.date()).items()
        if hour == f"{moment:%H}"
    }


def _tally(day: date) -> dict[tuple[str, str], int]:
    parts = ((name.partition(":"), count) for name, count in _read(_tally_name(day)).items())
    return {(hour, reason): count for (hour, _colon, reason), count in parts}


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def answer_times(moment: datetime) -> dict[int, int]:
    """
    Return how long answers took in the quarter of an hour of that moment and the one before it.

    By the upper edge of how long, in milliseconds; what took longer than 5 s is counted there.
    """
    found: Counter[int] = Counter()
    for at in (moment, moment - timedelta(minutes=_SLOT_MINUTES)):
        for edge, count in _read(_slot_name(at)).items():
            found[int(edge)] += count
    return dict(found)


def _read(name: str) -> dict[str, int]:
    try:
        tally = redis_connection().hgetall(name)
    except RedisError:
        return {}
    return {_text(key): int(count) for key, count in tally.items()}


def _add(name: str, counts: dict[str, int]) -> None:
    if not counts:
        return
    try:
        pipe = redis_connection().pipeline(transaction=False)
        for key, count in counts.items():
            pipe.hincrby(name, key, count)
        pipe.expire(name, _TALLY_SECONDS)
        pipe.execute()
    except RedisError:
        return  # the log has each refusal


def _slot_name(moment: datetime) -> str:
    return f"webhooks:answers:{moment:%Y-%m-%dT%H}:{moment.minute // _SLOT_MINUTES}"


def _tally_name(day: date) -> str:
    return f"webhooks:refused:{day:%Y-%m-%d}"


DOORBELL = Doorbell()
