"""Dispatcher and drain killed with SIGKILL while they dial: nobody is called twice, everything adds up."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from bench.dispatch import prepare
from deploy.runs import free_port
from deploy.site import Sandbox, Site
from deploy.supervisor import BackOff, Output, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.load, pytest.mark.sqlite_only("is about SQLite's file")]
LEADS, LINES, KILLS = 80, 20, 14
LONGEST_SECONDS = 480.0
# Answers that are lost after the call was placed, and news that comes late, twice and out of order.
NEWS = {
    "webhook_duplicate": {"rate": 0.2},
    "webhook_delay": {"rate": 0.3, "seconds": 40},
}
FAULTS = {
    "dispatcher": {"reset_after": {"rate": 0.1}, "error_before": {"rate": 0.05}, **NEWS},
    "retell_batch": {"reset_after": {"rate": 1, "paths": ["/create-batch-call"]}, **NEWS},
}
CHECK = """
import json
from billing.invariants import audit_ledger
from billing.models import CallHold
from campaigns.dialling.bookkeeping import check_completeness
from campaigns.models import Attempt, BatchCall
from convomono.lib import clock
row = BatchCall.objects.get()
print(json.dumps({
    "status": row.status,
    "in_progress": row.in_progress_count,
    "off": check_completeness(now=clock.now()) + len(row.mismatch),
    "ledger": [str(one) for one in audit_ledger()],
    "held": CallHold.objects.filter(status="held").count(),
    "open": Attempt.objects.filter(status__in=("dialling", "placed", "unknown")).count(),
    "lost": Attempt.objects.filter(was_lost=True).count(),
    "counted": Attempt.objects.exclude(provider_call_id="").count(),
}))
"""


@pytest.fixture
def own_signals() -> Iterator[None]:
    """Give the handlers back that the supervisor replaced."""
    names = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(name) for name in names]
    yield
    for name, handler in zip(names, before, strict=True):
        signal.signal(name, handler)


def is_finished(database: Path) -> bool:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10) as connection:
        row = connection.execute("SELECT status FROM campaigns_batchcall").fetchone()
    return bool(row == ("finished",))


def watch(watcher: Supervisor, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        watcher.step()


def kill(watcher: Supervisor, name: str) -> bool:
    child = watcher.children.get(name)
    if child is None:
        return False
    os.killpg(child.process.pid, signal.SIGKILL)
    return True


@pytest.mark.usefixtures("own_signals")
@pytest.mark.parametrize("mode", ["dispatcher", "retell_batch"])
def test_calls_nobody_twice_however_often_its_processes_are_killed(
    tmp_path: Path, mode: str
) -> None:
    limits = (("concurrency", LINES), ("calls-per-second", 10))
    sandbox = Sandbox(free_port(0), 10, limits)
    site = Site(Path(sys.executable), tmp_path, free_port(0), sandbox)
    database = tmp_path / "kills.sqlite3"
    env = site.environment() | {
        "DJANGO_SETTINGS_MODULE": "convomono.settings.development",
        "DATABASE_URL": f"sqlite:///{database}",
        "DEBUG": "no",
        "LOG_LEVEL": "ERROR",
        "RETELL_CALLS_PER_SECOND": "10",
    }
    rng = random.Random(7)  # noqa: S311 - a test's dice
    output = Output(sys.stderr)
    with Supervisor(env, output, back_off=BackOff(first=0.1, longest=0.1)) as watcher:
        prepare(watcher, site, argparse.Namespace(leads=LEADS, lines=LINES, mode=mode, behind=0))
        httpx.put(f"{sandbox.url}/_sandbox/faults", json=FAULTS[mode]).raise_for_status()
        for program in site.programs():
            if program.name in {"web", "drain", "dispatcher"}:
                watcher.start(program)
        kills, deadline = 0, time.monotonic() + LONGEST_SECONDS
        while not is_finished(database):
            assert time.monotonic() < deadline, "It did not come to an end."
            watch(watcher, rng.uniform(1.5, 5))
            if kills < KILLS:
                kills += kill(watcher, rng.choice(("dispatcher", "dispatcher", "drain")))
        httpx.delete(f"{sandbox.url}/_sandbox/faults").raise_for_status()
        watch(watcher, 5)  # what is still on its way
        state = httpx.get(f"{sandbox.url}/_sandbox/state").json()
        said = subprocess.run(
            [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", CHECK],
            env=watcher.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
    found = json.loads(said.stdout.strip().splitlines()[-1])

    assert kills > 3
    assert state["double_dials"] == 0
    assert state["peak_live"] <= LINES
    assert (found["status"], found["in_progress"], found["open"]) == ("finished", 0, 0)
    assert (found["off"], found["ledger"], found["held"]) == (0, [], 0)
    assert found["lost"] > 0  # the faults and the kills did strike
    assert found["counted"] == state["calls_placed"]
