"""A uvicorn protocol that lets faults reach the connection, to break it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

_TRANSPORT = "sandbox.transport"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, zero seconds: RST instead of FIN


class BreakableProtocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: Any = self.scope
        scope[_TRANSPORT] = self.transport


async def reset(scope: Scope, receive: Receive) -> None:
    """Break the connection without an answer."""
    transport = scope[_TRANSPORT]
    with contextlib.suppress(OSError, AttributeError):
        peer = transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
    await gone(receive)


async def hang(scope: Scope, receive: Receive, seconds: float) -> None:
    """Keep silent for so many real seconds, or until the client leaves, then break off."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gone(receive), seconds)
        return
    await reset(scope, receive)


async def gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
