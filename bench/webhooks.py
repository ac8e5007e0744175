"""What one webhook costs and how long it waits, beside a bare handler that verifies and inserts."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench.rig import effects
from bench.rig.deliveries import KB, MIXED_SIZES, requests
from bench.rig.load import Outcome, saturate, stream
from bench.rig.servers import LOAD_CORE, Server, apart, start_server, supervisor
from deploy.gate import PRODUCTION
from deploy.runs import free_port
from deploy.supervisor import Program, Supervisor
from deploy.valkey import Valkey

PATH = "/api/v1/webhooks/retell"
KEY = "bench-webhook-key"
QUIET_MS = 10.0  # a control slower than this says that the machine was busy
LATE_MS = 100.0
WARM_UP = 300
SIZES = (4 * KB, 32 * KB, 128 * KB)
CALLS_FROM = 1 << 80  # of the calls that ring; those of the streams are nobody's
LONG_BODIES = 10  # of a long body there are that many times fewer


@dataclass
class Subject:
    """The product or the control, and its best figures so far."""

    name: str
    server: Server
    next_call: int
    cpu_us: dict[int, float] = field(default_factory=dict)
    stream: Outcome | None = None
    acknowledged: int = 0

    def deliveries(self, count: int, *, sizes: tuple[int, ...] = SIZES[:1]) -> list[bytes]:
        """Return that many deliveries of calls nobody has reported yet."""
        start, self.next_call = self.next_call, self.next_call + count
        return requests(
            count, path=PATH, host="127.0.0.1", key=KEY.encode(), start=start, sizes=sizes
        )

    async def measure_cpu(self, count: int, size: int) -> None:
        load = self.deliveries(count, sizes=(size,))
        before = self.server.cpu_seconds()
        outcome = await saturate(self.server.port, load)
        used = self.server.cpu_seconds() - before
        self.acknowledged += outcome.acknowledged
        self.cpu_us[size] = min(self.cpu_us.get(size, float("inf")), used / count * 1e6)

    async def measure_latency(self, *, rate: float, seconds: float) -> None:
        outcome = await stream(
            self.server.port, self.deliveries(int(rate * seconds), sizes=MIXED_SIZES), rate=rate
        )
        self.acknowledged += outcome.acknowledged
        if self.stream is None or outcome.percentile(0.99) < self.stream.percentile(0.99):
            self.stream = outcome


def start(watcher: Supervisor, folder: Path) -> tuple[Subject, Subject]:
    """Start the control and the product, each ready to be loaded."""
    watcher.env["FLOOR_KEY"], watcher.env["FLOOR_DATABASE"] = KEY, str(folder / "floor.sqlite3")
    valkey = Valkey.in_folder(folder / "valkey", python=Path(sys.executable))
    watcher.env["REDIS_URL"] = valkey.url
    watcher.start(valkey.program())
    watcher.wait_until(valkey.answers, "Valkey")
    if watcher.run(Program("migrate", [sys.executable, "manage.py", "migrate", "--verbosity=0"])):
        raise SystemExit("The migrations failed.")
    floor_port, port = free_port(0), free_port(0)
    floor = ["uvicorn", "bench.rig.floor:application", f"--port={floor_port}", "--no-access-log"]
    product = [
        "granian",
        "--interface=wsgi",
        f"--port={port}",
        "--workers=1",
        "--blocking-threads=1",
    ]
    control = start_server(
        watcher,
        "control",
        [sys.executable, "-m", *floor, "--log-level=warning"],
        port=floor_port,
        health="/",
    )
    web = start_server(
        watcher,
        "web",
        [sys.executable, "-m", *product, "--log-level=warning", "convomono.wsgi:application"],
        port=port,
        health="/healthz",
    )
    return Subject("control", control, 0), Subject("product", web, 1 << 64)


async def measure(subjects: tuple[Subject, Subject], options: argparse.Namespace) -> None:
    """Measure both in turn, so that a busy moment of the machine meets both."""
    for subject in subjects:
        await saturate(subject.server.port, warm := subject.deliveries(WARM_UP))
        subject.acknowledged += len(warm)
    for _ in range(options.rounds):
        for size in SIZES:
            count = options.count if size == SIZES[0] else options.count // LONG_BODIES
            for subject in subjects:
                await subject.measure_cpu(count, size)
        for subject in subjects:
            await subject.measure_latency(rate=options.rate, seconds=options.seconds)


def measure_effects(
    watcher: Supervisor, product: Subject, database: Path, options: argparse.Namespace
) -> effects.Effects:
    """Measure what happens after the answer, with calls that ring: drain, burst, page."""
    found, first, port = effects.Effects(), CALLS_FROM, product.server.port
    count, pages = options.burst, options.pages
    session = effects.make_calls(watcher.env, start=first, count=2 * count + pages)

    def ends(start: int, count: int) -> list[bytes]:
        return requests(count, path=PATH, host="127.0.0.1", key=KEY.encode(), start=start)

    effects.drain_rate(watcher.env, events=1)  # what the streams left: they are nobody's calls
    uvloop.run(saturate(port, ends(first, count)))
    found.drain_per_s = effects.drain_rate(watcher.env, events=count)
    watcher.start(Program("drain", [sys.executable, "manage.py", "drain"]))
    applied = effects.applied_events(database)
    load = ends(first + count, count)
    outcome, found.burst_visible_s = uvloop.run(effects.burst(port, load, database, applied))
    found.burst_p99_ms = outcome.percentile(0.99)
    start = first + 2 * count
    names = [f"call_{number:032x}" for number in range(start, start + pages)]
    pairs = list(zip(ends(start, pages), names, strict=True))
    delays = effects.page_delays(port, session, pairs, database)
    found.page_p95_ms = delays[int(len(delays) * 0.95)] if delays else 0.0
    found.acknowledged = count + outcome.acknowledged + pages
    return found


def stored(database: Path, table: str) -> int:
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute(f"select count(*) from {table}").fetchone()[0])  # noqa: S608 # ours
    finally:
        connection.close()


def report(
    control: Subject, product: Subject, after: effects.Effects, *, lost: int
) -> dict[str, object]:
    assert control.stream is not None
    assert product.stream is not None
    late = [subject.stream for subject in (control, product) if subject.stream]
    print(
        f"{'':<10} {'CPU µs':>8} {'p50 ms':>8} {'p99 ms':>8} {'p99.9 ms':>9} {'late':>5}  statuses"
    )
    for subject, outcome in zip((control, product), late, strict=True):
        shares = [outcome.percentile(share) for share in (0.5, 0.99, 0.999)]
        over = sum(latency > LATE_MS for latency in outcome.latencies)
        figures = f"{shares[0]:8.2f} {shares[1]:8.2f} {shares[2]:9.2f} {over:5}"
        print(
            f"{subject.name:<10} {subject.cpu_us[SIZES[0]]:8.0f} {figures}  {dict(outcome.statuses)}"
        )
    ratios = {size // KB: product.cpu_us[size] / control.cpu_us[size] for size in SIZES}
    print("CPU ratio by body: " + ", ".join(f"{kb} KB {ratio:.2f}" for kb, ratio in ratios.items()))
    print(
        f"burst p99 {after.burst_p99_ms:.0f} ms, all visible {after.burst_visible_s:.2f} s after it; "
        f"drain {after.drain_per_s:.0f} events per second of CPU; page p95 {after.page_p95_ms:.0f} ms"
    )
    if control.stream.percentile(0.99) > QUIET_MS:
        print(
            "The machine was busy: the control's p99 is over 10 ms, so the latencies say nothing."
        )
    return {
        "bench": "webhooks",
        "cpu_ratio": round(ratios[4], 2),
        "cpu_ratio_32kb": round(ratios[32], 2),
        "cpu_ratio_128kb": round(ratios[128], 2),
        "p99_ms": round(product.stream.percentile(0.99), 2),
        "control_p99_ms": round(control.stream.percentile(0.99), 2),
        "over_100ms": sum(latency > LATE_MS for latency in product.stream.latencies),
        "burst_p99_ms": round(after.burst_p99_ms, 2),
        "burst_visible_s": round(after.burst_visible_s, 2),
        "drain_per_s": round(after.drain_per_s),
        "page_p95_ms": round(after.page_p95_ms),
        "acknowledged": product.acknowledged,
        "lost": lost,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="the best of them counts")
    parser.add_argument("--count", type=int, default=5000, help="deliveries to saturate with")
    parser.add_argument("--rate", type=float, default=300, help="deliveries a second of the stream")
    parser.add_argument("--burst", type=int, default=2000, help="deliveries within two seconds")
    parser.add_argument("--pages", type=int, default=40, help="calls whose page is waited for")
    parser.add_argument("--seconds", type=float, default=6, help="of each stream")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = folder / "product.sqlite3"
        env = {**os.environ, **PRODUCTION, "DATABASE_URL": f"sqlite:///{database}"}
        env |= {"VAR_DIR": name, "RETELL_WEBHOOK_KEY": KEY, "ALLOWED_HOSTS": "127.0.0.1"}
        env["PYTHONWARNINGS"] = "ignore"  # no static files are collected here
        with supervisor(env) as watcher:
            apart(os.getpid(), LOAD_CORE)
            control, product = start(watcher, folder)
            uvloop.run(measure((control, product), options))
            after = measure_effects(watcher, product, database, options)
        product.acknowledged += after.acknowledged
        lost = product.acknowledged - stored(database, "webhooks_webhookevent")
        print(json.dumps(report(control, product, after, lost=lost)))
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
