"""A page that somebody has open: its socket, and what came over it when."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable

AGAIN_SECONDS = 0.5


def open_socket(url: str, *, cookie: str) -> ClientConnection:
    """Open the socket of one of our pages, as its own script does; the first message is all it shows."""
    origin = Origin(f"http://{urlsplit(url).netloc}")
    return connect(url, additional_headers={"Cookie": cookie}, origin=origin)


@dataclass
class Page:
    """An open page: when it heard something, and whether its socket was ever closed on it."""

    url: str
    cookie: str
    heard_at: list[float] = field(default_factory=list)
    closed: int = 0
    closed_at: float = math.inf

    def close(self) -> None:
        """Have `watch` end: nobody looks at the page any more."""
        self.closed_at = time.monotonic()

    @property
    def is_over(self) -> bool:
        return self.closed_at < math.inf

    def watch(self) -> None:
        """Listen until told to stop; reconnect as the page's own script does."""
        while not self.is_over:
            try:
                with open_socket(self.url, cookie=self.cookie) as socket:
                    self._listen(socket)
            except (ConnectionClosed, OSError):
                self.closed += not self.is_over
                time.sleep(AGAIN_SECONDS)

    def _listen(self, socket: ClientConnection) -> None:
        while not self.is_over:
            try:
                socket.recv(timeout=AGAIN_SECONDS)
            except TimeoutError:
                continue
            self.heard_at.append(time.monotonic())

    def longest_silence(self, since: Iterable[float]) -> float:
        """
        Return how long it took at most to hear something after one of these instants, in seconds.

        Until the page was closed, if it heard nothing any more. A page to which nothing happens is
        silent, too, and stands.
        """
        heard = sorted([*self.heard_at, self.closed_at])
        waits = (heard[min(bisect_right(heard, at), len(heard) - 1)] - at for at in since)
        return max(waits, default=0.0)
