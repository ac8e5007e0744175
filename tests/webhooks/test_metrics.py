"""Figures for Prometheus: by a token of their own, the same number of queries whatever there is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import RedisError  # noqa: TID251 - what the connection raises

from campaigns.models import Attempt, DispatcherLease
from convomono.lib import clock
from convomono.lib.ids import uuid7
from convomono.lib.redis import beat
from telephony.models import Call
from tests.factories.campaigns import enrol, make_ready
from webhooks.models import WebhookEvent

TOKEN = "a-token-that-prometheus-sends"


@pytest.fixture
def scrape(browse, settings, db):
    settings.METRICS_TOKEN = TOKEN

    def ask(token=TOKEN):
        return browse().get("/metrics", headers={"Authorization": f"Bearer {token}"})

    return ask


def figures(answer):
    lines = (line for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def store(status, age_seconds, number):
    at = clock.now() - timedelta(seconds=age_seconds)
    return WebhookEvent(
        key=f"{status}{number}",
        event_type="call_ended",
        body="{}",
        status=status,
        next_try_at=at,
        created_at=at,
    )


def test_is_no_page_until_there_is_a_token(browse, db):
    assert browse().get("/metrics").status_code == 404


@pytest.mark.parametrize("token", ["", "guess", "naïve", TOKEN[:-1]])
def test_refuses_whoever_does_not_know_the_token(scrape, root, browse, token):
    assert scrape(token).status_code == 401
    assert browse(root).get("/metrics").status_code == 401
    assert scrape().status_code == 200


def test_tells_what_operators_are_alarmed_by(scrape, acme):
    campaign = make_ready(acme)
    now, real_now = clock.now(), clock.real_now()
    WebhookEvent.objects.bulk_create(
        [
            store("pending", 90, 1),
            store("dead", 9, 1),
            store("applied", 9, 1),
            store("dead", 999, 2),
        ]
    )
    Call.objects.create(client=acme, provider_call_id="call_1", status="ongoing", created_at=now)
    [enrolment] = enrol(campaign, count=1)
    Attempt.objects.create(
        client=acme,
        enrolment=enrolment,
        number=1,
        campaign_id=campaign.pk,
        batch_call_id=uuid7(),
        version_id=uuid7(),
        lead_id=enrolment.lead_id,
        status="unknown",
        created_at=now - timedelta(seconds=600),
    )
    beat("drain", now=real_now - timedelta(seconds=40))

    found = figures(scrape())

    assert found["convomono_webhook_lag_seconds"] == pytest.approx(90, abs=30)
    assert found['convomono_webhook_events{status="pending"}'] == 1
    assert found['convomono_webhook_events{status="parked"}'] == 0
    assert found['convomono_webhook_events{status="dead"}'] == 2
    assert found['convomono_webhook_events_recent{status="applied"}'] == 1
    assert found['convomono_webhook_events_recent{status="dead"}'] == 1
    assert found['convomono_calls_live{status="ongoing"}'] == 1
    assert found['convomono_calls_live{status="registered"}'] == 0
    assert found["convomono_attempts_unknown"] == 1
    assert found["convomono_attempts_unknown_oldest_seconds"] == pytest.approx(600, abs=30)
    assert found['convomono_launches{status="running"}'] == 0
    assert found['convomono_queue_jobs{queue="calls"}'] >= 0
    assert found['convomono_queue_failed_jobs{queue="calls"}'] == 0
    assert found['convomono_heartbeat_age_seconds{part="drain"}'] == pytest.approx(40, abs=30)
    assert 'convomono_heartbeat_age_seconds{part="dispatcher"}' not in found
    assert found["convomono_redis_up"] == 1


def test_takes_the_same_queries_for_one_row_and_for_twenty(scrape, acme, django_assert_num_queries):
    WebhookEvent.objects.bulk_create([store("pending", 1, 0)])
    with django_assert_num_queries(8):
        scrape()
    real_now = clock.real_now()
    DispatcherLease.objects.create(name="dispatcher", expires_at=real_now, renewed_at=real_now)
    WebhookEvent.objects.bulk_create([store("dead", 1, number) for number in range(20)])
    with django_assert_num_queries(8):
        found = figures(scrape())
    assert found['convomono_heartbeat_age_seconds{part="dispatcher"}'] < 60


def test_goes_on_without_what_only_redis_knows(scrape, monkeypatch):
    def away():
        raise RedisError

    for module in ("redis", "jobs"):
        monkeypatch.setattr(f"convomono.lib.{module}.redis_connection", away)
    found = figures(scrape())
    assert found["convomono_redis_up"] == 0
    assert "convomono_webhook_lag_seconds" in found
    assert not any(name.startswith("convomono_queue") for name in found)
