"""What one webhook costs and how long it waits, beside a bare handler that verifies and inserts."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import tempfile
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from bench.rig import effects
from bench.rig.company import ROWS_A_SECOND, importing, prepare_import
from bench.rig.deliveries import KB, requests
from bench.rig.load import saturate
from bench.rig.servers import LOAD_CORE, apart, supervisor
from bench.rig.subjects import KEY, PATH, SIZES, start_live, start_subjects
from deploy.gate import PRODUCTION
from deploy.supervisor import Program

if TYPE_CHECKING:
    from deploy.supervisor import Supervisor

PARTS = ("cpu", "duplicates", "drain", "stream", "burst", "page")
QUIET_MS = 10.0  # a control slower than this says that the machine was busy
LATE_MS = 100.0
DUPLICATE_COST = 1.2  # of the CPU of a new delivery: more than this fails
WARM_UP = 300
CALLS_FROM = 1 << 80  # of the calls that ring; those that only cost CPU are nobody's
LONG_BODIES = 10  # of a long body there are that many times fewer
QUICK = {"rounds": 1, "count": 1000, "seconds": 3.0, "burst": 600, "pages": 8, "calls": 250}
FULL = {"rounds": 3, "count": 5000, "seconds": 6.0, "burst": 2000, "pages": 40, "calls": 750}


class Bench:
    """One run: the servers, what was measured of them, and the numbers of the calls that ring."""

    def __init__(self, watcher: Supervisor, folder: Path, options: argparse.Namespace) -> None:
        self.watcher, self.options = watcher, options
        self.database = folder / "product.sqlite3"
        self.control, self.product = start_subjects(watcher, folder)
        self.subjects = (self.control, self.product)
        self.effects = effects.Effects()
        self.session = ""
        self.import_rows = int(2 * options.rounds * options.seconds * ROWS_A_SECOND)
        self._next_call = CALLS_FROM

    def run(self) -> None:
        """Measure the parts that were asked for, in the order in which they leave each other alone."""
        wanted = self.options.parts
        if "stream" in wanted:
            prepare_import(self.watcher.env, rows=self.import_rows)
        for subject in self.subjects:
            uvloop.run(saturate(subject.server.port, warm := subject.deliveries(WARM_UP)))
            subject.acknowledged += len(warm)
        if "cpu" in wanted:
            uvloop.run(self.measure_cpu())
        if "duplicates" in wanted:
            uvloop.run(self.measure_duplicates())
        self.set_aside()
        if "drain" in wanted:
            start, calls = self.numbers(self.options.calls), self.options.calls
            self.effects.drain = effects.drain_figures(self.watcher.env, start=start, calls=calls)
            self.product.acknowledged += int(self.effects.drain["events"])
        if {"stream", "burst", "page"} & set(wanted):
            self.measure_beside_the_drain(wanted)

    async def measure_cpu(self) -> None:
        """Measure both in turn, so that a busy moment of the machine meets both."""
        for _ in range(self.options.rounds):
            for size in SIZES:
                many = self.options.count
                for subject in self.subjects:
                    await subject.measure_cpu(
                        many if size == SIZES[0] else many // LONG_BODIES, size
                    )

    async def measure_duplicates(self) -> None:
        for _ in range(self.options.rounds):
            await self.product.measure_duplicates(self.options.count)

    def measure_beside_the_drain(self, wanted: list[str]) -> None:
        """Let calls ring, and report their ends while the drain applies them."""
        options = self.options
        of_streams = int(options.rate * options.seconds) * options.rounds * ("stream" in wanted)
        first = self.numbers(1 + of_streams + options.burst + options.pages)
        self.product.next_call = first
        self.session = effects.make_calls(
            self.watcher.env, start=first, count=self._next_call - first
        )
        self.watcher.start(Program("drain", [sys.executable, "manage.py", "drain"]))
        self.wait_for_its_start()
        if "stream" in wanted:
            with importing(self.watcher.env, rows=self.import_rows) as beside:
                uvloop.run(self.measure_latency())
                self.effects.import_ended = beside.poll() is not None
            effects.wait_for_drain(self.database)
        if "burst" in wanted:
            self.measure_burst()
        if "page" in wanted:
            self.measure_page()

    def wait_for_its_start(self) -> None:
        """Have one event applied: how long the drain takes to come up is no part of anything."""
        before = effects.applied_events(self.database)
        uvloop.run(
            effects.burst(
                self.product.server.port, self.product.deliveries(1), self.database, before
            )
        )
        self.product.acknowledged += 1

    async def measure_latency(self) -> None:
        for _ in range(self.options.rounds):
            for subject in self.subjects:
                await subject.measure_latency(rate=self.options.rate, seconds=self.options.seconds)

    def measure_burst(self) -> None:
        before = effects.applied_events(self.database)
        load, port = self.product.deliveries(self.options.burst), self.product.server.port
        outcome, seconds = uvloop.run(effects.burst(port, load, self.database, before))
        self.product.acknowledged += outcome.acknowledged
        self.effects.burst_p99_ms, self.effects.burst_visible_s = outcome.percentile(0.99), seconds
        self.effects.burst_failed = len(load) - outcome.acknowledged

    def measure_page(self) -> None:
        first, count = self.product.next_call, self.options.pages
        names = [f"call_{number:032x}" for number in range(first, first + count)]
        load = requests(count, path=PATH, host="127.0.0.1", key=KEY.encode(), start=first)
        pairs = list(zip(load, names, strict=True))
        live_port = start_live(self.watcher)
        port = self.product.server.port
        delays = effects.page_delays(port, live_port, self.session, pairs, self.database)
        self.product.acknowledged += count
        self.effects.page_p95_ms = delays[int(len(delays) * 0.95)]

    def numbers(self, count: int) -> int:
        """Take so many numbers of calls; return the first."""
        first, self._next_call = self._next_call, self._next_call + count
        return first

    def set_aside(self) -> None:
        """Leave nothing of nobody's calls to the drain: it would try each of them by itself."""
        with sqlite3.connect(self.database, timeout=20) as connection:
            connection.execute("update webhooks_webhookevent set status = 'ignored'")

    @property
    def lost(self) -> int:
        """How many events were acknowledged and aren't there."""
        with sqlite3.connect(self.database) as connection:
            (stored,) = connection.execute("select count(*) from webhooks_webhookevent").fetchone()
        return self.product.acknowledged - int(stored)


