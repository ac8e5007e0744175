"""How long a delivery may wait for a database that takes nothing, as all threads of a process know it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A try and hardly more: hundreds of deliveries a second are refused by a handful of threads.
SHORT_SECONDS: Final = 0.005
# For so long after a wait in vain those are looked at who stood in line during that wait.
BACKLOG_SECONDS: Final = 1.0
FIRST_SCOUT_SECONDS: Final = 0.3


class Patience:
    """
    Shares one wait among all deliveries that meet the same lock.

    A server has few threads. If each delivery waited for itself, those behind would hear after a
    multiple of the time, and pages with them. So all who wait together give up together. From then on
    who comes tries and hears at once, but one at a time, the scout, goes on looking: what it
    finds, or anybody else who is lucky, holds for all.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # Since when deliveries have been tried of which none was taken.
        self._since: float | None = None
        self._tried_at = 0.0
        self._has_scout = False

    @contextmanager
    def wait(self, longest: float) -> Iterator[float]:
        """Give the seconds, at most `longest`, to try for; an error says that it was in vain."""
        began = self._clock()
        seconds, is_scout = self._begin(began, longest)
        is_taken = False
        try:
            yield seconds
            is_taken = True
        finally:
            with self._lock:
                # An error that came at once says nothing about how long others would wait.
                was_no_wait = self._clock() - began < seconds / 2 and self._since == began
                if is_taken or was_no_wait:
                    self._since = None
                if is_scout:
                    self._has_scout = False

    def _begin(self, now: float, longest: float) -> tuple[float, bool]:
        with self._lock:
            is_old = now - self._tried_at > longest + BACKLOG_SECONDS
            if self._since is None or (is_old and not self._has_scout):
                self._since = now
            self._tried_at = now
            left = longest - (now - self._since)
            if left > SHORT_SECONDS:
                return left, False
            if self._has_scout:
                return SHORT_SECONDS, False
            self._has_scout = True
            return (longest if left <= -BACKLOG_SECONDS else FIRST_SCOUT_SECONDS), True
