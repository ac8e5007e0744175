"""Rings for the drain and counts refusals beside the request: Redis is never in the sender's way."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from convomono.lib import clock
from convomono.lib.redis import RedisError, redis_connection, ring

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

BELL: Final = "drain"
# A burst of events is one ring; the drain takes whatever is there when it comes.
_PAUSE_SECONDS: Final = 0.005
_TALLY_SECONDS: Final = 8 * 24 * 3600


class Doorbell:
    """
    A thread that does what may fail or hang: rings, and writes tallies down.

    It starts with the first press, so that a forked server's workers each have their own.
    """

    def __init__(self, ring_bell: Callable[[str], None] = ring) -> None:
        self._ring_bell = ring_bell
        self._pressed = threading.Event()
        self._refused: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def press(self) -> None:
        """Have the bell rung soon; returns at once."""
        self._pressed.set()
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def count(self, reason: str) -> None:
        """Count a refused delivery."""
        with self._lock:
            self._refused[reason] += 1
        self.press()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name="doorbell", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        while True:
            self._pressed.wait()
            self._pressed.clear()
            self._ring_bell(BELL)
            self._write_tallies()
            time.sleep(_PAUSE_SECONDS)

    def _write_tallies(self) -> None:
        with self._lock:
            refused, self._refused = self._refused, Counter()
        for reason, count in refused.items():
            _add(reason, count)


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
    try:
        tally = redis_connection().hgetall(_tally_name(day))
    except RedisError:
        return {}
    parts = ((_text(name).partition(":"), int(count)) for name, count in tally.items())
    return {(hour, reason): count for (hour, _colon, reason), count in parts}


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _add(reason: str, count: int) -> None:
    now = clock.real_now()
    name = _tally_name(now.date())
    try:
        redis_connection().hincrby(name, f"{now:%H}:{reason}", count)
        redis_connection().expire(name, _TALLY_SECONDS)
    except RedisError:
        return  # the log has each of them


def _tally_name(day: date) -> str:
    return f"webhooks:refused:{day:%Y-%m-%d}"


DOORBELL = Doorbell()
