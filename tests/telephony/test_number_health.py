"""Numbers that wear out rest, new ones warm up: by our own counts, with few false alarms."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from django.urls import reverse

from accounts.models import Notification
from audit.models import AuditLog
from telephony.models import Call, NumberDay, PhoneNumber
from telephony.number_health import WARM_UP_CAPS, Counts, Health, cap_on, judge
from telephony.services.health import count_day, judge_numbers, watch_numbers
from tests.factories.campaigns import NOW, make_number

TODAY = NOW.date()
BASELINE_DIALS = 2800


def flagged_after(rng: random.Random, *, pick_up: float, dials: int) -> int | None:
    """Dial from a number whose pick-up was 20 %; return after how many dials it is flagged."""
    before = sum(rng.random() < 0.20 for _ in range(BASELINE_DIALS))
    picked = 0
    for dial in range(1, dials + 1):
        picked += rng.random() < pick_up
        health, _ratio = judge(recent=Counts(dial, picked), baseline=Counts(BASELINE_DIALS, before))
        if health != Health.HEALTHY:
            return dial
    return None


def test_flags_a_decay_from_20_to_11_per_cent_in_under_200_dials():
    rng = random.Random(20)  # noqa: S311 - a simulation
    found = sorted(flagged_after(rng, pick_up=0.11, dials=600) or 9999 for _ in range(101))

    assert found[50] < 200  # the usual number; some take longer
    assert found[95] < 600


def test_takes_fewer_than_one_healthy_number_in_a_hundred_for_worn_out():
    rng = random.Random(21)  # noqa: S311 - a simulation
    false = sum(flagged_after(rng, pick_up=0.20, dials=200) is not None for _ in range(600))

    assert false / 600 < 0.01


@pytest.mark.parametrize(
    ("recent", "baseline"),
    [
        (Counts(19, 0), Counts(2800, 560)),  # too few dials lately
        (Counts(200, 10), Counts(99, 20)),  # too few before
        (Counts(200, 80), Counts(2800, 560)),  # better than before
        (Counts(), Counts()),
        (Counts(200, 0), Counts(2800, 0)),  # nobody ever answered
    ],
)
def test_calls_no_number_worn_out_without_a_reason(recent, baseline):
    assert judge(recent=recent, baseline=baseline)[0] == Health.HEALTHY


def test_rests_what_is_plainly_worn_out():
    assert judge(recent=Counts(200, 5), baseline=Counts(2800, 560))[0] == Health.RESTING


@pytest.mark.parametrize(
    ("day", "cap", "expected"),
    [
        (0, 0, 20),
        (1, 0, 30),
        (9, 0, 240),
        (10, 0, 0),
        (10, 50, 50),
        (3, 50, 50),
        (0, 5, 5),
        (-1, 0, 20),
    ],
)
def test_warms_a_new_number_up(day, cap, expected):
    began = date(2026, 11, 1)

    found = cap_on(began + timedelta(days=day), daily_cap=cap, warming_from=began)

    assert found == expected
    assert list(WARM_UP_CAPS) == sorted(WARM_UP_CAPS)
    assert cap_on(began, daily_cap=cap, warming_from=None) == cap


def days(number: str, *, dials: int, picked: int, ago: range) -> None:
    NumberDay.objects.bulk_create(
        NumberDay(phone_number=number, day=TODAY - timedelta(days=day), dials=dials, picked=picked)
        for day in ago
    )


def call(acme, number: str, **fields) -> Call:
    return Call.objects.create(
        client=acme,
        provider_call_id=f"call_{Call.objects.count()}",
        from_number=number,
        created_at=NOW,
        status="ended",
        **fields,
    )


@pytest.mark.django_db
def test_counts_each_day_anew(acme):
    number = make_number(acme).phone_number
    call(acme, number, outcome_class="human", duration_ms=3000)
    call(acme, number, outcome_class="human", duration_ms=60_000)
    call(acme, number, outcome_class="machine")
    call(acme, number, outcome_class="no_contact", disconnection_reason="user_declined")
    call(acme, number, outcome_class="not_placed")
    call(acme, number, outcome_class="")  # still ringing
    call(acme, number, outcome_class="human", direction="inbound")

    for _ in range(2):
        assert count_day(day=TODAY) == 1

    row = NumberDay.objects.get()
    assert (row.dials, row.picked, row.machines, row.short, row.trouble) == (4, 2, 1, 1, 1)
    assert count_day(day=TODAY - timedelta(days=1)) == 0


@pytest.mark.django_db
def test_counts_the_past_the_first_time_and_later_only_what_may_change(acme):
    number = make_number(acme).phone_number
    old = call(acme, number, outcome_class="human", duration_ms=60_000)
    Call.objects.filter(pk=old.pk).update(created_at=NOW - timedelta(days=20))
    call(acme, number, outcome_class="machine")

    watch_numbers(now=NOW)
    assert set(NumberDay.objects.values_list("day", "dials", "picked")) == {
        (TODAY - timedelta(days=20), 1, 1),
        (TODAY, 1, 0),
    }
    Call.objects.all().delete()
    watch_numbers(now=NOW)
    assert NumberDay.objects.filter(day=TODAY - timedelta(days=20), dials=1).exists()


@pytest.mark.django_db
def test_rests_a_worn_out_number_once_and_tells_the_agency(acme):
    worn = make_number(acme, "+12125550101")
    make_number(acme, "+12125550102")
    days(worn.phone_number, dials=100, picked=20, ago=range(3, 31))
    days(worn.phone_number, dials=70, picked=2, ago=range(3))
    days("+12125550102", dials=100, picked=20, ago=range(31))

    assert judge_numbers(now=NOW) == 1
    assert judge_numbers(now=NOW) == 0

    worn.refresh_from_db()
    assert worn.health == "resting"
    assert worn.resting_until == NOW + timedelta(hours=48)
    assert "answer 3 % of its calls, where it was 20 %" in worn.resting_reason
    assert PhoneNumber.objects.get(phone_number="+12125550102").health == "healthy"
    assert Notification.objects.filter(client=None).count() == 1

    # Awake again it is judged by what it does then, not by what put it to rest.
    assert judge_numbers(now=NOW + timedelta(hours=49)) == 0
    worn.refresh_from_db()
    assert worn.health == "healthy"


@pytest.mark.django_db
def test_judges_a_new_number_beside_its_siblings(acme, rival):
    new = make_number(acme, "+12125550101")
    make_number(acme, "+12125550102")
    make_number(rival, "+12125550103")
    days(new.phone_number, dials=100, picked=3, ago=range(2))
    days("+12125550102", dials=400, picked=80, ago=range(3))

    assert judge_numbers(now=NOW) == 1
    new.refresh_from_db()
    assert new.health_facts["baseline_dials"] == 1200


@pytest.mark.django_db
def test_leaves_resting_and_released_numbers_alone(acme):
    resting = make_number(acme, "+12125550101")
    PhoneNumber.objects.filter(pk=resting.pk).update(resting_until=NOW + timedelta(hours=1))
    days(resting.phone_number, dials=100, picked=20, ago=range(3, 31))
    days(resting.phone_number, dials=100, picked=2, ago=range(3))

    assert watch_numbers(now=NOW) == 0


@pytest.mark.django_db
def test_shows_health_and_lets_the_agency_set_limits_and_wake(client, root, acme):
    number = make_number(acme, "+12125550101")
    days(number.phone_number, dials=100, picked=20, ago=range(3, 31))
    days(number.phone_number, dials=70, picked=2, ago=range(3))
    judge_numbers(now=NOW)
    # The page reads the real clock.
    PhoneNumber.objects.update(resting_until=NOW + timedelta(days=99_999))
    client.force_login(root)
    detail = reverse("agency-telephony:number-detail", args=[number.pk])
    limits = reverse("agency-telephony:number-limits", args=[number.pk])

    assert "pick-up 3 %, before 20 %" in client.get(detail).content.decode()
    assert "Worn out" in client.get(reverse("agency-telephony:number-list")).content.decode()
    typed = {"daily_cap": "50", "concurrency_limit": "2", "warms_up": "on", "rent_usd": "3.25"}
    assert client.post(limits, typed | {"daily_cap": "-1"}).status_code == 422
    assert client.post(limits, typed | {"rent_usd": "x"}).status_code == 422
    client.post(limits, typed)
    number.refresh_from_db()
    assert (number.daily_cap, number.concurrency_limit) == (50, 2)
    assert number.rent_micros == 3_250_000
    assert AuditLog.objects.get(action="number.limited").details["rent_usd"] == "3.25"
    assert number.warming_from is not None

    wake = reverse("agency-telephony:number-wake", args=[number.pk])
    assert "used again" in client.post(wake, follow=True).content.decode()
    assert "rest." in client.post(wake, follow=True).content.decode()
    number.refresh_from_db()
    assert (number.resting_until, number.health) == (None, "healthy")
    assert set(AuditLog.objects.values_list("action", flat=True)) >= {
        "number.limited",
        "number.woken",
    }
