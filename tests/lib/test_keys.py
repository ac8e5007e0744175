"""Rows named by their keys are found by these, and what else is asked of them still holds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from campaigns.models import Enrolment
from convomono.lib.ids import uuid7
from convomono.lib.keys import beside
from tests.factories.accounts import NOW
from tests.factories.campaigns import enrol, make_ready
from tests.plans import ByTheirKeys, plans
from webhooks.models import WebhookEvent

pytestmark = pytest.mark.django_db


def an_event(number: int, status: str = "pending") -> WebhookEvent:
    return WebhookEvent.objects.create(
        key=str(number),
        event_type="call_ended",
        body="{}",
        status=status,
        next_try_at=NOW,
        created_at=NOW + timedelta(seconds=number),
    )


def test_returns_those_that_are_named_and_are_as_asked():
    first, second, _third = an_event(1), an_event(2, "applied"), an_event(3)
    keys = [first.pk, second.pk, uuid7()]

    assert list(WebhookEvent.objects.filter(beside(status="pending"), pk__in=keys)) == [first]
    assert not WebhookEvent.objects.filter(beside(status="dead"), pk__in=keys).exists()
    assert WebhookEvent.objects.filter(beside(), pk__in=keys).count() == 2


def test_asks_for_empty_columns_and_for_keys_of_others(acme):
    campaign = make_ready(acme)
    enrol(campaign, 3)
    one, other = list(Enrolment.objects.order_by("pk"))[:2]
    Enrolment.objects.filter(pk=other.pk).update(held_at=NOW)

    both = Enrolment.objects.filter(pk__in=[one.pk, other.pk])
    found = both.filter(beside(batch_call_id=None, held_at=None))

    assert list(found) == [one]
    assert both.filter(beside(campaign_id=campaign.pk)).count() == 2
    assert not both.filter(beside(campaign_id=uuid7())).exists()
    assert found.update(priority=7) == 1


@pytest.mark.sqlite_only("reads SQLite's plans")
def test_tells_of_a_statement_that_goes_another_way(by_their_keys):
    watch, keys = ByTheirKeys(), [uuid7(), uuid7()]
    with connection.execute_wrapper(watch):
        list(WebhookEvent.objects.filter(beside(status="pending"), pk__in=keys))
        list(WebhookEvent.objects.exclude(pk__in=keys).filter(status="pending"))
        assert watch.astray == []
        list(WebhookEvent.objects.filter(status="pending", pk__in=keys))

    (said,) = watch.astray
    by_their_keys.astray.clear()  # it has read along
    assert "event_due" in said and "beside(..)" in said


@pytest.mark.sqlite_only("reads SQLite's plans")
def test_goes_by_the_keys_and_not_through_all_that_are_alike(by_their_keys):
    keys = [uuid7() for _ in range(200)]

    (plan,) = plans(
        lambda: list(WebhookEvent.objects.filter(beside(status="pending"), pk__in=keys))
    )
    (usual,) = plans(
        lambda: list(WebhookEvent.objects.filter(pk__in=keys, status="pending")), of="IN"
    )

    by_their_keys.astray.clear()  # the usual way was on purpose
    assert "autoindex" in plan and "_id=?" in plan
    assert "event_due" in usual  # else there is nothing to go round
