"""Events that nobody claims are given up, and old ones are purged: never one that still waits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from accounts.models import ClientEvent
from audit.services import System
from convomono.lib import clock
from convomono.lib.db import run_atomic
from telephony.models import Call
from tests.factories.webhooks import (
    ClientEventFactory,
    EndpointDeliveryFactory,
    EndpointFactory,
    WebhookEventFactory,
    delivery,
)
from tests.mongo import fewer
from tests.webhooks.conftest import Ringing, deliver, without
from webhooks import jobs, retention
from webhooks.drain import step
from webhooks.models import Endpoint, EndpointDelivery, ReplayRun, WebhookEvent
from webhooks.retention import UNCLAIMED_FOR, Purge, give_up_parked, purge_events, purge_sent
from webhooks.services import remove_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable
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
        assert purge_events(before=now, purge=Purge(seconds=9)) == 4
        left = WebhookEvent.objects.filter(created_at=now - DAY)
        assert sorted(left.values_list("status", flat=True)) == ["parked", "pending"]
        assert purge_events(before=now, purge=Purge(seconds=9)) == 0

    def test_lets_others_write_between_slices(
        self, db: None, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(retention, "SLICE", 2)
        WebhookEventFactory.create_batch(5, status="applied", created_at=now - DAY)
        pauses: list[int] = []
        purge = Purge(seconds=9, pause=lambda: pauses.append(1))
        assert purge_events(before=now, purge=purge) == 5
        assert len(pauses) >= 3

    def test_goes_by_the_setting(self, db: None, settings):
        settings.WEBHOOK_RETENTION_DAYS = 7
        for days in (6, 8):
            WebhookEventFactory.create(status="applied", created_at=clock.now() - days * DAY)
        assert jobs.purge_events() == 1
        assert jobs.give_up_parked(of_a_later_version=1) == 0


def test_what_replays_found_goes_with_the_events_they_read(db: None, now: datetime):
    for age in (91, 89):
        ReplayRun.objects.create(kind="again", asked_by_email="", created_at=now - age * DAY)
    purge_events(before=now - 90 * DAY, purge=Purge(seconds=9))
    assert ReplayRun.objects.get().created_at == now - 89 * DAY


class Written:
    """How many rows each transaction of a purge deleted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: list[int] = []
        monkeypatch.setattr(retention, "run_atomic", self._run)

    def _run(self, block: Callable[[], int]) -> int:
        self.rows.append(run_atomic(block))
        return self.rows[-1]


class TestSlices:
    def test_hold_no_more_than_may_be_written_at_once(
        self, db: None, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        written = Written(monkeypatch)
        many = fewer(1000, 200)
        events = WebhookEventFactory.build_batch(many, status="applied", created_at=now - DAY)
        WebhookEvent.objects.bulk_create(events)
        assert purge_events(before=now, purge=Purge(seconds=60)) == many
        assert sum(written.rows) == many
        assert max(written.rows) <= 200

    def test_become_small_where_rows_are_heavy(self, monkeypatch: pytest.MonkeyPatch):
        purge = Purge(seconds=9)
        for seconds, fits in ((0.001, 30), (0.001, 45), (0.07, 22), (0.07, 11)):
            purge._learn(seconds)
            assert int(purge._fitting) == fits
        for _ in range(20):
            purge._learn(1.0)
        assert purge._fitting == 1
        for _ in range(20):
            purge._learn(0.0)
        assert purge._fitting == 200

    def test_end_when_the_time_is_up_and_go_on_the_next_time(self, db: None, now: datetime):
        WebhookEventFactory.create_batch(5, status="applied", created_at=now - DAY)
        assert purge_events(before=now, purge=Purge(seconds=0)) == 0
        assert purge_events(before=now, purge=Purge(seconds=9)) == 5

    def test_of_what_was_sent_count_the_deliveries(
        self, db: None, now: datetime, acme: Client, monkeypatch: pytest.MonkeyPatch
    ):
        endpoints = [EndpointFactory.create(client=acme) for _ in range(3)]
        for event in ClientEventFactory.create_batch(100, client=acme, routed_at=now - DAY):
            for endpoint in endpoints:
                EndpointDeliveryFactory.create(endpoint=endpoint, event=event)
        written = Written(monkeypatch)
        assert purge_sent(before=now, purge=Purge(seconds=60)) == 100
        assert max(written.rows) <= 200
        assert not ClientEvent.objects.exists()
        assert not EndpointDelivery.objects.exists()

    def test_of_what_was_sent_leave_an_event_whose_log_is_not_gone(
        self, db: None, now: datetime, acme: Client
    ):
        event = ClientEventFactory.create(client=acme, routed_at=now - DAY)
        EndpointDeliveryFactory.create(endpoint=EndpointFactory.create(client=acme), event=event)
        purge = Purge(seconds=9, pause=lambda: setattr(purge, "_ends_at", 0.0))
        assert purge_sent(before=now, purge=purge) == 0
        assert (ClientEvent.objects.count(), EndpointDelivery.objects.count()) == (1, 0)
        assert purge_sent(before=now, purge=Purge(seconds=9)) == 1


class TestRemovedAddresses:
    def test_go_with_their_log_in_small_transactions(
        self, db: None, now: datetime, acme: Client, monkeypatch: pytest.MonkeyPatch
    ):
        removed, kept = (EndpointFactory.create(client=acme) for _ in range(2))
        event = ClientEventFactory.create(client=acme)
        EndpointDelivery.objects.bulk_create(
            EndpointDeliveryFactory.build(
                endpoint=removed, event=event, client=acme, key=f"row-{number}"
            )
            for number in range(1000)
        )
        EndpointDeliveryFactory.create(endpoint=kept, event=event)
        remove_endpoint(endpoint=removed, actor=System("tests"), now=now)
        assert EndpointDelivery.objects.count() == 1001  # the press wrote two rows
        written = Written(monkeypatch)
        assert jobs.delete_removed(of_a_later_version=1) == 1
        assert sum(written.rows) == 1000
        assert max(written.rows) <= 200
        assert list(Endpoint.objects.all()) == [kept]
        assert EndpointDelivery.objects.get().endpoint_id == kept.pk

    def test_are_kept_until_their_log_is_gone(self, db: None, now: datetime, acme: Client):
        endpoint = EndpointFactory.create(client=acme)
        EndpointDeliveryFactory.create(endpoint=endpoint)
        remove_endpoint(endpoint=endpoint, actor=System("tests"), now=now)
        assert retention.delete_removed(purge=Purge(seconds=0)) == 0
        assert Endpoint.objects.count() == 1
