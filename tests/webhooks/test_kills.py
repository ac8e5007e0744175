"""Processes killed with SIGKILL at random: the web beside a stream of deliveries, the drain at its work."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.db import connection

from billing.invariants import audit_ledger
from billing.models import Transaction
from convomono.lib import env
from convomono.lib.db import is_transient
from telephony.models import Call
from tests.load.stream import Stream, carried_rate, now
from tests.webhooks.conftest import Ringing, deliver
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.campaigns.dialling.conftest import Rig

pytestmark = [
    pytest.mark.load,
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite_only("is about SQLite's file"),
]
ROOT = Path(__file__).resolve().parents[2]
WEB_KILLS, WHOLE_KILLS, DRAIN_KILLS, RELOADS = 20, 5, 50, 2
BACK_SECONDS, BACKLOG_SECONDS = 2.0, 30.0
# A request that left while the kernel took the killed one's connections down is in its hand, too.
IN_HAND_SECONDS = 0.25
# The drain as it is, three events at a time and with a breath in between: each life leaves some.
SLOW_DRAIN = """
import time, django
django.setup()
from django.core.management import call_command
from webhooks import drain
drain.BATCH = 3
apply = drain.Drain._apply
def slow(*given):
    time.sleep(0.02)
    return apply(*given)
drain.Drain._apply = slow
call_command("drain")
"""


class Process:
    """A process of the product over the test's own database, which is killed and started again."""

    def __init__(self, *command: str) -> None:
        self._command = [sys.executable, *command]
        self._env = env.for_child(
            DJANGO_SETTINGS_MODULE="convomono.settings.test",
            DATABASE_URL=f"sqlite:///{connection.settings_dict['NAME']}",
            TEST_REDIS_URL=settings.REDIS_URL,
            PYTHONPATH=str(ROOT),
        )
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._running = subprocess.Popen(
            self._command, cwd=ROOT, env=self._env, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def reload(self) -> None:
        assert self._running is not None
        os.kill(self._running.pid, signal.SIGHUP)

    def workers(self) -> set[int]:
        """Return the processes that it has started and that still run."""
        assert self._running is not None
        children = Path(f"/proc/{self._running.pid}/task/{self._running.pid}/children")
        return {int(pid) for pid in children.read_text().split()}

    def kill(self) -> None:
        if self._running is not None:
            os.killpg(self._running.pid, signal.SIGKILL)
            self._running.wait(10)
            self._running = None


@pytest.fixture
def run() -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def make(*command: str) -> Process:
        started.append(Process(*command))
        started[-1].start()
        return started[-1]

    yield make
    for process in started:
        process.kill()


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def listeners(port: int) -> int:
    """Return how many workers take connections: each listens for itself, once it is ready."""
    rows = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[3] == "0A" and row[1].endswith(f":{port:04X}") for row in rows)


def web_options() -> list[str]:
    """Return what production's web server is started with, but for where it listens."""
    unit = (ROOT / "deploy/systemd/convomono-web.service").read_text()
    found = re.search(r"^ExecStart=\S+/granian (.*)$", unit, re.MULTILINE)
    assert found
    words = found[1].split()
    del words[words.index("--port") : words.index("--port") + 2]
    return words


class Web:
    """The web as production runs it, two workers with eight threads, on a port of its own."""

    def __init__(self, run: Callable[..., Process]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port: int = taken.getsockname()[1]
        self.process = run("-m", "granian", f"--port={self.port}", *web_options())
        self.wait()

    def wait(self) -> None:
        """Wait until both workers take connections."""
        wait_until(lambda: len(self.process.workers()) == listeners(self.port) == 2)

    def stream(self, **options: Any) -> Stream:
        """Begin to deliver, at a rate that the machine carries."""
        stream = Stream(self.port, rate=carried_rate(self.port), **options)
        stream.start()
        wait_until(lambda: len(stream.acknowledged) > stream.rate)
        return stream


def test_a_killed_web_worker_fails_only_what_it_had_in_hand(
    db: None, run: Callable[..., Process], record_property: Callable[[str, object], None]
):
    web = Web(run)
    stream = web.stream()
    rng = random.Random(5)  # noqa: S311 - no secret
    killed_at: list[float] = []
    young: set[int] = set()
    for _ in range(WEB_KILLS):
        time.sleep(rng.uniform(0, 0.2))
        before = web.process.workers()
        # In turns: the server takes one that dies again and again for broken, and gives up.
        victim = min(before - young)
        killed_at.append(now())
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in web.process.workers())  # noqa: B023
        web.wait()
        young = web.process.workers() - before
        wait_until(lambda: stream.has_gone_on(killed_at[-1]))
    stream.stop()

    failed = [one for one in stream.answers if one.status != 204]
    record_property("deliveries_a_second", round(stream.rate))
    record_property("failed", f"{len(failed)} of {len(stream.answers)}")
    assert [
        one
        for one in failed
        if not any(one.due < at + IN_HAND_SECONDS and one.ended > at for at in killed_at)
    ] == []
    assert max(back_after(stream, at) for at in killed_at) < BACK_SECONDS
    assert_stored_once(stream)


