"""The check before a launch: who is called when, what it takes, what stands in the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from campaigns.forecast import DEFAULT_PROFILE, HISTORY_LEAST, forecast, profile_of
from campaigns.lead_counts import count_leads
from campaigns.models import Enrolment
from campaigns.preflight import preflight
from convomono.lib.ids import uuid7
from leads.models import Lead
from leads.services import suppress
from telephony.models import Call, PhoneNumber
from tests.factories.billing import open_wallet
from tests.factories.campaigns import NOW, enrol, launch, make_number, make_ready

NIGHT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)  # Tuesday, 3:00 in New York, 0:00 in Los Angeles


def codes(check):
    return [finding.code for finding in check.findings]


def test_counts_each_lead_once_by_what_becomes_of_it(alice, equipped):
    campaign = make_ready(equipped)
    rows = enrol(campaign, 6)
    suppress(
        level="client",
        client_id=equipped.pk,
        campaign_id=None,
        phone_number=rows[0].phone_number,
        source="person",
        reason="Asked",
        actor=alice,
        now=NOW,
    )
    Lead.objects.filter(pk=rows[1].lead_id).update(status="invalid")
    Lead.objects.filter(pk=rows[2].lead_id).update(consent_status="revoked")
    Lead.objects.filter(pk=rows[3].lead_id).update(time_zone="America/Los_Angeles")

    counts = count_leads(campaign, NOW, is_sandbox=False)

    assert (counts.total, counts.suppressed, counts.invalid, counts.no_consent) == (6, 1, 1, 1)
    assert (counts.callable, counts.callable_now, counts.waiting) == (3, 2, 1)
    [wait] = counts.waits  # 7:00 in Los Angeles; hours open at 9:00
    assert (wait.zones, wait.opens_at) == (("America/Los_Angeles",), NOW + timedelta(hours=2))


def test_says_when_the_first_hours_open(equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 2)

    check = preflight(campaign, NIGHT)

    assert codes(check) == ["closed_now"]
    assert "14:00" in check.findings[0].sentence  # 9:00 in New York, on a page in UTC
    assert check.forecast.first_pass_at is not None
    assert check.forecast.first_pass_at > datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def test_blocks_hours_that_never_open(equipped):
    campaign = make_ready(equipped, opens_minute=9 * 60, closes_minute=10 * 60)
    enrol(campaign, 2)
    Lead.objects.update(time_zone="", zone_candidates=["America/New_York", "Pacific/Honolulu"])

    [finding] = preflight(campaign, NOW).blockers

    assert finding.code == "window"


def test_calls_fictional_numbers_at_any_hour_in_the_sandbox_alone(equipped):
    campaign = make_ready(equipped, is_any_hour=True)
    enrol(campaign, 2)

    assert codes(preflight(campaign, NIGHT, is_sandbox=True)) == []
    assert codes(preflight(campaign, NOW)) == ["any_hour"]
    enrol(campaign, 1, start=2, phone_number="+12125551234")
    assert "any_hour" in codes(preflight(campaign, NIGHT, is_sandbox=True))


def test_tells_blockers_from_warnings(equipped):
    campaign = make_ready(equipped, script_raw="AI of Acme Dental: {{plan}}.")
    rows = enrol(campaign, 3)
    Enrolment.objects.filter(pk=rows[0].pk).update(
        dynamic_vars={"plan": "gold", "first_name": "Ada"}
    )
    Lead.objects.filter(pk=rows[2].lead_id).update(consent_status="none")
    PhoneNumber.objects.update(resting_until=NOW + timedelta(hours=1))

    check = preflight(campaign, NOW)

    assert check.blockers == []
    assert codes(check) == ["variable_missing", "no_consent", "numbers_resting"]
    assert "1 lead has nothing for {{plan}}" in check.findings[0].sentence


def test_reserves_what_there_is_when_the_balance_is_short(acme):
    open_wallet(acme, seconds=900)
    make_number(acme)
    campaign = make_ready(acme)
    enrol(campaign, 30)

    check = preflight(campaign, NOW)

    assert codes(check) == ["balance_short"]
    assert check.reserve_seconds == 900 < check.needed_seconds
    assert check.covered_percent == 900 * 100 // check.needed_seconds


def test_ignores_leads_that_belong_to_a_launch(equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    launch(campaign, seconds=600)
    enrol(campaign, 1, start=2)

    assert preflight(campaign, NOW).counts.total == 1


def test_asks_as_many_queries_for_many_leads(equipped, django_assert_num_queries):
    campaign = make_ready(equipped)
    for start, count in ((0, 1), (1, 30)):
        enrol(campaign, count, start=start)
        campaign.refresh_from_db()
        with django_assert_num_queries(11):
            preflight(campaign, NOW)


# -- Forecast --------------------------------------------------------------------------------------


def test_trusts_history_from_200_dials_on(equipped):
    calls = [("human", 60_000)] * (HISTORY_LEAST // 2) + [("no_contact", 0)] * (HISTORY_LEAST // 2)

    assert profile_of(calls[1:]) == DEFAULT_PROFILE
    profile = profile_of([*calls, ("not_placed", 0), ("", None)])

    assert profile.is_from_history
    assert (profile.dials_count, profile.pick_up_ratio, profile.mean_seconds) == (200, 0.5, 30.0)


def test_reads_the_clients_own_calls(equipped, rival):
    campaign = make_ready(equipped)
    enrol(campaign, 1)
    for client in (equipped, rival):
        Call.objects.bulk_create(
            Call(
                client=client,
                provider_call_id=f"call_{uuid7().hex}",
                outcome_class="human" if client == equipped else "machine",
                duration_ms=60_000,
                created_at=NOW,
            )
            for _number in range(HISTORY_LEAST)
        )

    assert preflight(campaign, NOW).forecast.profile.pick_up_ratio == 1.0


@given(
    leads=st.integers(0, 100_000),
    attempts=st.integers(1, 10),
    slots=st.integers(1, 500),
    per_second=st.floats(0.1, 100),
)
def test_forecasts_soundly_for_any_list(leads, attempts, slots, per_second):
    found = forecast(
        leads=leads,
        max_attempts=attempts,
        slots=slots,
        calls_per_second=per_second,
        starts_at=NOW,
        profile=DEFAULT_PROFILE,
    )

    assert leads <= found.dials <= leads * attempts
    assert 0 <= found.seconds_low <= found.seconds <= found.seconds_high
    assert found.pick_ups <= found.dials
    assert (found.first_pass_at is None) == (leads == 0)
    if found.first_pass_at:
        assert found.first_pass_at - NOW >= timedelta(seconds=leads / per_second)


@pytest.mark.parametrize(("leads", "minutes"), [(60, 2), (600, 11)])
def test_keeps_to_the_calls_per_second_in_its_estimate(leads, minutes):
    found = forecast(
        leads=leads,
        max_attempts=1,
        slots=1000,
        calls_per_second=1,
        starts_at=NOW,
        profile=DEFAULT_PROFILE,
    )

    assert found.first_pass_at is not None
    assert found.first_pass_at < NOW + timedelta(minutes=minutes)
