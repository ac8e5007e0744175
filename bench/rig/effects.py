"""From a delivery to its effects: a burst until all of it is applied, the drain's rate, a page's delay."""

from __future__ import annotations

import http.client
import json
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from bench.rig.load import stream
from bench.rig.pages import open_socket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from bench.rig.load import Outcome

BURST_SECONDS = 2.0
LONGEST_SECONDS = 120.0
POLL_SECONDS = 0.02
PAGE_SECONDS = 20.0
# What a call's page shows of it; once it has ended, that is what it came to.
STATE, RINGING = 'id="call-state"', 'data-status="registered"'


@dataclass
class Effects:
    """What the product's deliveries came to, and how soon."""

    burst_p99_ms: float | None = None
    burst_visible_s: float | None = None
    burst_failed: int | None = None
    drain: dict[str, float] = field(default_factory=dict)
    page_p95_ms: float | None = None
    import_ended: bool = False  # before the stream was over


def make_calls(env: Mapping[str, str], *, start: int, count: int) -> str:
    """Let calls ring in the product's database; return the session of somebody who may see them."""
    command = ["-m", "bench.rig.ringing", f"--start={start}", f"--calls={count}"]
    done = subprocess.run(
        [sys.executable, *command], env=dict(env), check=True, capture_output=True, text=True
    )
    return str(json.loads(done.stdout.strip().splitlines()[-1])["session"])


def drain_figures(env: Mapping[str, str], *, start: int, calls: int) -> dict[str, float]:
    """
    Let calls ring, store all that Retell tells of them, and drain it in one process.

    Returns `events`, `per_cpu_s` (events per second of its CPU) and the longest write transactions.
    """
    command = ["-m", "bench.rig.draining", f"--start={start}", f"--calls={calls}"]
    done = subprocess.run(
        [sys.executable, *command], env=dict(env), check=True, stdout=subprocess.PIPE, text=True
    )
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


async def burst(
    port: int, requests: Sequence[bytes], database: Path, applied: int
) -> tuple[Outcome, float]:
    """Deliver all within two seconds; return how long after the last one all were applied."""
    outcome = await stream(port, requests, rate=len(requests) / BURST_SECONDS)
    ended = time.monotonic()
    # A new connection for each look would cost the drain some of its processor.
    with closing(sqlite3.connect(database)) as connection:
        _wait(lambda: _applied(connection) >= applied + len(requests))
    return outcome, time.monotonic() - ended


def page_delays(
    port: int, live_port: int, session: str, deliveries: Sequence[tuple[bytes, str]], database: Path
) -> list[float]:
    """Deliver one after the other; return in ms how soon the call's open page was told of each end."""
    delays = []
    for request, provider_call_id in deliveries:
        page = f"/ws/app/calls/{_call_id(database, provider_call_id)}/"
        with open_socket(
            f"ws://127.0.0.1:{live_port}{page}", cookie=f"sessionid={session}"
        ) as socket:
            if not _hears(socket, lambda news: RINGING in news):
                raise SystemExit(f"{page} doesn't say that the call rings.")
            began = time.monotonic()
            _deliver(port, request)
            if not _hears(socket, lambda news: STATE in news and RINGING not in news):
                raise SystemExit(f"{page} never heard that the call has ended.")
            delays.append((time.monotonic() - began) * 1000)
    return sorted(delays)


def _hears(socket: ClientConnection, is_it: Callable[[str], bool]) -> bool:
    deadline = time.monotonic() + PAGE_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        with suppress(TimeoutError):
            if is_it(str(socket.recv(timeout=left))):
                return True
    return False


def _deliver(port: int, request: bytes) -> None:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    path = head.split()[1].decode()
    peer = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    peer.request("POST", path, body=body, headers=dict(lines))
    status = peer.getresponse().status
    peer.close()
    if status != HTTPStatus.NO_CONTENT:
        raise SystemExit(f"POST {path} answered {status}.")


def applied_events(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return _applied(connection)


def _applied(connection: sqlite3.Connection) -> int:
    statement = "select count(*) from webhooks_webhookevent where status = 'applied'"
    return int(connection.execute(statement).fetchone()[0])


def wait_for_drain(database: Path) -> None:
    """Return once nothing waits for the drain."""
    waiting = "select count(*) from webhooks_webhookevent where status = 'pending'"
    _wait(lambda: not _one(database, waiting))


def _call_id(database: Path, provider_call_id: str) -> str:
    connection = sqlite3.connect(database)
    try:
        row = connection.execute(
            "select _id from telephony_call where provider_call_id = ?", (provider_call_id,)
        ).fetchone()
    finally:
        connection.close()
    return str(uuid.UUID(row[0]))  # an address has dashes, the column has none


def _one(database: Path, statement: str) -> int:
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute(statement).fetchone()[0])
    finally:
        connection.close()


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("The deliveries' effects never came.")
        time.sleep(POLL_SECONDS)
