"""Events that nobody claims are given up, and old ones are purged: never one that still waits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from convomono.lib import clock
from telephony.models import Call
from tests.factories.webhooks import WebhookEventFactory, delivery
from tests.webhooks.conftest import Ringing, deliver, without
from webhooks import jobs, retention
from webhooks.drain import step
from webhooks.models import ReplayRun, WebhookEvent
from webhooks.retention import UNCLAIMED_FOR, give_up_parked, purge_events

if TYPE_CHECKING:
    from datetime import datetime

    import pytest

    from accounts.models import Client

DAY = timedelta(days=1)


def statuses() -> list[str]:
    return sorted(WebhookEvent.objects.values_list("status", flat=True))


class TestUnclaimed:
    def test_are_given_up_after_three_days_and_stay_to_be_seen(self, acme: Client, now: datetime):
        deliver(delivery("call_ended", call_status="ended"), created_at=now)
        step(now=now)
        assert statuses() == ["parked"]
        assert give_up_parked(now=now + UNCLAIMED_FOR - timedelta(seconds=1)) == 0
        assert give_up_parked(now=now + UNCLAIMED_FOR) == 1
        event = WebhookEvent.objects.get()
        assert (event.status, event.error) == ("orphan", retention.UNCLAIMED)

    def test_are_never_tried_again(self, acme: Client, now: datetime):
        deliver(delivery("call_ended", call_status="ended"), created_at=now)
        step(now=now)
        give_up_parked(now=now + UNCLAIMED_FOR)
        assert [step(now=now + UNCLAIMED_FOR + DAY * days) for days in range(5)] == [0] * 5

    def test_are_taken_while_there_is_time(self, ringing: Ringing, now: datetime):
        Call.objects.update(provider_call_id="call_known_later")
        deliver(without(ringing.says("user_hangup")["ended"], "metadata"), created_at=now)
        step(now=now)
        Call.objects.update(provider_call_id=ringing.call_id)
        step(now=now + 2 * DAY)
        assert give_up_parked(now=now + 4 * DAY) == 0
        assert statuses() == ["applied"]

    def test_go_in_slices(self, db: None, now: datetime, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(retention, "SLICE", 2)
        WebhookEventFactory.create_batch(5, status="parked", created_at=now - 4 * DAY)
        assert give_up_parked(now=now) == 5


class TestPurge:
    def test_deletes_what_is_done_and_keeps_what_waits(self, db: None, now: datetime):
        for status in WebhookEvent.Status.values:
            WebhookEventFactory.create(status=status, created_at=now - DAY)
            WebhookEventFactory.create(status=status, created_at=now)
        assert purge_events(before=now) == 4
        left = WebhookEvent.objects.filter(created_at=now - DAY)
        assert sorted(left.values_list("status", flat=True)) == ["parked", "pending"]
        assert purge_events(before=now) == 0

    def test_lets_others_write_between_slices(
        self, db: None, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(retention, "SLICE", 2)
        WebhookEventFactory.create_batch(5, status="applied", created_at=now - DAY)
        pauses: list[int] = []
        assert purge_events(before=now, pause=lambda: pauses.append(1)) == 5
        assert len(pauses) == 3

    def test_goes_by_the_setting(self, db: None, settings):
        settings.WEBHOOK_RETENTION_DAYS = 7
        for days in (6, 8):
            WebhookEventFactory.create(status="applied", created_at=clock.now() - days * DAY)
        assert jobs.purge_events() == 1
        assert jobs.give_up_parked(of_a_later_version=1) == 0


def test_what_replays_found_goes_with_the_events_they_read(db: None, now: datetime):
    for age in (91, 89):
        ReplayRun.objects.create(kind="again", asked_by_email="", created_at=now - age * DAY)
    purge_events(before=now - 90 * DAY)
    assert ReplayRun.objects.get().created_at == now - 89 * DAY
