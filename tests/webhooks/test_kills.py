"""Processes killed with SIGKILL at random: the web beside a stream of deliveries, the drain at its work."""

from __future__ import annotations

import http.client
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.db import connection

from billing.invariants import audit_ledger
from billing.models import Transaction
from convomono.lib import env
from convomono.lib.db import is_transient
from telephony.models import Call
from tests.factories.webhooks import delivery, signature
from tests.webhooks.conftest import Ringing, deliver
from webhooks.intake import PATH
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
WEB_KILLS, DRAIN_KILLS, RELOADS = 20, 50, 2
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


class Sender(threading.Thread):
    """Delivers one event after the other, and remembers which were acknowledged."""

    def __init__(self, port: int, first: int = 0, pause: float = 0.0) -> None:
        super().__init__()
        self._port = port
        self._first = first
        self._pause = pause
        self.seconds: list[float] = []  # how long each answer took
        self.acknowledged: set[str] = set()
        self.failed = 0
        self.stop = threading.Event()

    def run(self) -> None:
        number = self._first
        while not self.stop.is_set():
            number += 1
            body = delivery("call_ended", call_id=f"call_{number}", transcript="x" * 4000)
            began = time.monotonic()
            status = self._deliver(body)
            self.seconds.append(time.monotonic() - began)
            if self._pause:
                self.stop.wait(self._pause)
            if status == 204:
                self.acknowledged.add(f"call_{number}:call_ended")
            else:
                self.failed += 1
                self.stop.wait(0.02)

    def _deliver(self, body: bytes) -> int:
        peer = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            headers = {"X-Retell-Signature": signature(body)}
            peer.request("POST", PATH, body=body, headers=headers)
            return peer.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0  # in flight when its server was killed, or before the next one listened
        finally:
            peer.close()


def test_a_killed_web_loses_nothing_that_it_acknowledged(db: None, run: Callable[..., Process]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = ["-m", "granian", "--interface=wsgi", f"--port={port}", "--workers=1"]
    web = run(*command, "convomono.wsgi:application")
    wait_until(lambda: is_listening(port))
    sender = Sender(port)
    sender.start()
    acknowledged = sender.acknowledged
    rng = random.Random(5)  # noqa: S311 - no secret
    for _ in range(WEB_KILLS):
        before = len(acknowledged)
        wait_until(lambda: len(acknowledged) > before + 20)  # noqa: B023
        time.sleep(rng.uniform(0, 0.2))
        web.kill()
        web.start()
        wait_until(lambda: is_listening(port))
    before = len(acknowledged)
    wait_until(lambda: len(acknowledged) > before)
    sender.stop.set()
    sender.join(15)

    stored = Counter(WebhookEvent.objects.values_list("key", flat=True))
    assert acknowledged <= set(stored)
    assert set(stored.values()) == {1}
    assert len(acknowledged) > 20 * WEB_KILLS


def respawn_interval() -> str:
    """Return how long an old worker goes on beside its successor, as servers are told."""
    unit = (ROOT / "deploy/systemd/convomono-web.service").read_text()
    found = re.search(r"ExecStart=.*--respawn-interval (\d+)", unit)
    assert found
    return found[1]


def test_a_reloaded_web_fails_no_delivery(db: None, run: Callable[..., Process]):
    """As `systemctl reload convomono-web` does it: workers are replaced one by one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = ["-m", "granian", "--interface=wsgi", f"--port={port}", "--workers=2"]
    command.append(f"--respawn-interval={respawn_interval()}")
    web = run(*command, "convomono.wsgi:application")
    wait_until(lambda: is_listening(port))
    senders = [Sender(port, first) for first in (0, 1_000_000)]
    for sender in senders:
        sender.start()
    wait_until(lambda: all(sender.acknowledged for sender in senders))
    for _ in range(RELOADS):
        before = web.workers()
        web.reload()
        wait_until(lambda: not before & web.workers())  # noqa: B023
    counts = [len(sender.acknowledged) for sender in senders]
    wait_until(lambda: all(len(s.acknowledged) > n for s, n in zip(senders, counts, strict=True)))
    for sender in senders:
        sender.stop.set()
    for sender in senders:
        sender.join(15)
    stored = set(WebhookEvent.objects.values_list("key", flat=True))
    assert [sender.failed for sender in senders] == [0, 0]
    assert senders[0].acknowledged | senders[1].acknowledged == stored


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
    wait_until(lambda: applied() == total)
    drain.kill()

    assert kills == DRAIN_KILLS
    assert set(Call.objects.values_list("billed_seconds", flat=True)) == {30}
    assert Transaction.objects.filter(type="consume").count() == len(calls)
    assert list(audit_ledger()) == []
