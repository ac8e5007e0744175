"""The product under ASGI in a thread of the tests' process: pages and their sockets, one database."""

from __future__ import annotations

import socket
import threading
import time

import uvicorn
from channels.routing import ProtocolTypeRouter
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

from convomono.asgi import django_application
from reporting.consumers import socket_application

# The product, and its styles and scripts as its front server would deliver them.
APPLICATION = ProtocolTypeRouter(
    {"http": ASGIStaticFilesHandler(django_application), "websocket": socket_application}
)


class LiveSite:
    """The product under ASGI, sockets included, in a thread of this process."""

    def __init__(self) -> None:
        self._port = _free_port()
        config = uvicorn.Config(
            APPLICATION, port=self._port, log_level="warning", ws="websockets-sansio"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(15)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
