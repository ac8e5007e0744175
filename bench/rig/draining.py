"""
Fills an inbox with the lives of calls that ring and drains it in this process: CPU, and the longest lock.

`python -m bench.rig.draining --start 0 --calls 740` prints JSON; `--profile 40` tells where the time went.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import sys
import time
from typing import TYPE_CHECKING, Any

import django

django.setup()

from django.db import connection  # noqa: E402 # the apps are loaded first

from bench.rig import ringing  # noqa: E402
from bench.rig.lives import bodies  # noqa: E402
from billing.invariants import audit_ledger  # noqa: E402
from convomono.lib import clock, memory  # noqa: E402
from convomono.lib.ids import uuid7  # noqa: E402
from telephony.models import Call  # noqa: E402
from webhooks import inbox  # noqa: E402
from webhooks.deliveries import read_delivery  # noqa: E402
from webhooks.drain import Drain  # noqa: E402
from webhooks.models import WebhookEvent  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable


class Locks:
    """How long each write transaction held SQLite's lock, in milliseconds; and how many statements."""

    def __init__(self) -> None:
        self.held_ms: list[float] = []
        self.statements = 0
        self._began: float | None = None

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        self.statements += 1
        return execute(sql, params, many, context)

    def watch(self) -> None:
        """Have the driver tell when a transaction begins and ends."""
        connection.ensure_connection()
        connection.connection.set_trace_callback(self._traced)

    def _traced(self, statement: str) -> None:
        if statement.startswith("BEGIN"):
            self._began = time.perf_counter()
        elif statement.startswith(("COMMIT", "ROLLBACK")) and self._began is not None:
            self.held_ms.append((time.perf_counter() - self._began) * 1000)
            self._began = None


def fill(start: int, calls: int) -> int:
    """Let calls ring and store what Retell tells of them; return how many events."""
    ringing.ring_launch(ringing.bench_user(), start=start, calls=calls)
    told = bodies(start, calls)
    now = clock.now()
    for body in told:
        inbox.store(read_delivery(body), now=now)
    return len(told)


def drain_all(locks: Locks, profile: cProfile.Profile | None) -> tuple[float, float]:
    """Empty the inbox; return seconds of CPU and of the clock."""
    drain = Drain()
    cpu, began = time.process_time(), time.perf_counter()
    with connection.execute_wrapper(locks):
        if profile:
            profile.enable()
        while drain.step(now=clock.now()):
            pass
        if profile:
            profile.disable()
    return time.process_time() - cpu, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--calls", type=int, default=740)
    parser.add_argument("--profile", type=int, default=0, help="print so many lines of a profile")
    options = parser.parse_args()
    first = uuid7()  # what is made later has a greater key
    events = fill(options.start, options.calls)
    locks = Locks()
    locks.watch()
    memory.settle()  # as the command does
    profile = cProfile.Profile() if options.profile else None
    cpu, seconds = drain_all(locks, profile)
    if profile:
        stats = pstats.Stats(profile, stream=sys.stderr)
        stats.sort_stats("tottime").print_stats(options.profile)
        stats.sort_stats("cumtime").print_stats(options.profile)
    of_calls = Call.objects.filter(pk__gte=first).values_list("provider_call_id", flat=True)
    applied = WebhookEvent.objects.filter(status="applied", provider_call_id__in=of_calls).count()
    if applied != events or (wrong := list(audit_ledger())):
        raise SystemExit(f"{applied} of {events} events are applied; the ledger: {wrong}")
    held = sorted(locks.held_ms)
    figures = {
        "events": events,
        "per_cpu_s": events / cpu,
        "seconds": seconds,
        "statements_per_event": locks.statements / events,
        "transactions": len(held),
        "lock_p99_ms": held[int(len(held) * 0.99)],
        "lock_most_ms": held[-1],
    }
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
