"""What a campaign's report says of its calls and attempts: lengths, transfers, calls back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.template.loader import render_to_string

from campaigns.models import Attempt, Enrolment
from convomono.lib.ids import uuid7
from reporting.models import DailyStat
from reporting.queries.figures import Talk, campaign_talk
from reporting.queries.reports import campaign_report
from telephony.first_words import NEVER_SPOKE_MS
from tests.factories.campaigns import enrol, make_ready
from tests.factories.telephony import CallFactory

HUMAN = {"status": "ended", "outcome_class": "human", "disconnection_reason": "user_hangup"}


@pytest.fixture
def campaign(acme, now):
    return make_ready(acme, name="Winter check-ups")


@pytest.fixture
def call(campaign, acme):
    def made(**values):
        return CallFactory.create(client=acme, campaign_id=campaign.pk, **{**HUMAN, **values})

    return made


def talk(campaign):
    return campaign_talk(client_id=campaign.client_id, campaign_id=campaign.pk)


def test_tells_how_many_calls_with_people_were_how_long(campaign, call):
    for duration_ms in (1, 1_000, 1_001, 2_000, 90_000, None):
        call(duration_ms=duration_ms)

    assert talk(campaign) == Talk({1: 2, 2: 2, 90: 1}, transferred=0)


def test_counts_what_a_person_corrected_and_neither_tests_nor_others(campaign, call, acme):
    call(duration_ms=5_000, corrected_outcome="machine")
    call(duration_ms=6_000, outcome_class="machine", corrected_outcome="goal")
    call(duration_ms=7_000, is_test=True)
    call(duration_ms=8_000, status="ongoing")
    call(duration_ms=9_000, outcome_class="machine")
    CallFactory.create(client=acme, duration_ms=10_000, **HUMAN)  # of another campaign

    assert talk(campaign) == Talk({6: 1}, transferred=0)


@pytest.mark.parametrize(
    ("reason", "transferred"),
    [("call_transfer", 1), ("transfer_bridged", 1), ("transfer_cancelled", 0), ("user_hangup", 0)],
)
def test_counts_a_call_as_transferred_when_it_ended_so(campaign, call, reason, transferred):
    call(duration_ms=5_000, disconnection_reason=reason)

    assert talk(campaign).transferred == transferred


@pytest.mark.parametrize(
    ("values", "tried", "transferred"),
    [
        ({}, 0, 0),
        ({"transfer_status": "started"}, 1, 0),
        ({"transfer_status": "cancelled"}, 1, 0),
        ({"transfer_status": "bridged"}, 1, 1),
        ({"disconnection_reason": "call_transfer"}, 1, 1),
        ({"disconnection_reason": "transfer_cancelled"}, 1, 0),
        ({"disconnection_reason": "transfer_cancelled", "transfer_status": "bridged"}, 1, 1),
        ({"transfer_status": "bridged", "outcome_class": "machine"}, 0, 0),
    ],
)
def test_counts_transfers_that_were_tried(campaign, call, values, tried, transferred):
    call(duration_ms=5_000, **values)

    found = talk(campaign)
    assert (found.transfers_tried, found.transferred) == (tried, transferred)


def test_counts_calls_in_which_the_agent_spoke_too_late_or_never(campaign, call):
    for first_ms in (0, 900, 2_000, 2_001, NEVER_SPOKE_MS, None):
        call(duration_ms=5_000, agent_first_word_ms=first_ms)
    call(duration_ms=5_000, agent_first_word_ms=9_000, outcome_class="machine")

    found = talk(campaign)
    assert (found.timed, found.abandoned) == (5, 2)


def test_counts_openings_that_said_all_they_must_among_those_that_were_checked(
    campaign, call, acme, now
):
    for disclosure in ("given", "given", "name", "ai recording", "", "cut", "unread"):
        call(duration_ms=5_000, disclosure=disclosure)
    call(duration_ms=5_000, disclosure="name", outcome_class="machine")
    call(duration_ms=5_000, disclosure="name", is_test=True)

    found = talk(campaign)
    assert (found.checked, found.disclosed) == (4, 2)
    page = campaign_report(campaign=campaign, client=acme, now=now)
    assert {kpi.code: kpi.text for kpi in page.kpis}["disclosure_pass_rate"] == "50.0%"


def test_says_of_no_abandonment_where_no_times_are_known(campaign, call, acme, now):
    call(duration_ms=5_000)

    page = campaign_report(campaign=campaign, client=acme, now=now)
    said = {kpi.code: kpi.text for kpi in page.kpis}
    assert (said["abandonment"], said["transfer_success"]) == ("–", "–")


def test_reads_the_lengths_in_one_query_with_a_row_for_each_second(
    campaign, call, django_assert_num_queries
):
    for number in range(40):
        call(duration_ms=1_000 + number)

    with django_assert_num_queries(1):
        found = talk(campaign)

    assert found.lengths == {1: 1, 2: 39}


def test_shows_each_on_the_page_on_paper_and_in_what_is_kept(campaign, call, acme, now):
    enrolled = list(enrol(campaign, 5))
    for row, attempts in zip(enrolled, (1, 2, 2, 3, 7), strict=True):
        Enrolment.objects.filter(pk=row.pk).update(attempts_count=attempts)
    DailyStat.objects.create(
        client=acme,
        campaign_id=campaign.pk,
        day=now.date(),
        dials_count=15,
        humans_count=4,
        billed_seconds=240,
        client_cost_micros=1_000_000,
    )
    for seconds, reason, first_ms in (
        (20, "user_hangup", 900),
        (40, "call_transfer", 3_000),
        (60, "transfer_cancelled", 0),
        (600, "", None),
    ):
        call(
            duration_ms=seconds * 1000,
            disconnection_reason=reason,
            agent_first_word_ms=first_ms,
        )
    asked = now - timedelta(hours=2)
    for row, late in zip(enrolled, (timedelta(minutes=5), timedelta(minutes=20)), strict=False):
        Attempt.objects.create(
            client=acme,
            campaign_id=campaign.pk,
            enrolment=row,
            lead_id=row.lead_id,
            batch_call_id=uuid7(),
            version_id=uuid7(),
            phone_number=row.phone_number,
            number=2,
            status=Attempt.Status.ENDED,
            callback_at=asked,
            sent_at=asked + late,
            created_at=asked,
        )

    page = campaign_report(campaign=campaign, client=acme, now=now)
    said = {kpi.code: kpi.text for kpi in page.kpis}

    assert {code: said[code] for code in EXPECTED} == EXPECTED
    paper = render_to_string("reporting/pdf/campaign_report.html", {"page": page, "now": now})
    for label in (
        "Transfer rate",
        "Transfer success",
        "Abandonment",
        "33.3%",
        "Calls back kept",
        "Dialled four times or more",
        "Median talk",
    ):
        assert label in paper


EXPECTED = {
    "transfer_rate": "25.0%",
    "transfer_success": "50.0%",
    "abandonment": "33.3%",
    "callback_kept_rate": "50.0%",
    "dialled_once": "20.0%",
    "dialled_twice": "40.0%",
    "dialled_thrice": "20.0%",
    "dialled_more": "20.0%",
    "effective_rate": "$0.25",
    "talk_median": "40 s",
    "talk_p90": "10 min 0 s",
}


@pytest.mark.parametrize(("ago", "shown"), [(0, 4), (13, 5), (30, 6)])
def test_draws_the_last_days_that_a_campaign_dialled(campaign, acme, now, ago, shown):
    """One that was over a month ago still has a chart."""
    DailyStat.objects.create(
        client=acme,
        campaign_id=campaign.pk,
        day=now.date() - timedelta(days=ago),
        dials_count=shown,
    )

    page = campaign_report(campaign=campaign, client=acme, now=now)

    assert sum(int(bar.text) for bar in page.days.bars) == shown
