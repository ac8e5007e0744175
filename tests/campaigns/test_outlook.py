"""The parts that the live page asks for: what is ahead, the clock by zone, what a campaign calls with."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.kept_outlooks import is_fresh
from campaigns.models import BatchCall, Enrolment, Experiment, LaunchRequest
from campaigns.queries.outlook import live_launches, look_ahead
from campaigns.services import outlooks
from convomono.lib import clock
from telephony.models import PhoneNumber
from tests.factories.campaigns import NOW, enrol, launch, make_number, make_ready, run_batch

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def campaign(equipped):
    """A campaign that runs: three leads in New York, where it is 10:00, and one in Los Angeles."""
    campaign = make_ready(equipped)
    enrol(campaign, 3)
    enrol(campaign, 1, start=50, time_zone="America/Los_Angeles")
    run_batch(launch(campaign, seconds=6000))
    return campaign


def ahead(campaign, now=NOW):
    """Look ahead for a campaign."""
    return look_ahead(
        live_launches(campaign.client_id, campaign.pk),
        is_sandbox=True,
        calls_per_second=1.0,
        now=now,
        real_now=now,
    )


def part(browser, campaign, name="outlook", **headers):
    """Ask for a part of the campaign's page."""
    return browser.get(f"/app/campaigns/{campaign.pk}/{name}/", **headers)


# -- What is ahead ---------------------------------------------------------------------------------


def test_tells_how_many_wait_in_each_zone_and_when_its_hours_open(campaign):
    here, there = ahead(campaign).clocks

    assert (here.name, here.local, here.count, here.open_count) == ("New York", "Mon 10:00", 3, 3)
    assert (here.closes, here.opens_at) == ("20:00", None)
    assert (there.name, there.local, there.count, there.open_count) == (
        *("Los Angeles", "Mon 07:00"),
        *(1, 0),
    )
    assert (there.opens, there.opens_in) == ("Mon 09:00", "in 2 h")
    assert there.opens_at == NOW + timedelta(hours=2)


def test_ends_when_the_last_place_was_called(campaign):
    campaign.retry_policy.max_attempts = 1
    campaign.retry_policy.save()
    end = ahead(campaign).forecast.ends_at
    assert NOW + timedelta(hours=2) < end < NOW + timedelta(hours=3)

    Enrolment.objects.filter(zones=["America/Los_Angeles"]).update(status="done")
    assert ahead(campaign).forecast.ends_at < NOW + timedelta(minutes=10)


def test_counts_only_the_tries_that_are_left_and_those_who_are_called_again_later(campaign):
    first = ahead(campaign).forecast
    Enrolment.objects.update(attempts_count=2, next_attempt_at=NOW + timedelta(hours=5))

    last = ahead(campaign).forecast

    assert last.dials == 4 < first.dials
    assert last.seconds < first.seconds
    assert NOW + timedelta(hours=5) <= last.ends_at < NOW + timedelta(hours=6)


def test_leaves_out_who_is_held_back_and_who_is_through(campaign):
    rows = list(Enrolment.objects.order_by("phone_number"))
    Enrolment.objects.filter(pk=rows[0].pk).update(held_at=NOW)
    Enrolment.objects.filter(pk=rows[1].pk).update(status="done")
    Enrolment.objects.filter(pk=rows[2].pk).update(status="in_call")

    assert sum(one.count for one in ahead(campaign).clocks) == 2


def test_begins_when_a_scheduled_launch_does(campaign):
    starts = NOW + timedelta(days=2)
    BatchCall.objects.update(status="scheduled", scheduled_at=starts)

    assert ahead(campaign).forecast.ends_at > starts


def test_asks_as_many_queries_for_a_long_line_as_for_a_short_one(campaign):
    def asked():
        with CaptureQueriesContext(connection) as queries:
            ahead(campaign)
        return len(queries)

    before = asked()
    enrol(campaign, 30, start=100)
    run_batch(launch(campaign, seconds=600))

    assert before == asked() == 7


# -- Kept for seconds ------------------------------------------------------------------------------


def test_is_worked_out_once_in_seconds_and_again_when_the_campaign_is_paused(
    browse, vera, campaign, monkeypatch
):
    looks = []

    def look(rows, **when):
        looks.append(rows)
        return look_ahead(rows, **when)

    monkeypatch.setattr(outlooks, "look_ahead", look)
    browser = browse(vera)
    for _ in range(3):
        page = part(browser, campaign, **HTMX).content.decode()
    assert len(looks) == 1
    assert "Likely through" in page and "if it goes on now" not in page

    BatchCall.objects.update(status="paused")
    assert "if it goes on now" in part(browser, campaign, **HTMX).content.decode()
    assert len(looks) == 2


def test_counts_a_long_line_again_the_later_the_longer_it_is(campaign):
    outlook = ahead(campaign)
    after = NOW + timedelta(seconds=30)

    assert not is_fresh(outlook, in_line=1000, real_now=after)
    assert is_fresh(outlook, in_line=100_000, real_now=after)
    assert not is_fresh(outlook, in_line=100_000, real_now=after + timedelta(seconds=30))


