"""
Two kinds of load: as much as the server takes, and a steady stream that doesn't wait for it.

The steady stream counts latency from the instant a delivery was due, so a server that stalls gets
the whole delay in its percentiles.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEAD_END = b"\r\n\r\n"
ANSWER_SECONDS = 30.0


class Connection(asyncio.Protocol):
    """A keep-alive connection that has one request under way."""

    def __init__(self) -> None:
        self.buffer = b""
        self.status: asyncio.Future[int] | None = None
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports don't inherit from asyncio's.
        self.transport = cast("asyncio.WriteTransport", transport)

    def send(self, request: bytes) -> asyncio.Future[int]:
        """Send one request; the future gives the status of its answer."""
        self.buffer = b""
        self.status = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.status

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, rest = self.buffer.partition(HEAD_END)
        if end and self.status and not self.status.done() and len(rest) >= body_length(head):
            self.status.set_result(int(head[9:12]))

    def connection_lost(self, problem: Exception | None) -> None:
        if self.status and not self.status.done():
            self.status.set_exception(ConnectionResetError("the server closed the connection"))


def body_length(head: bytes) -> int:
    """Return the Content-Length of an answer's head, 0 without one."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back of the delivery of this number, from when it was due, in `time.perf_counter()`."""

    number: int
    due: float
    ended: float
    status: int | str

    @property
    def seconds(self) -> float:
        return self.ended - self.due


@dataclass
class Outcome:
    """What came back: statuses, and how long each delivery took in milliseconds; of a stream, each answer."""

    seconds: float = 0.0
    statuses: Counter[int | str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Return the latency in milliseconds that this share of the deliveries stayed within."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    @property
    def acknowledged(self) -> int:
        return sum(n for status, n in self.statuses.items() if str(status).startswith("2"))


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection, "127.0.0.1", port
    )
    return connection


async def saturate(port: int, requests: Sequence[bytes], *, connections: int = 32) -> Outcome:
    """Send all requests as fast as they are answered."""
    outcome, waiting = Outcome(), iter(requests)

    async def work() -> None:
        connection = await connect(port)
        for request in waiting:
            outcome.statuses[await connection.send(request)] += 1
        connection.transport.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    outcome.seconds = time.perf_counter() - started
    return outcome


def _still_open(idle: list[Connection]) -> Connection | None:
    # A server closes what nobody used for some seconds.
    while idle:
        connection = idle.pop()
        if not connection.transport.is_closing():
            return connection
    return None


async def stream(
    port: int,
    requests: Iterable[bytes],
    *,
    rate: float,
    outcome: Outcome | None = None,
    is_kept_alive: bool = True,
) -> Outcome:
    """
    Send the requests at a steady rate, whether the server keeps up or not.

    Somebody else may look at the `outcome` meanwhile. Each request has a connection of its own unless
    they are kept alive.
    """
    outcome = outcome or Outcome()
    idle = [await connect(port) for _ in range(8)] if is_kept_alive else []

    async def deliver(number: int, request: bytes, due: float) -> None:
        status: int | str = "failed"
        try:
            connection = _still_open(idle) or await connect(port)
            status = await asyncio.wait_for(connection.send(request), ANSWER_SECONDS)
            if is_kept_alive:
                idle.append(connection)
            else:
                connection.transport.close()
        except OSError:
            pass
        answer = Answer(number, due, time.perf_counter(), status)
        outcome.answers.append(answer)
        outcome.latencies.append(answer.seconds * 1000)
        outcome.statuses[status] += 1

    begin = time.perf_counter() + 0.1
    async with asyncio.TaskGroup() as tasks:
        for number, request in enumerate(requests):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.create_task(deliver(number, request, due))
    outcome.seconds = time.perf_counter() - begin
    for connection in idle:
        connection.transport.close()
    return outcome
