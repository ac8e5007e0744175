"""Which number a call is made from: sticky, near by, rotated, within its cap and its calls at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from campaigns.dialling import wording
from campaigns.dialling.numbers import NumberPool, chosen_by, number_pool
from campaigns.models import Attempt, BatchCall
from campaigns.services.enrolment import enrol_lead
from telephony.models import PhoneNumber
from tests.factories.campaigns import NOW, launch, make_number, make_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client
    from tests.campaigns.dialling.conftest import Rig

NEW_YORK, BUFFALO, MIAMI, LONDON = "+12125550101", "+17165550101", "+13055550101", "+442079460000"


@pytest.mark.parametrize(
    ("near", "preferred", "chosen"),
    [
        ("+12125550177", "", NEW_YORK),  # same area code
        ("+19175550177", "", BUFFALO),  # same state: the least recently used of two
        ("+13055550177", "", MIAMI),
        ("+14155550177", "", BUFFALO),  # neither: the least recently used
        ("+442079460001", "", BUFFALO),
        ("", "", BUFFALO),
        ("+12125550177", MIAMI, MIAMI),  # the person knows this one
        ("+12125550177", "+19995550101", NEW_YORK),  # it isn't ours any more
    ],
)
def test_calls_from_near_by(near: str, preferred: str, chosen: str) -> None:
    pool = NumberPool(usable=[BUFFALO, NEW_YORK, MIAMI])

    assert pool.choose(preferred=preferred, near=near) == chosen


def test_spares_numbers_at_risk_while_there_are_others() -> None:
    pool = NumberPool(usable=[NEW_YORK, MIAMI], _at_risk=frozenset({NEW_YORK}))

    assert pool.choose(near="+12125550177") == MIAMI
    alone = NumberPool(usable=[NEW_YORK], _at_risk=frozenset({NEW_YORK}))
    assert alone.choose(near="+12125550177") == NEW_YORK


def test_rotates_among_equals() -> None:
    pool = NumberPool(usable=[BUFFALO, NEW_YORK, MIAMI])

    assert [pool.choose() for _ in range(4)] == [BUFFALO, NEW_YORK, MIAMI, BUFFALO]


@pytest.mark.slow
@pytest.mark.django_db
def test_keeps_the_cap_of_a_number_that_warms_up(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=60, number=NEW_YORK, reserve=50_000, concurrency_limit=100)
    PhoneNumber.objects.update(warming_from=NOW.date())
    batch_call.client.concurrency_limit = 100
    batch_call.client.save()
    rig.retell.limit = 100

    for _ in range(5):
        rig.step()

    assert len(rig.retell.dials) == 20
    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == "numbers_capped"
    assert batch_call.waiting_until == datetime(2026, 11, 24, tzinfo=UTC)
    rig.now += timedelta(days=1)
    rig.real += timedelta(days=1)
    for attempt in rig.ringing():
        rig.end(attempt)
    for _ in range(5):
        rig.step()
    assert len(rig.retell.dials) == 50


@pytest.mark.django_db
def test_keeps_a_number_to_its_calls_at_once_and_says_so(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=20, number=NEW_YORK)
    make_number(batch_call.client, MIAMI)
    PhoneNumber.objects.update(concurrency_limit=2)

    for _ in range(4):
        rig.step()

    used = list(Attempt.objects.filter(status="placed").values_list("from_number", flat=True))
    assert sorted(used) == sorted([NEW_YORK] * 2 + [MIAMI] * 2)
    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == "number_lines_full"
    rig.end(rig.ringing()[0])
    rig.step()
    assert len(rig.ringing()) == 4


@pytest.mark.django_db
def test_shares_a_numbers_lines_between_campaigns(acme: Client) -> None:
    make_number(acme, NEW_YORK)
    PhoneNumber.objects.update(concurrency_limit=1)
    left: dict[str, int] = {}
    first = number_pool(client_id=acme.pk, now=NOW, left=left)
    second = number_pool(client_id=acme.pk, now=NOW, only=[NEW_YORK], left=left)

    assert first.choose() == NEW_YORK
    assert second.choose() is None


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["rests", "is_lent", "is_released"])
def test_sends_nothing_again_from_a_number_that_may_not_be_used_any_more(
    rig: Rig, ready: Callable[..., BatchCall], rival: Client, change: str
) -> None:
    batch_call = ready(leads=1, number=NEW_YORK)
    make_number(batch_call.client, MIAMI)
    PhoneNumber.objects.filter(phone_number=MIAMI).update(last_used_at=NOW)
    rig.retell.rate_limit(wait_seconds=5)
    rig.step()
    assert Attempt.objects.get().from_number == NEW_YORK  # kept, to be sent under its key
    number = PhoneNumber.objects.filter(phone_number=NEW_YORK)
    if change == "rests":
        number.update(resting_until=rig.now + timedelta(days=1))
    elif change == "is_lent":
        number.update(client=rival)
    else:
        number.update(released_at=rig.now)

    for _ in range(6):
        rig.step(seconds=5)

    assert {dial.from_number for dial in rig.retell.dials[1:]} == {MIAMI}
    assert [one.from_number for one in rig.ringing()] == [MIAMI]


@pytest.mark.django_db
def test_looks_up_a_lost_dial_and_sends_it_from_no_number_that_rests(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    ready(leads=1, number=NEW_YORK)
    rig.retell.lose_answer(placed=False)
    rig.step()
    PhoneNumber.objects.update(resting_until=rig.now + timedelta(days=1))

    for _ in range(10):
        rig.step(seconds=31)

    assert len(rig.retell.dials) == 1


@pytest.mark.django_db
def test_calls_a_person_from_the_same_number_in_the_next_campaign(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    first = ready(leads=1, number=MIAMI)
    rig.step()
    rig.end(rig.ringing()[0])
    rig.tick(24 * 3600)
    make_number(first.client, NEW_YORK)  # never used, so its turn comes first
    campaign = make_ready(first.client, is_any_hour=True, weekdays=tuple(range(7)))
    lead = Attempt.objects.get().enrolment.lead
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=rig.now)
    launch(campaign, now=rig.now)
    for _ in range(3):
        rig.step()

    attempt = Attempt.objects.get(campaign_id=campaign.pk)
    assert attempt.from_number == MIAMI
    inputs = dict(wording.inputs(attempt.decision))
    assert inputs["Called from this number because"] == "it called this person before"
    assert inputs["Least seconds between two calls"] == "900"
    assert inputs["Last call to this person by anybody"] == "–"


@pytest.mark.parametrize(
    ("number", "preferred", "near", "expected"),
    [
        (MIAMI, MIAMI, "+12125550177", "same"),
        (NEW_YORK, "", "+12125550177", "area"),
        (BUFFALO, "", "+19175550177", "state"),
        (MIAMI, "", "+12125550177", "turn"),
        (LONDON, "", "+442079460001", "turn"),
    ],
)
def test_keeps_why_it_calls_from_a_number(
    number: str, preferred: str, near: str, expected: str
) -> None:
    assert chosen_by(number=number, preferred=preferred, near=near) == expected


@pytest.mark.django_db
def test_promises_no_calls_at_midnight_when_only_the_lines_are_full(acme: Client) -> None:
    make_number(acme, NEW_YORK)
    PhoneNumber.objects.update(concurrency_limit=1)
    pool = number_pool(client_id=acme.pk, now=NOW)

    assert pool.choose() == NEW_YORK

    assert (pool.choose(), pool.code, pool.until) == (None, "number_lines_full", None)
    PhoneNumber.objects.update(concurrency_limit=0, daily_cap=1)
    pool = number_pool(client_id=acme.pk, now=NOW)
    pool.choose()
    assert pool.code == "numbers_capped"
    assert pool.until == datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.django_db
def test_waits_for_midnight_where_both_are_used_up(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    ready(leads=2)
    rig.step()
    PhoneNumber.objects.update(concurrency_limit=1, daily_cap=1)

    pool = number_pool(client_id=BatchCall.objects.get().client_id, now=rig.now)

    assert (pool.choose(), pool.code) == (None, "numbers_capped")
