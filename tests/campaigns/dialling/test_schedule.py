"""Launches that start at their time, and new leads that are launched again and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from accounts.models import Notification, User
from audit.models import AuditLog
from billing.models import Wallet
from campaigns.models import BatchCall, TopUp
from campaigns.services import lifecycle, topping_up
from campaigns.services.lifecycle import launch_campaign
from campaigns.services.recurring import following, set_top_up
from campaigns.services.topping_up import top_up, top_up_due
from convomono.lib.ids import uuid7
from telephony.models import PhoneNumber
from tests.campaigns.dialling.histories import KilledError, killed
from tests.factories.accounts import UserFactory
from tests.factories.billing import open_wallet
from tests.factories.campaigns import NOW, TESTS, enrol, make_number, make_ready

if TYPE_CHECKING:
    from campaigns.models import Campaign
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def campaign(acme) -> Campaign:
    open_wallet(acme, seconds=60_000)
    make_number(acme)
    return make_ready(acme, is_any_hour=True, weekdays=tuple(range(7)))


def setter(campaign: Campaign) -> User:
    """Whoever set the top-up: somebody who may launch there."""
    found = User.objects.filter(email="setter@acme.test").first()
    return found or UserFactory.create(
        email="setter@acme.test", client=campaign.client, client_role="manager", can_launch=True
    )


def daily(campaign: Campaign, **fields) -> TopUp:
    wanted: dict[str, Any] = {
        "is_active": True,
        "every_minutes": 24 * 60,
        "next_at": NOW,
        "most_seconds": 3000,
    }
    set_top_up(campaign=campaign, **(wanted | fields), actor=setter(campaign), now=NOW)
    return TopUp.objects.get(campaign=campaign)


def test_starts_a_launch_within_a_second_of_its_time(rig: Rig, campaign: Campaign) -> None:
    enrol(campaign, 3)
    at = NOW + timedelta(hours=5)
    batch_call = launch_campaign(
        campaign=campaign,
        launch_key=uuid7(),
        actor=TESTS,
        now=NOW,
        scheduled_at=at,
        is_sandbox=True,
    )
    assert (batch_call.status, batch_call.scheduled_at) == ("scheduled", at)
    assert Wallet.objects.get(client=campaign.client).reserved_seconds > 0
    dispatcher = rig.dispatcher()

    rig.now = rig.real = at - timedelta(seconds=1)
    while rig.now < at:
        rig.step(dispatcher, seconds=0.25)
        assert rig.retell.dials == [] or rig.now >= at
    rig.step(dispatcher, seconds=0.25)

    batch_call.refresh_from_db()
    assert batch_call.started_at is not None
    assert timedelta() <= batch_call.started_at - at <= timedelta(seconds=1)
    assert rig.retell.dials
    assert batch_call.last_dialled_at is not None
    assert batch_call.last_dialled_at - at <= timedelta(seconds=1)


def test_takes_a_time_that_is_past_for_now(campaign: Campaign) -> None:
    enrol(campaign, 1)

    batch_call = launch_campaign(
        campaign=campaign,
        launch_key=uuid7(),
        actor=TESTS,
        now=NOW,
        scheduled_at=NOW - DAY,
        is_sandbox=True,
    )

    assert batch_call.scheduled_at == NOW


def test_lets_a_person_choose_the_time(client, alice, campaign: Campaign) -> None:
    enrol(campaign, 2)
    client.force_login(alice)
    address = reverse("campaigns:campaign-launch", args=[campaign.pk])
    typed = {"launch_key": uuid7(), "leads": 2, "seconds": 3000, "starts_at": "2099-01-01T10:00"}

    answer = client.post(address, typed, follow=True)

    assert "The first calls start at" in answer.content.decode()
    assert BatchCall.objects.get().scheduled_at.year == 2099
    assert client.post(address, typed | {"starts_at": "soon"}).status_code == 422


def test_launches_new_leads_again_and_again(campaign: Campaign) -> None:
    enrol(campaign, 3)
    daily(campaign)

    assert top_up_due(now=NOW - timedelta(seconds=1), is_sandbox=True) == 0
    assert top_up_due(now=NOW, is_sandbox=True) == 1
    first = BatchCall.objects.get()
    assert (first.tasks_count, first.launched_by_email) == (3, "top-up")
    row = TopUp.objects.get()
    assert (row.next_at, row.last_result) == (NOW + DAY, "3 new leads were launched.")
    assert top_up_due(now=NOW + timedelta(hours=1), is_sandbox=True) == 0

    enrol(campaign, 2, start=10)
    assert top_up_due(now=NOW + DAY, is_sandbox=True) == 1
    assert sorted(BatchCall.objects.values_list("tasks_count", flat=True)) == [2, 3]
    assert top_up_due(now=NOW + 2 * DAY, is_sandbox=True) == 0
    row.refresh_from_db()
    assert row.last_result == "No new lead waited."


def test_launches_once_for_one_time_although_it_is_killed_or_run_twice(campaign: Campaign) -> None:
    enrol(campaign, 3)
    row = daily(campaign)

    for _ in range(3):  # each reads the row as it was before the time was moved on
        top_up(row=row, now=NOW, is_sandbox=True)

    assert BatchCall.objects.count() == 1
    assert TopUp.objects.get().next_at == NOW + DAY


def test_tells_of_a_launch_although_whoever_launched_was_killed(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(campaign, 3)
    row = daily(campaign)
    with monkeypatch.context() as patch:
        patch.setattr(topping_up, "_take_note", killed)
        with pytest.raises(KilledError):
            top_up(row=row, now=NOW, is_sandbox=True)

    assert top_up_due(now=NOW + timedelta(seconds=5), is_sandbox=True) == 1

    row.refresh_from_db()
    assert (row.last_result, row.next_at) == ("3 new leads were launched.", NOW + DAY)
    assert BatchCall.objects.count() == 1


def test_reserves_no_more_than_it_may(campaign: Campaign) -> None:
    enrol(campaign, 30)
    daily(campaign, most_seconds=600)

    top_up_due(now=NOW, is_sandbox=True)

    assert Wallet.objects.get(client=campaign.client).reserved_seconds == 600


def test_says_why_nothing_was_launched_and_tries_the_next_time(campaign: Campaign) -> None:
    enrol(campaign, 3)
    row = daily(campaign)
    campaign.client.phone_numbers.update(client=None)

    assert not top_up(row=row, now=NOW, is_sandbox=True)

    row.refresh_from_db()
    assert "no phone number to call from" in row.last_result
    assert (row.next_at, row.last_at) == (NOW + DAY, NOW)
    campaign.client.status = "inactive"
    campaign.client.save()
    assert top_up_due(now=NOW + DAY, is_sandbox=True) == 0
    row.refresh_from_db()
    assert row.last_result == "The account is inactive."


@pytest.mark.parametrize("paused_by", ["person", "breaker", "credit"])
def test_launches_nothing_beside_a_launch_that_was_paused(
    campaign: Campaign, paused_by: str
) -> None:
    enrol(campaign, 3)
    row = daily(campaign)
    assert top_up_due(now=NOW, is_sandbox=True) == 1
    first = BatchCall.objects.get()
    if paused_by == "person":
        lifecycle.pause_campaign(campaign=campaign, actor=TESTS, now=NOW)
    else:
        reason = "breaker_opted_out" if paused_by == "breaker" else "paused_credit"
        lifecycle.pause_by_system(batch_call_id=first.pk, reason=reason, now=NOW)
    enrol(campaign, 2, start=10)

    assert top_up_due(now=NOW + DAY, is_sandbox=True) == 0

    row.refresh_from_db()
    by_itself = paused_by != "person"  # who else holds the new leads too
    assert row.was_refused == by_itself
    assert (row.last_result == "The campaign is paused: resume it first.") == by_itself
    assert BatchCall.objects.count() == 1
    first.refresh_from_db()
    lifecycle.resume_campaign(campaign=campaign, actor=TESTS, now=NOW + DAY)
    assert top_up_due(now=NOW + 2 * DAY, is_sandbox=True) == 1


def test_launches_nothing_after_the_campaign_was_stopped(client, alice, campaign: Campaign) -> None:
    enrol(campaign, 3)
    daily(campaign)
    top_up_due(now=NOW, is_sandbox=True)
    enrol(campaign, 2, start=10)
    client.force_login(alice)
    stop = reverse("campaigns:campaign-stop", args=[campaign.pk])
    assert "New leads are launched by themselves" in client.get(stop).content.decode()
    client.post(stop)

    assert top_up_due(now=NOW + DAY, is_sandbox=True) == 0

    assert BatchCall.objects.count() == 1
    assert not TopUp.objects.get().is_active
    assert AuditLog.objects.filter(action="campaign.top_up_set").latest("created_at").details == {
        "is_active": False
    }


@pytest.mark.parametrize("change", [{"can_launch": False}, {"is_active": False}])
def test_spends_nothing_for_somebody_who_may_not_launch_any_more(
    campaign: Campaign, change: dict[str, Any]
) -> None:
    enrol(campaign, 3)
    row = daily(campaign)
    User.objects.filter(pk=setter(campaign).pk).update(**change)

    assert top_up_due(now=NOW, is_sandbox=True) == 0

    row.refresh_from_db()
    assert not BatchCall.objects.exists()
    assert not row.is_active
    assert "setter@acme.test may not launch any more" in row.last_result
    told = Notification.objects.get(client=campaign.client)
    assert "setter@acme.test may not launch any more" in told.body


def test_tells_why_new_leads_were_not_launched_once_until_it_is_something_else(
    campaign: Campaign,
) -> None:
    enrol(campaign, 3)
    daily(campaign)
    numbers = list(campaign.client.phone_numbers.values_list("pk", flat=True))
    campaign.client.phone_numbers.update(client=None)
    told = Notification.objects.filter(client=campaign.client)

    for turn in range(3):
        top_up(row=TopUp.objects.get(), now=NOW + turn * DAY, is_sandbox=True)
        assert "no phone number to call from" in told.get().body
    assert TopUp.objects.get().was_refused
    stale = TopUp.objects.get()
    campaign.client.status = "inactive"
    campaign.client.save()
    for _ in range(2):  # the second reads the row as it was: it was killed before, or runs beside
        top_up(row=stale, now=NOW + 3 * DAY, is_sandbox=True)
    assert set(told.values_list("body", flat=True)) > {"The account is inactive."}
    assert told.count() == 2

    campaign.client.status = "active"
    campaign.client.save()
    PhoneNumber.objects.filter(pk__in=numbers).update(client=campaign.client)
    assert top_up_due(now=NOW + 9 * DAY, is_sandbox=True) == 1
    assert (TopUp.objects.get().was_refused, told.count()) == (False, 2)


def test_asks_nobody_to_read_that_there_was_nothing_to_launch(campaign: Campaign) -> None:
    daily(campaign)

    top_up_due(now=NOW, is_sandbox=True)

    assert TopUp.objects.get().last_result == "No new lead waited."
    assert not TopUp.objects.get().was_refused
    assert not Notification.objects.exists()


def test_makes_up_for_nothing_that_was_missed() -> None:
    every = partial(following, NOW, every_minutes=60, zone="America/New_York")

    assert every(now=NOW) == NOW + timedelta(hours=1)
    later = NOW + timedelta(hours=5, minutes=10)
    assert every(now=later) == NOW + timedelta(hours=6)


@pytest.mark.parametrize(
    ("at", "minutes", "now", "expected"),
    [
        # New York's clocks go forward on 14 March 2027, and back on 7 November 2027.
        ("2027-03-13T14:00", 1440, "2027-03-13T14:00", "2027-03-14T13:00"),
        ("2027-11-06T13:00", 1440, "2027-11-06T13:00", "2027-11-07T14:00"),
        ("2027-03-10T14:00", 7 * 1440, "2027-03-10T14:01", "2027-03-17T13:00"),
        ("2027-03-10T14:00", 1440, "2027-03-20T13:30", "2027-03-21T13:00"),
        ("2027-11-05T13:00", 1440, "2027-11-09T13:30", "2027-11-09T14:00"),
        ("2027-03-13T14:00", 720, "2027-03-13T14:00", "2027-03-14T02:00"),
        ("2027-03-13T14:00", 60, "2027-03-14T13:30", "2027-03-14T14:00"),
    ],
)
def test_keeps_the_hour_on_the_wall(at: str, minutes: int, now: str, expected: str) -> None:
    def instant(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    found = following(instant(at), every_minutes=minutes, zone="America/New_York", now=instant(now))

    assert found == instant(expected)


def test_holds_up_nobody_whose_turn_comes_after_one_that_fails(
    campaign: Campaign, monkeypatch
) -> None:
    other = make_ready(campaign.client, name="Other", is_any_hour=True)
    monkeypatch.setattr(topping_up, "AT_ONCE", 1)
    enrol(campaign, 1)
    enrol(other, 1, start=10)
    daily(campaign, next_at=NOW - timedelta(minutes=1))
    daily(other)
    launch = lifecycle.launch_campaign

    def broken(**fields: Any) -> BatchCall:
        if fields["campaign"] == campaign:
            raise RuntimeError
        return launch(**fields)

    monkeypatch.setattr(lifecycle, "launch_campaign", broken)

    assert top_up_due(now=NOW, is_sandbox=True) == 1

    assert BatchCall.objects.get().campaign == other
    row = TopUp.objects.get(campaign=campaign)
    assert (row.next_at, row.last_result) == (
        NOW - timedelta(minutes=1),
        "It failed, and is tried again in a moment.",
    )
    monkeypatch.setattr(lifecycle, "launch_campaign", launch)
    assert top_up_due(now=NOW, is_sandbox=True) == 1


def test_is_switched_off_again(campaign: Campaign) -> None:
    enrol(campaign, 3)
    daily(campaign, is_active=False)

    assert top_up_due(now=NOW + DAY, is_sandbox=True) == 0
    assert topping_up.AT_ONCE > 0


def test_is_set_by_who_may_launch(client, alice, mia, charlie, campaign: Campaign) -> None:
    address = reverse("campaigns:campaign-top-up", args=[campaign.pk])
    typed = {
        "is_active": "on",
        "next_at": "2099-01-01T10:00",
        "every_minutes": "60",
        "most_minutes": "50",
    }
    client.force_login(mia)
    assert client.get(address).status_code == 403
    client.force_login(charlie)
    assert client.post(address, typed).status_code == 404
    client.force_login(alice)

    assert client.post(address, typed | {"next_at": "2001-01-01T10:00"}).status_code == 422
    assert client.post(address, typed | {"every_minutes": "7"}).status_code == 422
    for _ in range(2):
        assert "Saved" in client.post(address, typed, follow=True).content.decode()

    row = TopUp.objects.get()
    assert (row.every_minutes, row.most_seconds, row.set_by_email) == (60, 3000, alice.email)
    assert AuditLog.objects.filter(action="campaign.top_up_set").count() == 1


@pytest.mark.parametrize("minutes", [5, 15])
def test_launches_new_leads_within_minutes(client, alice, campaign: Campaign, minutes: int) -> None:
    address = reverse("campaigns:campaign-top-up", args=[campaign.pk])
    typed = {"is_active": "on", "next_at": "2099-01-01T10:00", "most_minutes": "50"}
    client.force_login(alice)
    client.post(address, typed | {"every_minutes": str(minutes)})
    TopUp.objects.update(next_at=NOW)
    top_up_due(now=NOW, is_sandbox=True)
    enrol(campaign, 2)

    assert top_up_due(now=NOW + timedelta(minutes=minutes, seconds=-1), is_sandbox=True) == 0
    assert top_up_due(now=NOW + timedelta(minutes=minutes), is_sandbox=True) == 1
