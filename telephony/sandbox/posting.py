"""A lean HTTP client for webhooks: POST, keep-alive, the status and no more."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

# A general client costs a millisecond of CPU a request, a quarter of what a whole call may cost.
type Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
type Address = tuple[str, int, bool]

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})")
_WITHOUT_BODY = {204, 304}


class PostFailed(Exception):
    """No answer: refused, broken off, too late, or not HTTP."""


class Poster:
    """Keeps idle connections by address; one request at a time on each."""

    def __init__(self) -> None:
        self._idle: defaultdict[Address, list[Connection]] = defaultdict(list)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float
    ) -> int:
        """
        Return the status of the answer.

        :raises PostFailed: if there is none in time
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._post(url, body, headers)
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError) as error:
            raise PostFailed(str(error)) from error

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        address = (parts.hostname or "", parts.port or (443 if tls else 80), tls)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [
            f"POST {target} HTTP/1.1",
            f"host: {parts.netloc}",
            f"content-length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        reader, writer = await self._connection(address)
        reusable = False
        try:
            writer.write(request)
            await writer.drain()
            status, reusable = await _read_answer(reader)
        finally:
            if not reusable:
                writer.close()
        if reusable:
            self._idle[address].append((reader, writer))
        return status

    async def _connection(self, address: Address) -> Connection:
        idle = self._idle[address]
        while idle:
            reader, writer = idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        host, port, tls = address
        return await asyncio.open_connection(host, port, ssl=tls or None)

    async def close(self) -> None:
        writers = [writer for idle in self._idle.values() for _, writer in idle]
        self._idle.clear()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(it.wait_closed() for it in writers), return_exceptions=True)


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Return the status, and whether the connection may serve again."""
    head = await reader.readuntil(b"\r\n\r\n")
    first = _STATUS.match(head)
    if first is None:
        raise ValueError("That is no HTTP.")
    status = int(first[2])
    lasts = first[1] == b"1" and not _CLOSES.search(head)
    length = _LENGTH.search(head)
    if length is not None:
        await reader.readexactly(int(length[1]))
        return status, lasts
    # Chunked or until the end: the status is all we want, so the connection is given up.
    return status, lasts and status in _WITHOUT_BODY
