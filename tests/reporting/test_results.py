"""The part of a campaign's live page that says what its calls came to so far, and how fast it dials."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import Enrolment
from convomono.lib import clock
from reporting.models import DailyStat
from reporting.queries import results
from reporting.queries.reports import campaign_report
from reporting.queries.results import campaign_results
from telephony.models import Call
from tests.factories.campaigns import NOW, enrol, make_ready

HTMX = {"HTTP_HX_REQUEST": "true"}
COUNTS = {
    "dials_count": 40,
    "connects_count": 30,
    "humans_count": 10,
    "machines_count": 20,
    "no_contacts_count": 10,
    "conversions_count": 4,
}


@pytest.fixture
def campaign(acme):
    """A campaign with two days of dials."""
    campaign = make_ready(acme)
    for days in (0, 1):
        day = NOW.date() - timedelta(days=days)
        DailyStat.objects.create(client=acme, campaign_id=campaign.pk, day=day, **COUNTS)
    return campaign


def call(campaign, at, outcome="human"):
    """Make a call of the campaign."""
    return Call.objects.create(
        client=campaign.client,
        provider_call_id=f"call_{at.isoformat()}_{outcome}",
        campaign_id=campaign.pk,
        created_at=at,
        status="ended",
        outcome_class=outcome,
    )


def read(campaign, now=NOW):
    """Read it as if nothing were kept."""
    cache.clear()
    return campaign_results(campaign, zone="America/New_York", now=now)


def test_adds_up_what_all_days_came_to(campaign):
    found = read(campaign)

    assert (found.dials, found.connects, found.humans, found.conversions) == (80, 60, 20, 8)
    assert (found.connect_ratio, found.pick_up_ratio, found.conversion_ratio) == (0.75, 0.25, 0.4)
    assert [part.value for part in found.outcomes.parts] == [20, 40, 20, 0, 0]


def test_counts_the_dials_of_each_of_the_last_minutes(campaign):
    now = NOW + timedelta(seconds=30)
    for seconds, outcome in ((10, "human"), (20, "machine"), (95, "human"), (3600, "human")):
        call(campaign, now - timedelta(seconds=seconds), outcome)

    found = read(campaign, now)

    assert (found.dials_lately, found.humans_lately) == (3, 2)
    rows = found.pace.axes.rows
    assert [(row.label, row.texts[0]) for row in rows if row.texts[0] != "0"] == [
        ("09:58", "1"),
        ("10:00", "2"),
    ]
    assert len(rows) == 30


def test_draws_only_minutes_that_were_read_whole(campaign, monkeypatch):
    monkeypatch.setattr(results, "MOST_CALLS", 4)
    for seconds in (70, 80, 130, 140, 150):
        call(campaign, NOW - timedelta(seconds=seconds))

    rows = read(campaign).pace.axes.rows

    assert [(row.label, row.texts[0]) for row in rows] == [
        ("09:58", "2"),
        ("09:59", "0"),
        ("10:00", "0"),
    ]


def test_reads_counters_once_in_seconds(browse, vera, campaign):
    browser = browse(vera)
    url = f"/app/campaigns/{campaign.pk}/results/"

    def asked():
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(url, **HTMX).status_code == 200
        return len(queries)

    assert (asked(), asked()) == (5, 2)
    for number in range(20):
        call(campaign, clock.now() - timedelta(seconds=number))
    enrol(campaign, 20)
    cache.clear()
    assert asked() == 5


def people(campaign):
    """Enrol eight leads who came differently far."""
    rows = enrol(campaign, 8)
    far: list[dict[str, Any]] = [
        {},
        {},
        {"status": "suppressed"},  # before any dial
        {"status": "suppressed", "attempts_count": 1, "was_reached": True},  # on the call
        {"status": "exhausted", "attempts_count": 3},
        {"status": "done", "attempts_count": 1, "was_reached": True},
        {"status": "done", "attempts_count": 2, "was_reached": True, "is_converted": True},
        {"status": "queued", "attempts_count": 1, "was_reached": True},  # is called back
    ]
    for row, columns in zip(rows, far, strict=True):
        Enrolment.objects.filter(pk=row.pk).update(**columns)


def test_follows_leads_from_the_list_to_the_goal_as_the_report_counts_them(acme, campaign):
    people(campaign)

    found = read(campaign)

    assert [(str(step.label), step.count, step.text) for step in found.funnel] == [
        ("Leads", 8, "8"),
        ("May be dialled", 7, "7 (87.5%)"),
        ("Dialled", 5, "5 (71.4%)"),
        ("Reached", 4, "4 (80.0%)"),
        ("Converted", 1, "1 (25.0%)"),
    ]
    report = {
        kpi.code: kpi.value for kpi in campaign_report(campaign=campaign, client=acme, now=NOW).kpis
    }
    assert report["contact_rate"] == 4 / 5


def test_leads_each_step_to_the_leads_that_it_counts(browse, vera, campaign):
    people(campaign)
    browser = browse(vera)
    leads = f"/app/campaigns/{campaign.pk}/leads/"

    for url in ("results", "report"):
        page = browser.get(f"/app/campaigns/{campaign.pk}/{url}/").content.decode()
        for step in read(campaign).funnel:
            assert f'<a href="{leads}{step.query}">{step.label}</a>' in page
    for step in read(campaign).funnel:
        listed = browser.get(f"{leads}{step.query}").context["page"]
        assert len(listed.rows) == step.count


def test_shows_the_funnel_and_none_before_there_is_anybody(browse, vera, campaign):
    url = f"/app/campaigns/{campaign.pk}/results/"
    browser = browse(vera)
    assert "From lead to goal" not in browser.get(url, **HTMX).content.decode()
    people(campaign)
    cache.clear()

    page = browser.get(url, **HTMX).content.decode()

    assert "From lead to goal" in page
    assert '<progress aria-label="Reached" value="4" max="8">' in " ".join(page.split())
    assert "4 (80.0%)" in page


def test_counts_the_leads_of_a_long_list_once_a_minute(campaign, monkeypatch):
    monkeypatch.setattr(results, "LONG_LIST", 8)
    people(campaign)
    seconds = []
    monkeypatch.setattr(cache, "set", lambda _key, _value, kept: seconds.append(kept))

    read(campaign)
    enrol(campaign, 1, start=50)
    read(campaign)

    assert seconds == [5, 5, 60, 5]  # of the leads, then of all


def test_is_a_fragment_for_the_live_page_and_a_page_otherwise(browse, vera, charlie, campaign):
    url = f"/app/campaigns/{campaign.pk}/results/"
    browser = browse(vera)

    page = browser.get(url).content.decode()
    fragment = browser.get(url, **HTMX).content.decode()

    assert "<html" in page and "<html" not in fragment
    assert "25.0%" in fragment and "Dials per minute" not in fragment
    call(campaign, clock.now())
    cache.clear()
    assert "1 dial in the last half hour" in browse(vera).get(url).content.decode()
    assert browse(charlie).get(url).status_code == 404
