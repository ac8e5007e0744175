"""A queue for the threads of one process: first come, first served, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Turns:
    """
    Lets one thread after the other through, in the order in which they came.

    Python's own locks may let whoever comes last go first, again and again.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._here = threading.local()

    @property
    def is_busy(self) -> bool:
        """Tell whether anybody has the turn."""
        return bool(self._queue)

    @contextmanager
    def one(self, *, timeout: float) -> Iterator[None]:
        """
        Wait for this thread's turn, at most `timeout` seconds, and keep it until the block ends.

        After that time the block runs without it. Whoever has the turn has it inside too.
        """
        if getattr(self._here, "has_turn", False):
            yield
            return
        mine = threading.Event()
        with self._guard:
            self._queue.append(mine)
            self._queue[0].set()
        self._here.has_turn = mine.wait(timeout)
        if not self._here.has_turn:
            self._leave(mine)
        try:
            yield
        finally:
            if self._here.has_turn:
                self._here.has_turn = False
                self._leave(mine)

    def _leave(self, mine: threading.Event) -> None:
        with self._guard:
            self._queue.remove(mine)
            if self._queue:
                self._queue[0].set()
