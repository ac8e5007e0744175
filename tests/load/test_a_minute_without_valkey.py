"""Sixty seconds without Valkey under a stream of deliveries, then an empty one: `reliability.md`, section 8."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bench.rig.deliveries import request
from bench.rig.load import saturate
from billing.invariants import audit_ledger
from convomono.lib.redis import redis_connection
from telephony.models import Call
from tests.campaigns.dialling.conftest import ready, rig
from tests.factories.webhooks import KEY
from tests.load.stream import now, p99
from tests.webhooks.conftest import Ringing, launched
from tests.webhooks.test_kills import Process, Web, assert_stored_once, run, wait_until
from tests.webhooks.test_without_valkey import Valkey, own_valkey
from webhooks.intake import PATH
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["launched", "own_valkey", "ready", "rig", "run"]  # fixtures

pytestmark = [
    pytest.mark.load,
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite_only("is about SQLite's file"),
]
CONTROL_SECONDS, SECONDS = 10.0, 60.0
CALLS = 20
# From section 8; where the machine is busy, so many times what it takes with Valkey.
P99_SECONDS, TIMES_THE_CONTROL, RESUMED_SECONDS = 0.1, 3, 5.0


def end(call: Ringing, port: int) -> None:
    """Let Retell report the end of a call."""
    body = call.says("user_hangup")["ended"]
    asked = request(body, path=PATH, host="127.0.0.1", key=KEY)
    assert asyncio.run(saturate(port, [asked], connections=1)).acknowledged == 1


def test_answers_applies_and_goes_on(
    own_valkey: Valkey,
    launched: Callable[[int], list[Ringing]],
    run: Callable[..., Process],
    record_property: Callable[[str, object], None],
):
    calls = launched(CALLS)
    web = Web(run)
    run("manage.py", "drain")
    stream = web.stream(event="call_rang")
    wait_until(lambda: WebhookEvent.objects.filter(status="pending").count() == 0)
    began = now()
    wait_until(lambda: stream.has_gone_on(began, seconds=CONTROL_SECONDS))

    killed_at = now()
    own_valkey.kill()
    for call in calls[: CALLS // 2]:
        end(call, web.port)
    wait_until(lambda: stream.has_gone_on(killed_at, seconds=SECONDS), seconds=2 * SECONDS)
    back_at = now()
    assert (
        Call.objects.filter(billed_seconds=30).count() == CALLS // 2
    )  # the drain goes by the clock

    own_valkey.start()
    redis_connection().flushall()
    for call in calls[CALLS // 2 :]:
        end(call, web.port)
    wait_until(
        lambda: Call.objects.filter(billed_seconds=30).count() == CALLS, seconds=RESUMED_SECONDS
    )
    stream.stop()

    control = p99(stream.due_between(began, killed_at))
    without = p99(stream.due_between(killed_at, back_at))
    record_property("deliveries_a_second", round(stream.rate))
    record_property("p99_with_ms", round(control * 1000, 1))
    record_property("p99_without_ms", round(without * 1000, 1))
    assert {one.status for one in stream.answers} == {204}
    assert without < max(P99_SECONDS, TIMES_THE_CONTROL * control)
    assert_stored_once(stream)
    assert list(audit_ledger()) == []
