"""The clock that the edges read and pass down: real time, or the sandbox's faster one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from convomono.lib import env

MAX_FACTOR = 600


@dataclass(frozen=True)
class Clock:
    """Time that runs `factor` times as fast as real time from the instant `real_anchor` on."""

    factor: float
    real_anchor: float  # epoch seconds
    sim_anchor: float  # epoch seconds

    def at(self, real: float) -> float:
        """Return simulated epoch seconds for real ones."""
        return self.sim_anchor + (real - self.real_anchor) * self.factor

    def real_seconds(self, seconds: float) -> float:
        """Return how long `seconds` of this clock take in real seconds."""
        return seconds / self.factor


def _from_environment() -> Clock:
    """
    Read the clock every process of one run shares.

    The supervisor sets the two anchors, so that all processes tell the same time and a later run
    over the same database goes on where the last one stopped.
    """
    factor = env.number("SANDBOX_CLOCK_FACTOR", 1, at_least=1)
    if factor > MAX_FACTOR:
        raise env.EnvironmentInvalid(f"SANDBOX_CLOCK_FACTOR must be at most {MAX_FACTOR}.")
    here = time.time() if factor != 1 else 0.0
    real = env.number("SANDBOX_CLOCK_REAL", here)
    return Clock(factor=factor, real_anchor=real, sim_anchor=env.number("SANDBOX_CLOCK_SIM", real))


CLOCK = _from_environment()


def now() -> datetime:
    """
    Return the current instant, aware, in UTC, to the millisecond.

    MongoDB keeps milliseconds, so nothing finer ever leaves this function. Signatures, sessions,
    tokens and rate limits use `real_now()`.
    """
    real = time.time()
    return _to_datetime(CLOCK.at(real) if CLOCK.factor != 1 else real)


def real_now() -> datetime:
    """Return the current instant of the real world, aware, in UTC, to the millisecond."""
    return _to_datetime(time.time())


def _to_datetime(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds * 1000) / 1000, tz=UTC)
