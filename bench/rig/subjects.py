"""The product and the control under the same load, and how well each did."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.rig.deliveries import KB, MIXED_SIZES, requests
from bench.rig.load import Outcome, saturate, stream
from bench.rig.servers import Server, start_server
from deploy.runs import free_port, is_ok
from deploy.supervisor import Program
from deploy.valkey import Valkey

if TYPE_CHECKING:
    from deploy.supervisor import Supervisor

PATH = "/api/v1/webhooks/retell"
KEY = "bench-webhook-key"
SIZES = (4 * KB, 32 * KB, 128 * KB)


@dataclass
class Subject:
    """The product or the control, and its best figures so far; `next_call` numbers its calls."""

    name: str
    server: Server
    next_call: int
    cpu_us: dict[int, float] = field(default_factory=dict)
    duplicates_us: tuple[float, float] = (float("inf"), float("inf"))  # told first, and once more
    stream: Outcome | None = None
    acknowledged: int = 0

    def deliveries(self, count: int, *, sizes: tuple[int, ...] = SIZES[:1]) -> list[bytes]:
        """Return that many deliveries of calls nobody has reported yet."""
        start, self.next_call = self.next_call, self.next_call + count
        return requests(
            count, path=PATH, host="127.0.0.1", key=KEY.encode(), start=start, sizes=sizes
        )

    async def measure_cpu(self, count: int, size: int) -> None:
        """Send as fast as it answers; the CPU of its processes for each."""
        outcome, us = await self._saturated(self.deliveries(count, sizes=(size,)))
        self.acknowledged += outcome.acknowledged
        self.cpu_us[size] = min(self.cpu_us.get(size, float("inf")), us)

    async def measure_duplicates(self, count: int) -> None:
        """Send the same deliveries twice, as fast as it answers; the CPU of its processes for each."""
        load = self.deliveries(count)
        outcome, first_us = await self._saturated(load)
        self.acknowledged += outcome.acknowledged
        outcome, again_us = await self._saturated(load)
        if outcome.acknowledged != count:
            raise SystemExit(f"Duplicates were answered {dict(outcome.statuses)}.")
        least_first, least_again = self.duplicates_us
        self.duplicates_us = min(least_first, first_us), min(least_again, again_us)

    async def _saturated(self, load: list[bytes]) -> tuple[Outcome, float]:
        before = self.server.cpu_seconds()
        outcome = await saturate(self.server.port, load)
        return outcome, (self.server.cpu_seconds() - before) / len(load) * 1e6

    async def measure_latency(self, *, rate: float, seconds: float) -> None:
        """Send at a steady rate, whether it keeps up or not; the best of the rounds counts."""
        outcome = await stream(
            self.server.port, self.deliveries(int(rate * seconds), sizes=MIXED_SIZES), rate=rate
        )
        self.acknowledged += outcome.acknowledged
        if self.stream is None or outcome.percentile(0.99) < self.stream.percentile(0.99):
            self.stream = outcome


def start_subjects(watcher: Supervisor, folder: Path) -> tuple[Subject, Subject]:
    """Start the control and the product, each ready to be loaded."""
    watcher.env["FLOOR_KEY"], watcher.env["FLOOR_DATABASE"] = KEY, str(folder / "floor.sqlite3")
    valkey = Valkey.in_folder(folder / "valkey", python=Path(sys.executable))
    watcher.env["REDIS_URL"] = valkey.url
    watcher.start(valkey.program())
    watcher.wait_until(valkey.answers, "Valkey")
    # Production's pages name their files by what is in them: they have to be collected.
    for command in ("migrate", "collectstatic"):
        words = [sys.executable, "manage.py", command, "--no-input", "--verbosity=0"]
        if watcher.run(Program(command, words)):
            raise SystemExit(f"{command} failed.")
    floor_port, port = free_port(0), free_port(0)
    floor = ["uvicorn", "bench.rig.floor:application", f"--port={floor_port}", "--no-access-log"]
    product = ["granian", "--interface=wsgi", f"--port={port}", "--workers=1"]
    control = start_server(
        watcher,
        "control",
        [sys.executable, "-m", *floor, "--log-level=warning"],
        port=floor_port,
        health="/",
    )
    server = [sys.executable, "-m", *product, "--blocking-threads=4", "--log-level=warning"]
    web = start_server(
        watcher, "web", [*server, "convomono.wsgi:application"], port=port, health="/healthz"
    )
    return Subject("control", control, 0), Subject("product", web, 1 << 64)


def start_live(watcher: Supervisor) -> int:
    """Start the process of the open pages' sockets, as in production; return its port."""
    port = free_port(0)
    command = ["uvicorn", "convomono.asgi:application", f"--port={port}", "--log-level=warning"]
    watcher.start(Program("live", [sys.executable, "-m", *command]))
    watcher.wait_until(lambda: is_ok(f"http://127.0.0.1:{port}/healthz"), "live")
    return port
