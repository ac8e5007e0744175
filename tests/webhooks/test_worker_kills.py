"""RQ's worker killed with SIGKILL at its work: what is sent to clients, and replays."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.invariants import audit_ledger
from convomono.lib import clock
from telephony.models import Call
from tests.factories.webhooks import ClientEventFactory, EndpointFactory
from tests.webhooks.conftest import Ringing, deliver
from tests.webhooks.test_kills import BACKLOG_SECONDS, Process, run, wait_until
from webhooks import jobs, outgoing, replay_jobs
from webhooks.models import EndpointDelivery, ReplayRun, WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from accounts.models import Client

__all__ = ["run"]  # a fixture

pytestmark = [
    pytest.mark.load,
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite_only("is about SQLite's file"),
    pytest.mark.usefixtures("empty_valkey"),
]
KILLS, EVENTS, CALLS = 5, 60, 40
# The worker as it is, but receivers are a file, and a claim ends within two seconds.
WORKER = """
import sys, time, django
django.setup()
from datetime import timedelta
from django.core.management import call_command
from convomono.lib import outbound
from webhooks import outgoing, replay_jobs
def post(url, *, headers, **_more):
    with open({heard!r}, "a") as heard:
        heard.write(headers["webhook-id"] + "\\n")
    time.sleep(0.05)
    return outbound.Answer(status=200, url=url, headers={{}}, body=b"")
outbound.post = post
outgoing.LEASE = timedelta(seconds=2)
replay_jobs._PAUSE_SECONDS = 0.1
call_command("rqworker", "default", "history", worker_class="convomono.lib.jobs.MaintainedWorker")
"""


def worker(run: Callable[..., Process], heard: Path) -> Process:
    heard.touch()
    return run("-c", WORKER.format(heard=str(heard)))


def test_sends_each_event_to_clients_all_the_same(
    acme: Client, run: Callable[..., Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One that was under way is sent again with its id: nothing is lost, and repeats can be told."""
    monkeypatch.setattr(outgoing, "RUN_LEASE", timedelta(seconds=2))
    EndpointFactory.create(client=acme)
    now = clock.real_now()
    events = ClientEventFactory.create_batch(EVENTS, client=acme, created_at=now)
    heard = tmp_path / "heard"
    sender = worker(run, heard)
    rng = random.Random(8)  # noqa: S311 - no secret
    kills = 0

    def delivered() -> int:
        jobs.send_client_events()
        return EndpointDelivery.objects.filter(status="delivered").count()

    while kills < KILLS:
        before = delivered()
        wait_until(lambda: delivered() > before)  # noqa: B023
        time.sleep(rng.uniform(0, 0.2))
        sender.kill()
        kills += 1
        sender.start()
    assert delivered() < EVENTS
    wait_until(lambda: delivered() == EVENTS, seconds=BACKLOG_SECONDS)
    sender.kill()

    times = Counter(heard.read_text().split())
    assert set(times) == {str(event.pk) for event in events}
    assert sum(times.values()) <= EVENTS + KILLS


def test_a_killed_replay_is_given_up_and_the_next_one_ends_what_it_began(
    launched: Callable[[int], list[Ringing]], run: Callable[..., Process], tmp_path: Path
):
    for call in launched(CALLS):
        for body in call.says("user_hangup").values():
            deliver(body)
    WebhookEvent.objects.update(status="dead", attempts=5)
    now = clock.real_now()
    wanted = {"kind": "again", "is_dry_run": False, "asked_by_email": "a@b.test"}

    def order() -> ReplayRun:
        row = ReplayRun.objects.create(**wanted, created_at=clock.real_now())
        replay_jobs.order_replay(row)
        return row

    def applied() -> int:
        return WebhookEvent.objects.filter(status="applied").count()

    first = order()
    replays = worker(run, tmp_path / "heard")
    wait_until(lambda: applied() > CALLS // 4)
    replays.kill()
    assert applied() < 3 * CALLS
    assert list(audit_ledger()) == []
    ReplayRun.objects.update(worked_at=now - timedelta(minutes=6))
    replay_jobs.resume_replays()
    first.refresh_from_db()
    assert (first.status, first.error) == ("failed", "Its worker was killed.")

    second = order()
    replays.start()
    wait_until(lambda: ReplayRun.objects.get(pk=second.pk).is_over, seconds=BACKLOG_SECONDS)
    second.refresh_from_db()
    assert (second.status, second.failed_count) == ("finished", 0)
    assert applied() == 3 * CALLS
    assert set(Call.objects.values_list("billed_seconds", flat=True)) == {30}
    assert list(audit_ledger()) == []