def back_after(stream: Stream, killed_at: float) -> float:
    """Return how long after the kill the first that was due later was acknowledged."""
    later = stream.due_between(killed_at, float("inf"))
    return min(one.ended for one in later if one.status == 204) - killed_at


def assert_stored_once(stream: Stream) -> None:
    stored = Counter(WebhookEvent.objects.values_list("provider_call_id", flat=True))
    assert stream.acknowledged <= set(stored)
    assert set(stored.values()) == {1}


def test_a_web_killed_with_all_its_workers_loses_nothing_that_it_acknowledged(
    db: None, run: Callable[..., Process]
):
    web = Web(run)
    stream = web.stream()
    rng = random.Random(7)  # noqa: S311 - no secret
    for _ in range(WHOLE_KILLS):
        time.sleep(rng.uniform(0, 0.2))
        killed_at = now()
        web.process.kill()
        web.process.start()
        web.wait()
        wait_until(lambda: has_acknowledged_since(stream, killed_at))  # noqa: B023
    stream.stop()
    assert_stored_once(stream)


def has_acknowledged_since(stream: Stream, instant: float) -> bool:
    return any(one.status == 204 for one in stream.due_between(instant, float("inf")))


def test_a_reloaded_web_fails_no_delivery(
    db: None, run: Callable[..., Process], record_property: Callable[[str, object], None]
):
    """As `systemctl reload convomono-web` does it: workers are replaced one by one."""
    web = Web(run)
    stream = web.stream(is_kept_alive=False)
    for _ in range(RELOADS):
        before = web.process.workers()
        web.process.reload()
        wait_until(lambda: not before & web.process.workers())  # noqa: B023
    web.wait()
    last = now()
    wait_until(lambda: stream.has_gone_on(last))
    stream.stop()

    answers = Counter(one.status for one in stream.answers)
    record_property("deliveries_a_second", round(stream.rate))
    record_property("answers", str(answers))
    assert set(answers) <= {204, "failed"}
    assert answers["failed"] <= (0 if migrates_connections() else 2 * RELOADS)
    assert_stored_once(stream)


def migrates_connections() -> bool:
    """Tell whether connections that a worker hasn't taken when it ends go to another one."""
    setting = Path("/proc/sys/net/ipv4/tcp_migrate_req")
    return setting.exists() and setting.read_text().strip() == "1"


def test_a_killed_drain_applies_everything_once(
    launched: Callable[[int], list[Ringing]], rig: Rig, run: Callable[..., Process]
):
    calls = launched(150)
    for call in calls:
        for body in call.says("user_hangup").values():
            deliver(body)
    total = WebhookEvent.objects.count()
    drain = run("-c", SLOW_DRAIN)
    rng = random.Random(6)  # noqa: S311 - no secret
    kills = 0

    def applied() -> int:
        for _ in range(20):
            try:
                return WebhookEvent.objects.filter(status="applied").count()
            except Exception as busy:
                if not is_transient(busy):
                    raise
        return 0

    while kills < DRAIN_KILLS and applied() < total:
        before = applied()
        wait_until(lambda: applied() > before or applied() == total)  # noqa: B023
        time.sleep(rng.uniform(0, 0.05))
        drain.kill()
        kills += 1
        assert list(audit_ledger()) == []
        drain.start()
    drain.kill()
    assert kills == DRAIN_KILLS
    run("manage.py", "drain")
    wait_until(lambda: applied() == total, seconds=BACKLOG_SECONDS)

    assert set(Call.objects.values_list("billed_seconds", flat=True)) == {30}
    assert Transaction.objects.filter(type="consume").count() == len(calls)
    assert list(audit_ledger()) == []
