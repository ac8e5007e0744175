"""The sandbox's time: simulated for calls, real for signatures."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from convomono.lib.clock import Clock


class SandboxClock:
    """Tells simulated milliseconds and wakes functions at them, on the event loop's one heap."""

    def __init__(self, clock: Clock) -> None:
        self.factor = clock.factor
        self._clock = clock

    def now_ms(self) -> int:
        return round(self._clock.at(time.time()) * 1000)

    @staticmethod
    def real_ms() -> int:
        return round(time.time() * 1000)

    def wake[*A](
        self, at_ms: int, function: Callable[[*A], object], *args: *A
    ) -> asyncio.TimerHandle:
        """Call function when the simulated clock reaches at_ms, at once if it has passed."""
        delay = max(0.0, self._clock.real_seconds((at_ms - self.now_ms()) / 1000))
        return asyncio.get_running_loop().call_later(delay, function, *args)

    async def sleep(self, seconds: float) -> None:
        """Sleep for so many simulated seconds."""
        await asyncio.sleep(self._clock.real_seconds(seconds))
