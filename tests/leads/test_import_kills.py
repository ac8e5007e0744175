"""A real worker killed with SIGKILL at ten places of an import: it ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.db import connection

from convomono.lib import clock, env
from convomono.lib.redis import redis_connection
from leads import jobs
from leads.imports import verdict_file, work
from leads.models import Consent, Lead, LeadImport
from leads.services.imports import commit_import
from tests.factories.leads import SuppressionFactory, ask_check, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.load,
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite_only("is about SQLite's file"),
]
ROOT = Path(__file__).resolve().parents[2]
ROWS = 24_000
CHECK_KILLS, COMMIT_KILLS = 3, 7
# The product's worker, with the files of the test that started it.
WORKER = """
import sys
import django
from django.conf import settings
settings.STORAGES["default"]["OPTIONS"]["location"] = sys.argv[1]
django.setup()
from django.core.management import call_command
call_command("rqworker", "imports", worker_class="convomono.lib.jobs.MaintainedWorker")
"""


def is_beyond(count: Callable[[], int], goal: int) -> bool:
    """Tell whether the work has come further than that."""
    return count() > goal


def content() -> tuple[str, dict[str, str], list[str], Counter[str]]:
    """Return a file, and what must come of it: names by number, do-not-call numbers, rows by fate."""
    rng = random.Random(5)  # noqa: S311  # a file, no secret
    lines, listed = ["first_name,phone"], list[str]()
    told, fates = dict[str, str](), Counter[str]()
    for n in range(ROWS):
        dice = rng.random()
        number = (
            f"+1{rng.choice((212, 305, 415))}{rng.randrange(220, 500)}{rng.randrange(10_000):04}"
        )
        if dice < 0.05:
            lines.append(f"P{n},12")
            fates["phone_too_short"] += 1
            continue
        if dice < 0.1 and told:
            number = rng.choice(list(told)[:500])
        elif dice < 0.12 and number not in told:
            listed.append(number)
        lines.append(f"P{n},{number}")
        if number in told:
            fates["dup_file"] += 1
        else:
            told[number] = f"P{n}"
    for number in listed:
        if told.pop(number, ""):
            fates["suppressed_client"] += 1
    fates["new"] = len(told)
    return "\n".join(lines), told, listed, fates


class Worker:
    """A worker process over the test's database, queues and files."""

    def __init__(self) -> None:
        child = env.for_child(
            DJANGO_SETTINGS_MODULE="convomono.settings.test",
            DATABASE_URL=f"sqlite:///{connection.settings_dict['NAME']}",
            TEST_REDIS_URL=settings.REDIS_URL,
            PYTHONPATH=str(ROOT),
        )
        location = settings.STORAGES["default"]["OPTIONS"]["location"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, location], cwd=ROOT, env=child, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self) -> None:
        """Kill it with the fork that does the job, which has a process group of its own."""
        children = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for pid in (self.process.pid, *map(int, children)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(10)


@pytest.fixture
def started() -> Iterator[list[Worker]]:
    workers: list[Worker] = []
    yield workers
    for worker in workers:
        worker.kill()


def wait_until(holds: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def fresh() -> LeadImport:
    return LeadImport.objects.get()


def checked_rows() -> int:
    row = fresh()
    if row.status != "checking":
        return ROWS
    try:
        with verdict_file.read(row.verdicts_name) as ledger:
            return ledger.progress().rows if ledger else 0
    except Exception:  # noqa: BLE001  # being written this very moment
        return 0


def go_on() -> None:
    """
    Do what the cron process does each minute, once RQ has forgotten the job of the dead worker.

    Minutes after the last sign of life, which is the last look of cron where a worker died before its first.
    """
    for job in (jobs.check_import, jobs.commit_import):
        redis_connection().delete(f"rq:job:{job.__name__}-{fresh().pk}")
    last = fresh().progressed_at
    assert last is not None
    assert jobs.resume_stale(real_now=last + timedelta(minutes=5)) == 1


def test_imports_the_same_through_ten_kills(alice, acme, started, monkeypatch, empty_valkey):
    monkeypatch.setattr(work, "PAUSE_SECONDS", 0.005)
    text, told, listed, fates = content()
    for number in listed:
        SuppressionFactory.create(client=acme, phone_number=number)
    now = clock.real_now()
    row = upload(alice, text)
    killed_at: dict[str, list[int]] = {"checking": [], "committing": []}

    def run_until(holds: Callable[[], bool], *, is_killed: bool) -> None:
        started.append(Worker())
        wait_until(holds)
        if is_killed:
            started[-1].kill()
            killed_at[fresh().status].append(max(fresh().rows_done, checked_rows() % ROWS))
            go_on()

    ask_check(row)
    for kill in range(CHECK_KILLS):
        # As early as a chunk allows: the whole dry run takes a second.
        run_until(partial(is_beyond, checked_rows, kill * 4000), is_killed=True)
    run_until(lambda: fresh().status == "checked", is_killed=False)
    started[-1].kill()
    checked = fresh()
    assert {name: checked.counts[name] for name in fates} == fates

    commit_import(lead_import=checked, actor=alice, now=now, real_now=now)
    for kill in range(COMMIT_KILLS):
        goal = 200 + kill * ROWS // (COMMIT_KILLS + 1)
        run_until(partial(is_beyond, lambda: fresh().rows_done, goal), is_killed=True)
    run_until(lambda: fresh().status == "committed", is_killed=False)

    done = fresh()
    assert {name: done.counts[name] for name in fates} == fates
    assert (done.rows_done, done.rows_total) == (ROWS, ROWS)
    assert dict(Lead.objects.values_list("phone_number", "first_name")) == told
    assert Consent.objects.count() == len(told) == Consent.objects.values("lead").distinct().count()
    assert sum(map(len, killed_at.values())) == CHECK_KILLS + COMMIT_KILLS
    assert len(set(killed_at["committing"])) == COMMIT_KILLS  # it got further each time
