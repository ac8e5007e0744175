"""What one webhook costs and how long it waits, beside a bare handler that verifies and inserts."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.rig.deliveries import MIXED_SIZES, requests
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


@dataclass
class Subject:
    """The product or the control, and its best figures so far."""

    name: str
    server: Server
    next_call: int
    cpu_us: float = float("inf")
    stream: Outcome | None = None
    acknowledged: int = 0

    def deliveries(self, count: int, *, mixed: bool = False) -> list[bytes]:
        """Return that many deliveries of calls nobody has reported yet."""
        start, self.next_call = self.next_call, self.next_call + count
        options = {"sizes": MIXED_SIZES} if mixed else {}
        return requests(
            count, path=PATH, host="127.0.0.1", key=KEY.encode(), start=start, **options
        )

    async def measure_cpu(self, count: int) -> None:
        load = self.deliveries(count)
        before = self.server.cpu_seconds()
        outcome = await saturate(self.server.port, load)
        used = self.server.cpu_seconds() - before
        self.acknowledged += outcome.acknowledged
        self.cpu_us = min(self.cpu_us, used / count * 1e6)

    async def measure_latency(self, *, rate: float, seconds: float) -> None:
        outcome = await stream(
            self.server.port, self.deliveries(int(rate * seconds), mixed=True), rate=rate
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
        for subject in subjects:
            await subject.measure_cpu(options.count)
        for subject in subjects:
            await subject.measure_latency(rate=options.rate, seconds=options.seconds)


def stored(database: Path, table: str) -> int:
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute(f"select count(*) from {table}").fetchone()[0])  # noqa: S608 # ours
    finally:
        connection.close()


def report(control: Subject, product: Subject, *, lost: int) -> dict[str, object]:
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
        print(f"{subject.name:<10} {subject.cpu_us:8.0f} {figures}  {dict(outcome.statuses)}")
    if control.stream.percentile(0.99) > QUIET_MS:
        print(
            "The machine was busy: the control's p99 is over 10 ms, so the latencies say nothing."
        )
    return {
        "bench": "webhooks",
        "cpu_ratio": round(product.cpu_us / control.cpu_us, 2),
        "p99_ms": round(product.stream.percentile(0.99), 2),
        "control_p99_ms": round(control.stream.percentile(0.99), 2),
        "over_100ms": sum(latency > LATE_MS for latency in product.stream.latencies),
        "acknowledged": product.acknowledged,
        "lost": lost,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="the best of them counts")
    parser.add_argument("--count", type=int, default=5000, help="deliveries to saturate with")
    parser.add_argument("--rate", type=float, default=300, help="deliveries a second of the stream")
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
        lost = product.acknowledged - stored(database, "webhooks_webhookevent")
        print(json.dumps(report(control, product, lost=lost)))
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