@pytest.mark.django_db(transaction=True)
def test_lets_a_worker_count_a_long_line(browse, vera, campaign, monkeypatch, run_jobs):
    monkeypatch.setattr(outlooks, "MOST_AT_ONCE", 3)
    browser = browse(vera)

    for _ in range(2):
        assert "is being counted" in part(browser, campaign).content.decode()
    assert run_jobs() == 1

    page = part(browser, campaign).content.decode()
    assert "Likely through" in page and "Los Angeles" in page


# -- The parts as pages ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["outlook", "outlook/end", "equipment"])
def test_is_a_fragment_for_the_live_page_and_a_page_otherwise(browse, vera, campaign, name):
    browser = browse(vera)

    assert "<html" in part(browser, campaign, name).content.decode()
    assert "<html" not in part(browser, campaign, name, **HTMX).content.decode()


def test_is_asked_for_by_the_live_page_itself_and_stays_when_the_rest_is_replaced(
    browse, vera, campaign
):
    browser = browse(vera)
    page = browser.get(f"/app/campaigns/{campaign.pk}/").content.decode()

    for address in ("outlook", "equipment", "results"):
        assert f'hx-get="/app/campaigns/{campaign.pk}/{address}/"' in page
    # What is replaced around them says "outerHTML" to all inside of it.
    assert page.count("hx-preserve") == page.count('hx-swap="innerHTML"') == 3
    assert page.count('hx-trigger="every 10s, load"') == 2
    still = browser.get(f"/app/campaigns/{campaign.pk}/?updates=off").content.decode()
    assert "every 10s" not in still and still.count('hx-trigger="load"') == 3


def test_asks_no_more_once_it_is_over(browse, vera, campaign):
    BatchCall.objects.update(status="finished")
    browser = browse(vera)

    assert part(browser, campaign, **HTMX).status_code == 286
    assert part(browser, campaign, "outlook/end", **HTMX).status_code == 286
    assert "Nothing is in line" in part(browser, campaign).content.decode()
    assert "What is ahead" not in browser.get(f"/app/campaigns/{campaign.pk}/").content.decode()


def test_says_who_asked_for_a_launch_of_leads_that_came_since(browse, vera, campaign):
    enrol(campaign, 2, start=80)
    LaunchRequest.objects.create(
        client=campaign.client,
        campaign=campaign,
        live_key=str(campaign.pk),
        fingerprint="f",
        version_number=1,
        leads_count=2,
        seconds=60,
        asked_by_email="mia@acme.test",
        asked_at=clock.now(),
    )

    page = part(browse(vera), campaign).content.decode()

    assert "2 leads wait for the next launch" in page
    assert "waits for somebody" in page


@pytest.mark.parametrize(("name", "number"), [("outlook", 11), ("equipment", 6)])
def test_asks_a_constant_number_of_queries(browse, vera, campaign, name, number):
    """The outlook's own are asked once in some seconds."""
    browser = browse(vera)
    with CaptureQueriesContext(connection) as queries:
        part(browser, campaign, name, **HTMX)
    assert len(queries) == number

    enrol(campaign, 20, start=100)
    run_batch(launch(campaign, seconds=600))
    for index in range(5):
        make_number(campaign.client, f"+1212555017{index}")
    with CaptureQueriesContext(connection) as queries:
        part(browser, campaign, name, **HTMX)
    assert len(queries) == number


# -- What it calls with ----------------------------------------------------------------------------


def test_shows_the_numbers_and_how_they_do(browse, vera, campaign):
    today = clock.now()
    PhoneNumber.objects.update(used_on=today.date(), used_count=7, daily_cap=50)
    make_number(campaign.client, "+12125550198", health="at_risk")
    make_number(campaign.client, "+12125550197", resting_until=today + timedelta(days=1))

    page = part(browse(vera), campaign, "equipment").content.decode()

    assert "of 50" in page and "At risk" in page and "Resting" in page

    campaign.caller_numbers = ["+12125550198"]
    campaign.save()
    page = part(browse(vera), campaign, "equipment").content.decode()
    assert "At risk" in page and "Resting" not in page


def test_shows_the_version_that_speaks_and_the_trial_beside_it(browse, vera, campaign):
    version = campaign.versions.get()
    page = part(browse(vera), campaign, "equipment").content.decode()
    assert "Version 1" in page and "No experiment runs" in page

    Experiment.objects.create(
        client=campaign.client,
        campaign=campaign,
        part="opening_line",
        status="running",
        live_key=str(campaign.pk),
        control=version,
        results={"control": {"reached": 40, "converted": 10}, "variant": {"reached": 0}},
        created_by_email="mia@acme.test",
        created_at=NOW,
    )
    page = part(browse(vera), campaign, "equipment").content.decode()
    assert "25.0%" in page and "10 of 40 reached" in page
    assert "of what a decision needs" in page
