"""How many rows of a spreadsheet an import checks, writes and takes back a second, beside webhooks and django-import-export."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvloop

from bench.rig.deliveries import requests
from bench.rig.load import Outcome, stream
from bench.rig.servers import LOAD_CORE, Server, apart, start_server, supervisor
from deploy.gate import PRODUCTION
from deploy.runs import free_port
from deploy.supervisor import Program, Supervisor
from deploy.valkey import Valkey

ROOT = Path(__file__).resolve().parents[1]
KEY = "bench-webhook-key"
SECONDS_OF_LOAD = 6.0


@dataclass
class Load:
    """Webhooks that come in while the import writes, one batch of a few seconds after the other."""

    port: int
    rate: float
    next_call: int = 0
    is_over: bool = False

    def run(self, found: list[Outcome]) -> None:
        while not self.is_over:
            found.append(uvloop.run(self._batch()))

    async def _batch(self) -> Outcome:
        count = int(self.rate * SECONDS_OF_LOAD)
        start, self.next_call = self.next_call, self.next_call + count
        load = requests(
            count, path="/api/v1/webhooks/retell", host="127.0.0.1", key=KEY.encode(), start=start
        )
        return await stream(self.port, load, rate=self.rate)


def start_web(watcher: Supervisor, folder: Path) -> Server:
    """Start what takes the webhooks, as in production: one worker, one thread."""
    valkey = Valkey.in_folder(folder / "valkey", python=Path(sys.executable))
    watcher.env["REDIS_URL"] = valkey.url
    watcher.start(valkey.program())
    watcher.wait_until(valkey.answers, "Valkey")
    if watcher.run(Program("migrate", [sys.executable, "manage.py", "migrate", "--verbosity=0"])):
        raise SystemExit("The migrations failed.")
    port = free_port(0)
    granian = ["granian", "--interface=wsgi", f"--port={port}", "--workers=1"]
    command = [sys.executable, "-m", *granian, "--blocking-threads=1", "--log-level=warning"]
    return start_server(
        watcher, "web", [*command, "convomono.wsgi:application"], port=port, health="/healthz"
    )


def run_step(step: str, env: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    """Run one step of the import in a process of its own and return what it measured."""
    command = [sys.executable, "-m", "bench.rig.importing", step]
    command += [str(options.rows), str(options.peer_rows), "campaign" if options.campaign else ""]
    result = subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
    figures: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return figures


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    env = {**os.environ, **PRODUCTION, "DATABASE_URL": f"sqlite:///{folder}/product.sqlite3"}
    env |= {"VAR_DIR": str(folder), "RETELL_WEBHOOK_KEY": KEY, "ALLOWED_HOSTS": "127.0.0.1"}
    env["PYTHONWARNINGS"] = "ignore"
    with supervisor(env) as watcher:
        apart(os.getpid(), LOAD_CORE)
        web = start_web(watcher, folder)
        run_env = {**watcher.env, "REDIS_URL": watcher.env["REDIS_URL"]}
        figures = run_step("prepare", run_env, options)
        found: list[Outcome] = []
        load = Load(port=web.port, rate=options.rate)
        thread = threading.Thread(target=load.run, args=(found,))
        thread.start()
        try:
            figures |= run_step("check", run_env, options)
            figures |= run_step("commit", run_env, options)
            if options.undo:
                figures |= run_step("undo", run_env, options)
        finally:
            load.is_over = True
            thread.join()
        figures |= run_step("peer", run_env, options)
    figures["peak_rss_mb"] = max(
        number for name, number in figures.items() if name.endswith("peak_rss_mb")
    )
    latencies = Outcome(latencies=[one for batch in found for one in batch.latencies])
    figures["webhook_p99_ms"] = round(latencies.percentile(0.99), 2)
    figures["webhooks_failed"] = sum(
        number
        for batch in found
        for status, number in batch.statuses.items()
        if status != HTTPStatus.NO_CONTENT
    )
    return figures


def report(figures: dict[str, Any]) -> dict[str, Any]:
    ratio = figures["commit_rows_per_s"] / max(figures["peer_rows_per_s"], 0.001)
    print(f"dry run          {figures['dry_run_rows_per_s']:>9,.0f} rows/s")
    print(f"commit           {figures['commit_rows_per_s']:>9,.0f} rows/s")
    if "undo_leads_per_s" in figures:
        print(f"undo             {figures['undo_leads_per_s']:>9,.0f} leads/s")
        print(f"its longest write{figures['undo_longest_write_ms']:>9.1f} ms")
    print(f"import-export    {figures['peer_rows_per_s']:>9,.0f} rows/s, its default flow")
    print(f"longest write    {figures['longest_write_ms']:>9.1f} ms")
    print(f"webhooks p99     {figures['webhook_p99_ms']:>9.1f} ms")
    print(f"memory           {figures['peak_rss_mb']:>9.0f} MB at its most")
    for wrong in filter(None, (figures["wrong"], figures.get("undo_wrong"))):
        print(f"WRONG: {wrong}")
    return {"bench": "import", "peer_ratio": round(ratio, 1), **figures}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=100, help="webhooks a second meanwhile")
    parser.add_argument(
        "--undo",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="take it back at the end",
    )
    parser.add_argument("--campaign", action="store_true", help="enrol the people as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = measure(options, Path(name))
    print(json.dumps(report(figures)))
    is_wrong = figures["wrong"] or figures.get("undo_wrong")
    return 1 if is_wrong or figures["webhooks_failed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
