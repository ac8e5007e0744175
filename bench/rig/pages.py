"""A page that somebody has open: its socket, and what came over it when."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

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
    last: str = ""
    is_over: bool = False

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
                self.last = str(socket.recv(timeout=AGAIN_SECONDS))
            except TimeoutError:
                continue
            self.heard_at.append(time.monotonic())

    def longest_silence(self, *, start: float, end: float) -> float:
        """Return the longest time without news between two instants, in seconds."""
        inside = [start, *(at for at in self.heard_at if start < at < end), end]
        return max(later - earlier for earlier, later in pairwise(inside))
