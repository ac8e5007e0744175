"""Drains that share the inbox: each call's events go to one of them, and none is left over."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from billing.invariants import audit_ledger
from convomono.lib.redis import redis_connection
from deploy.site import Sandbox, Site
from telephony.models import Call
from tests.webhooks.conftest import Ringing, deliver
from tests.webhooks.test_intake import post_wsgi
from webhooks.doorbell import ring_drains
from webhooks.drain import Drain
from webhooks.models import WebhookEvent
from webhooks.shards import SLOTS, Shard, bells, slot_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path


def test_slots_are_spread_evenly_and_stay():
    found = Counter(slot_of(f"call_{number:032x}") // 64 for number in range(4000))
    assert set(found) == {0, 1, 2, 3}
    assert min(found.values()) > 900
    assert slot_of("call_1") == slot_of("call_1") < SLOTS


@pytest.mark.parametrize(("index", "count"), [(2, 2), (-1, 2), (0, 0), (0, 257)])
def test_there_is_no_shard_beyond_the_last(index: int, count: int):
    with pytest.raises(ValueError, match="no shard"):
        Shard(index, count)


@pytest.mark.django_db(transaction=True)
def test_each_event_is_taken_by_exactly_one_drain(
    launched: Callable[[int], list[Ringing]], now: datetime, settings
):
    settings.DRAIN_SHARDS = 3
    calls = launched(9)
    for call in calls:
        for body in call.says("user_hangup").values():
            assert post_wsgi(body).status == 204
    later = WebhookEvent.objects.latest("next_try_at").next_try_at
    owner: dict[str, int] = {}
    for index in range(3):
        before = set(WebhookEvent.objects.filter(status="applied").values_list("pk", flat=True))
        while Drain(Shard(index, 3)).step(now=later):
            pass
        rows = WebhookEvent.objects.filter(status="applied").exclude(pk__in=before)
        for call_id in rows.values_list("provider_call_id", flat=True):
            assert owner.setdefault(call_id, index) == index
    assert set(owner) == {call.call_id for call in calls}
    assert len(set(owner.values())) > 1
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}
    assert set(Call.objects.values_list("billed_seconds", flat=True)) == {30}
    assert list(audit_ledger()) == []


def test_the_first_takes_what_was_stored_before_there_were_slots(ringing: Ringing, now: datetime):
    deliver(ringing.says("user_hangup")["ended"])
    assert WebhookEvent.objects.get().slot is None
    assert Drain(Shard(1, 2)).step(now=now) == 0
    assert Drain(Shard(0, 2)).step(now=now) == 1


def test_parked_events_wait_for_their_own_drain(ringing: Ringing, now: datetime):
    Call.objects.update(provider_call_id="call_known_later")
    body = ringing.says("user_hangup")["ended"].replace(b"attempt_id", b"no_attempt")
    deliver(body, slot=1)
    assert Drain(Shard(1, 2)).step(now=now) == 1
    assert WebhookEvent.objects.get().status == "parked"
    Call.objects.update(provider_call_id=ringing.call_id)
    assert Drain(Shard(0, 2)).step(now=now) == 0
    assert Drain(Shard(1, 2)).step(now=now) == 1


def test_a_delivery_wakes_every_drain(settings):
    settings.DRAIN_SHARDS = 2
    redis_connection().flushall()
    ring_drains()
    assert list(bells()) == ["drain:0", "drain:1"]
    assert [redis_connection().llen(f"bell:{bell}") for bell in bells()] == [1, 1]


class TestCommand:
    def test_empties_its_own_part(self, ringing: Ringing, settings):
        settings.DRAIN_SHARDS = 2
        deliver(ringing.says("dial_busy")["ended"], slot=1)
        assert call_command("drain", "--once", "--shard=0") == "Applied 0 events."
        assert call_command("drain", "--dry-run", "--shard=1") == "1 events wait."
        assert call_command("drain", "--once", "--shard=1") == "Applied 1 events."

    def test_refuses_a_part_that_there_is_not(self, db: None):
        with pytest.raises(CommandError, match="DRAIN_SHARDS"):
            call_command("drain", "--once", "--shard=1")


def test_a_trial_starts_a_drain_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site = Site(tmp_path / "python", tmp_path, 8000, Sandbox(8010, 20))
    monkeypatch.setenv("DRAIN_SHARDS", "2")
    drains = [program for program in site.programs() if program.name.startswith("drain")]
    assert [program.command[-1] for program in drains] == ["--shard=0", "--shard=1"]
