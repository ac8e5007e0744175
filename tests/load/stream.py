"""A steady stream of deliveries beside a fault, and what came back of each: `reliability.md`, section 8."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from bench.rig.deliveries import KB, event_body, request, requests
from bench.rig.load import Answer, Outcome, saturate, stream
from tests.factories.webhooks import KEY
from webhooks.intake import PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

DELIVERIES_A_SECOND = 300.0
# Of what the server takes at most: a machine that others use, too, carries less than the rate above.
SHARE = 8
SATURATING = 600
SATURATING_FROM = 1 << 40
HOST = "127.0.0.1"


def carried_rate(port: int) -> float:
    """Return how many deliveries a second are a load that this machine carries beside a fault."""
    many = requests(SATURATING, path=PATH, host=HOST, key=KEY, start=SATURATING_FROM)
    outcome = asyncio.run(saturate(port, many, connections=16))
    assert outcome.acknowledged == SATURATING
    return min(DELIVERIES_A_SECOND, SATURATING / outcome.seconds / SHARE)


def call_id(number: int) -> str:
    """Return Retell's id of the call that the delivery of this number tells of."""
    return f"call_{number:032x}"


class Stream(threading.Thread):
    """
    Delivers the end of another call each time, until it is told to stop.

    With another `event` than `call_ended` it tells of what concerns nobody: that is stored as well, and
    leaves the drain to others.
    """

    def __init__(
        self, port: int, *, rate: float, event: str = "call_ended", is_kept_alive: bool = True
    ) -> None:
        super().__init__(daemon=True)
        self.rate = rate
        self._port = port
        self._event = event.encode()
        self._is_kept_alive = is_kept_alive
        self._outcome = Outcome()
        self._is_over = threading.Event()

    def run(self) -> None:
        asyncio.run(
            stream(
                self._port, self._requests(), rate=self.rate, outcome=self._outcome,
                is_kept_alive=self._is_kept_alive,
            )
        )  # fmt: skip

    def _requests(self) -> Iterator[bytes]:
        number = 0
        while not self._is_over.is_set():
            body = event_body(number, size=4 * KB).replace(b"call_ended", self._event)
            yield request(body, path=PATH, host=HOST, key=KEY)
            number += 1

    def stop(self) -> None:
        """Send no more, and wait for the answers that are outstanding."""
        self._is_over.set()
        self.join(60)
        assert not self.is_alive()

    @property
    def answers(self) -> list[Answer]:
        """What has come back so far, in the order in which it came."""
        return self._outcome.answers.copy()

    @property
    def acknowledged(self) -> set[str]:
        """The calls of which a delivery was acknowledged."""
        return {call_id(one.number) for one in self.answers if one.status == 204}

    def due_between(self, begin: float, end: float) -> list[Answer]:
        """Return what came back of those that were due between two instants of `time.perf_counter()`."""
        return [one for one in self.answers if begin <= one.due < end]

    def has_gone_on(self, since: float, *, seconds: float = 1.0) -> bool:
        """Tell whether deliveries of so many seconds after this instant have been answered."""
        return bool(self.due_between(since + seconds, float("inf")))


def p99(answers: list[Answer]) -> float:
    """Return the seconds within which 99 % of them came."""
    return sorted(one.seconds for one in answers)[int(len(answers) * 0.99)]


def now() -> float:
    return time.perf_counter()