def figures(bench: Bench) -> dict[str, Any]:
    """Return what was measured, under the names of the JSON line; what wasn't is null."""
    after, product, control = bench.effects, bench.product, bench.control
    ratios = {
        size: round(product.cpu_us[size] / control.cpu_us[size], 2) if product.cpu_us else None
        for size in SIZES
    }
    streams = (product.stream, control.stream)
    p99, control_p99 = (round(one.percentile(0.99), 2) if one else None for one in streams)
    first_us, again_us = product.duplicates_us
    late = sum(one > LATE_MS for one in product.stream.latencies) if product.stream else None
    return {
        "cpu_ratio": ratios[SIZES[0]],
        "cpu_ratio_32kb": ratios[SIZES[1]],
        "cpu_ratio_128kb": ratios[SIZES[2]],
        "duplicate_cost": round(again_us / first_us, 2) if isfinite(first_us) else None,
        "p99_ms": p99,
        "control_p99_ms": control_p99,
        "over_100ms": late,
        "burst_p99_ms": _rounded(after.burst_p99_ms),
        "burst_failed": after.burst_failed,
        "burst_visible_s": _rounded(after.burst_visible_s),
        "drain_per_s": round(after.drain["per_cpu_s"]) if after.drain else None,
        "drain_lock_p99_ms": after.drain.get("lock_p99_ms"),
        "page_p95_ms": _rounded(after.page_p95_ms),
        "acknowledged": product.acknowledged,
        "lost": bench.lost,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def report(bench: Bench, found: dict[str, Any]) -> None:
    """Say in words what the figures are, and whether they are worth anything."""
    for subject in bench.subjects:
        cpu = ", ".join(f"{size // KB} KB {us:.0f} µs" for size, us in subject.cpu_us.items())
        print(f"{subject.name:<8} CPU for each: {cpu or 'not measured'}")
        if outcome := subject.stream:
            shares = ", ".join(
                f"p{share * 100:g} {outcome.percentile(share):.1f} ms"
                for share in (0.5, 0.99, 0.999)
            )
            print(f"{'':<8} stream: {shares}; answers {dict(outcome.statuses)}")
    if found["duplicate_cost"]:
        first_us, again_us = bench.product.duplicates_us
        print(f"product  CPU for a duplicate: {again_us:.0f} µs, for the first: {first_us:.0f} µs")
    if drain := bench.effects.drain:
        print(
            f"drain    {drain['per_cpu_s']:.0f} events per second of CPU, {drain['seconds']:.1f} s for"
            f" {drain['events']:.0f}; write transactions: p99 {drain['lock_p99_ms']:.0f} ms"
        )
    if bench.effects.import_ended:
        print("The import was over before the stream was: the latencies flatter.")
    if (found["control_p99_ms"] or 0) > QUIET_MS:
        print("The machine was busy: the control's p99 is over 10 ms, the latencies say nothing.")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything: does it run?")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rate", type=float, default=300, help="deliveries a second of the stream")
    parser.add_argument("--rounds", type=int, help="the best of them counts")
    parser.add_argument("--count", type=int, help="deliveries to saturate with")
    parser.add_argument("--seconds", type=float, help="of each stream")
    parser.add_argument("--burst", type=int, help="deliveries within two seconds")
    parser.add_argument("--pages", type=int, help="calls whose page is waited for")
    parser.add_argument("--calls", type=int, help="calls whose whole lives are drained")
    options = parser.parse_args()
    for name, value in (QUICK if options.quick else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {**os.environ, **PRODUCTION, "DATABASE_URL": f"sqlite:///{folder}/product.sqlite3"}
        env |= {"VAR_DIR": name, "RETELL_WEBHOOK_KEY": KEY, "ALLOWED_HOSTS": "127.0.0.1"}
        env["PYTHONWARNINGS"] = "ignore"  # no static files are collected here
        with supervisor(env) as watcher:
            apart(os.getpid(), LOAD_CORE)
            bench = Bench(watcher, folder, options)
            bench.run()
        found = figures(bench)
    report(bench, found)
    print(json.dumps({"bench": "webhooks", "parts": options.parts, **found}))
    is_dear = (found["duplicate_cost"] or 0) >= DUPLICATE_COST
    return 1 if found["lost"] or found["burst_failed"] or is_dear else 0


if __name__ == "__main__":
    raise SystemExit(main())
