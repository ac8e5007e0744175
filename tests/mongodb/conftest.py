"""A line to MongoDB that breaks on demand, and servers with something wrong with them."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.db.backends.base.base import RAN_DB_VERSION_CHECK

from deploy import mongodb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEFORE, AFTER, NEVER = "before", "after", "never"


class BreakingLine:
    """A proxy that cuts the line at chosen messages: before the server gets them, or its answer."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.cuts: list[tuple[bytes, str]] = []
        self.cut_count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, word: str, when: str, *, times: int) -> None:
        """Cut the next messages that hold this word; the driver repeats a commit once by itself."""
        self.cuts += [(word.encode(), when)] * times

    def hang(self, word: str) -> None:
        """Never deliver the next message that holds this word, and say nothing."""
        self.cuts.append((word.encode(), NEVER))

    def close(self) -> None:
        self.listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target)
                threading.Thread(target=self._forward, args=(near, far), daemon=True).start()
                threading.Thread(target=self._answer, args=(far, near), daemon=True).start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, suppress(OSError):
            while part := near.recv(1 << 20):
                if self.cuts and self.cuts[0][0] in part:
                    self.cut_count += 1
                    when = self.cuts.pop(0)[1]
                    if when == NEVER:
                        continue
                    near.shutdown(socket.SHUT_RDWR)  # the answer finds nobody
                    if when == AFTER:
                        far.sendall(part)
                        time.sleep(0.3)  # let the server do it: it would drop what is half read
                    return
                far.sendall(part)

    def _answer(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while part := far.recv(1 << 20):
                near.sendall(part)


@pytest.fixture
def point_to() -> Iterator[Callable[[str], None]]:
    """Let the default connection use another address until the end of the test."""
    before = connection.settings_dict["HOST"]
    on_mongodb: Any = connection  # MongoDB's wrapper has a pool

    def use(address: str) -> None:
        connection.ensure_connection()
        on_mongodb.close_pool()
        connection.settings_dict["HOST"] = address
        connection.features.__dict__.pop("_supports_transactions", None)
        RAN_DB_VERSION_CHECK.discard(connection.alias)

    yield use
    on_mongodb.close_pool()
    if unused := on_mongodb._connection_pools.pop(connection.alias, None):
        unused.close()
    connection.settings_dict["HOST"] = before
    connection.features.__dict__.pop("_supports_transactions", None)


@pytest.fixture
def line(point_to: Callable[[str], None]) -> Iterator[BreakingLine]:
    """Put a line that can break between us and the server."""
    parts = urlsplit(connection.settings_dict["HOST"])
    assert parts.hostname
    proxy = BreakingLine(parts.hostname, parts.port or 27017)
    point_to(f"mongodb://127.0.0.1:{proxy.port}{parts.path}?directConnection=true")
    yield proxy
    proxy.close()


@pytest.fixture
def spare_server() -> Iterator[Callable[..., str]]:
    """Start another test server, with options of its own; return its address."""
    if not mongodb.STAMP.exists():
        pytest.skip("needs the test server: `python3 dev.py test --mongo` installs it")
    running: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> str:
        port = mongodb._free_port()
        command = [*mongodb.command(port), *options]
        process = subprocess.Popen(command, cwd=mongodb.ROOT, stdin=subprocess.PIPE)
        running.append(process)
        mongodb._wait_until_ready(process, port)
        return f"{mongodb.url(port)}?directConnection=true"

    yield start
    for process in running:
        process.terminate()
        process.wait(20)
        assert process.stdin is not None
        process.stdin.close()
