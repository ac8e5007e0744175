"""Sixty seconds without Valkey under a stream of deliveries, then an empty one: `reliability.md`, section 8."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from billing.invariants import audit_ledger
from convomono.lib.redis import redis_connection
from telephony.models import Call
from tests.campaigns.dialling.conftest import ready, rig
from tests.webhooks.conftest import Ringing, launched
from tests.webhooks.test_kills import Process, Sender, is_listening, run, wait_until
from tests.webhooks.test_without_valkey import Valkey, own_valkey
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["launched", "own_valkey", "ready", "rig", "run"]  # fixtures

pytestmark = [
    pytest.mark.load,
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite_only("is about SQLite's file"),
]
CONTROL_SECONDS, SECONDS, PAUSE = 10.0, 60.0, 0.02
CALLS = 20


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)]


def test_answers_applies_and_goes_on(
    own_valkey: Valkey,
    launched: Callable[[int], list[Ringing]],
    run: Callable[..., Process],
    record_property: Callable[[str, object], None],
):
    calls = launched(CALLS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = ["-m", "granian", "--interface=wsgi", f"--port={port}", "--workers=1"]
    run(*command, "convomono.wsgi:application")
    run("manage.py", "drain")
    wait_until(lambda: is_listening(port))
    sender = Sender(port, pause=PAUSE)
    sender.start()
    time.sleep(CONTROL_SECONDS)
    control, sender.seconds = sender.seconds, []

    own_valkey.kill()
    for call in calls[: CALLS // 2]:
        assert sender._deliver(call.says("user_hangup")["ended"]) == 204
    time.sleep(SECONDS)
    without, sender.seconds = sender.seconds, []
    assert (
        Call.objects.filter(billed_seconds=30).count() == CALLS // 2
    )  # the drain goes by the clock

    own_valkey.start()
    redis_connection().flushall()
    for call in calls[CALLS // 2 :]:
        assert sender._deliver(call.says("user_hangup")["ended"]) == 204
    wait_until(lambda: Call.objects.filter(billed_seconds=30).count() == CALLS, seconds=5)
    sender.stop.set()
    sender.join(15)

    record_property("p99_with_ms", round(p99(control) * 1000, 1))
    record_property("p99_without_ms", round(p99(without) * 1000, 1))
    assert sender.failed == 0
    assert p99(without) < max(0.1, 3 * p99(control))
    stored = set(WebhookEvent.objects.values_list("key", flat=True))
    assert sender.acknowledged <= stored
    assert list(audit_ledger()) == []
