"""
The control of the webhook benchmark: the least an endpoint can do that loses nothing.

An ASGI application for uvicorn. It checks the signature over the raw body, parses it and commits one
row under a unique key before it answers 204. No framework, no ORM.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEY = os.environ["FLOOR_KEY"].encode()
HEADER = re.compile(rb"v=(\d{1,16}),d=([0-9a-f]{64})").fullmatch
TOLERANCE_MS = 300_000
INSERT = (
    "insert into event (kind, call_id, received, body) values (?, ?, ?, ?) on conflict do nothing"
)


def database(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=normal")
    connection.execute(
        "create table if not exists event (id integer primary key, kind text not null,"
        " call_id text not null, received real not null, body blob not null, unique (call_id, kind))"
    )
    return connection


connection = database(os.environ["FLOOR_DATABASE"])


def is_signed(body: bytes, header: bytes) -> bool:
    match = HEADER(header)
    if not match or abs(time.time() * 1000 - int(match[1])) > TOLERANCE_MS:
        return False
    expected = hmac.digest(KEY, body + match[1], hashlib.sha256).hex().encode()
    return hmac.compare_digest(expected, match[2])


def store(body: bytes, header: bytes) -> int:
    if not is_signed(body, header):
        return 401
    event = orjson.loads(body)
    connection.execute(INSERT, (event["event"], event["call"]["call_id"], time.time(), body))
    return 204


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    status = 200
    if scope["method"] == "POST":
        status = store(body, dict(scope["headers"]).get(b"x-retell-signature", b""))
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})
