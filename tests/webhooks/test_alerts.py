"""What tells the agency that events don't come, aren't taken or aren't applied."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail

from accounts import notifications
from accounts.models import Notification
from convomono.lib import clock
from tests.factories.telephony import CallFactory
from tests.factories.webhooks import WebhookEventFactory
from webhooks import jobs
from webhooks.alerts import Signals, alerts, raise_alerts, read_signals
from webhooks.doorbell import Doorbell, refusals_in_hour, refusals_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from accounts.models import Client, User

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("signals", "kinds"),
    [
        (Signals(), []),
        (Signals(lag_seconds=30), []),
        (Signals(lag_seconds=30.5), ["lag"]),
        (Signals(received_count=10, failed_count=4), []),
        (Signals(received_count=10, failed_count=5), ["failures"]),
        (Signals(received_count=1000, failed_count=19), []),
        (Signals(received_count=1000, failed_count=20), ["failures"]),
        (Signals(bad_signature_count=19), []),
        (Signals(bad_signature_count=20), ["signature"]),
        (Signals(skewed_count=2), []),
        (Signals(skewed_count=3), ["skew"]),
        (Signals(silent_calls_count=2), []),
        (Signals(silent_calls_count=3), ["silence"]),
        (Signals(wrong_source_count=4), []),
        (Signals(wrong_source_count=5), ["source"]),
        (Signals(too_large_count=1), ["too_large"]),
        (Signals(unusable_count=1), ["unusable"]),
    ],
)
def test_names_what_is_wrong(signals: Signals, kinds: list[str]):
    assert [alert.kind for alert in alerts(signals)] == kinds


def read(now: datetime, factor: float = 1) -> Signals:
    return read_signals(now=now, real_now=clock.real_now(), factor=factor)


class TestSignals:
    def test_see_how_long_the_oldest_event_has_been_due(self, db: None, now: datetime):
        WebhookEventFactory.create(next_try_at=now - MINUTE, created_at=now - 5 * MINUTE)
        WebhookEventFactory.create(next_try_at=now + MINUTE)
        WebhookEventFactory.create(next_try_at=now - 9 * MINUTE, status="applied")
        assert read(now).lag_seconds == 60
        assert read(now, factor=60).lag_seconds == 1

    def test_count_failures_of_the_last_quarter_of_an_hour(self, db: None, now: datetime):
        WebhookEventFactory.create(attempts=1, created_at=now - MINUTE)
        WebhookEventFactory.create(attempts=0, created_at=now - MINUTE)
        WebhookEventFactory.create(attempts=5, created_at=now - 16 * MINUTE)
        assert (read(now).received_count, read(now).failed_count) == (2, 1)

    def test_see_calls_of_which_nobody_speaks(self, acme: Client, now: datetime):
        CallFactory.create_batch(3, client=acme, created_at=now - 6 * MINUTE)
        CallFactory.create(client=acme, created_at=now - MINUTE)
        CallFactory.create(client=acme, created_at=now - 6 * MINUTE, status="ongoing")
        assert read(now).silent_calls_count == 3
        WebhookEventFactory.create(created_at=now - 7 * MINUTE)
        assert read(now).silent_calls_count == 3
        WebhookEventFactory.create(created_at=now - MINUTE)
        assert read(now).silent_calls_count == 0

    def test_see_an_outage_behind_one_call_whose_news_was_lost(self, acme: Client, now: datetime):
        """Deliveries after the oldest silent call say nothing of the last half hour."""
        CallFactory.create(client=acme, created_at=now - 50 * MINUTE)
        WebhookEventFactory.create(created_at=now - 40 * MINUTE)
        assert read(now).silent_calls_count == 0
        CallFactory.create_batch(3, client=acme, created_at=now - 6 * MINUTE)
        assert read(now).silent_calls_count == 3

    def test_count_what_was_signed_and_cannot_be_read(self, db: None, now: datetime):
        unread = {"status": "dead", "event_type": ""}
        WebhookEventFactory.create(**unread, next_try_at=now - 59 * MINUTE)
        WebhookEventFactory.create(**unread, next_try_at=now - 61 * MINUTE)
        WebhookEventFactory.create(status="dead", next_try_at=now)
        assert read(now).unusable_count == 1
        assert read(now, factor=2).unusable_count == 2

    def test_count_what_came_too_long_or_from_elsewhere(self, db: None, now: datetime):
        bell = Doorbell(ring_bell=lambda _name: None)
        for reason in ("too_large", "source", "source"):
            bell.count(reason)
        bell._write_tallies()
        assert (read(now).too_large_count, read(now).wrong_source_count) == (1, 2)

    def test_count_refusals_of_this_hour_alone(self, db: None, now: datetime):
        bell = Doorbell(ring_bell=lambda _name: None)
        for _ in range(3):
            bell.count("signature")
        bell.count("skew")
        bell._write_tallies()
        real_now = clock.real_now()
        assert refusals_in_hour(real_now) == {"signature": 3, "skew": 1}
        assert refusals_in_hour(real_now - timedelta(hours=1)) == {}
        assert refusals_on(real_now.date()) == {"signature": 3, "skew": 1}
        assert (read(now).bad_signature_count, read(now).skewed_count) == (3, 1)

    def test_take_the_same_number_of_queries_for_many(
        self, acme: Client, now: datetime, django_assert_num_queries: Callable[..., Any]
    ):
        CallFactory.create_batch(20, client=acme, created_at=now - 6 * MINUTE)
        WebhookEventFactory.create_batch(20, created_at=now - 9 * MINUTE)
        with django_assert_num_queries(6):
            read(now)


class TestTelling:
    def test_tells_in_the_app_and_by_mail_once_in_six_hours(
        self, root: User, bob: User, now: datetime
    ):
        real = now.replace(hour=6)

        def tell(at: datetime) -> list[str]:
            return raise_alerts(
                Signals(skewed_count=3), now=now, real_now=at, base_url="https://convo.test/"
            )

        assert tell(real) == ["skew"]
        assert tell(real + timedelta(hours=5)) == []
        assert tell(real + timedelta(hours=6)) == ["skew"]
        assert Notification.objects.filter(client=None, level="bad").count() == 2
        assert [message.to for message in mail.outbox] == [[root.email]] * 2
        assert "clock" in mail.outbox[0].body
        assert "https://convo.test/agency/webhooks/" in mail.outbox[0].body

    def test_needs_no_mail_server(self, root: User, now: datetime, monkeypatch: pytest.MonkeyPatch):
        def away(*_: object) -> int:
            raise ConnectionRefusedError

        monkeypatch.setattr(notifications, "send_mail", away)
        told = raise_alerts(Signals(skewed_count=3), now=now, real_now=now, base_url="")
        assert told == ["skew"]
        assert Notification.objects.count() == 1

    def test_is_silent_when_all_is_well(self, root: User):
        assert jobs.watch_webhooks(of_a_later_version=1) == []
        assert mail.outbox == []
