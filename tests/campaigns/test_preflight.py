"""The check before a launch: who is called when, what it takes, what stands in the way."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from campaigns.dialling.windows import Hours
from campaigns.forecast import (
    DEFAULT_PROFILE,
    HISTORY_LEAST,
    Pace,
    forecast,
    profile_of,
    talk_load,
)
from campaigns.lead_counts import count_leads
from campaigns.models import Campaign, CampaignVersion, Enrolment, SafetyPolicy, TrialCall
from campaigns.preflight import preflight
from campaigns.services import lifecycle
from campaigns.services.stopping import stop_dialling
from campaigns.timetable import PlaceGroup
from convomono.lib.ids import uuid7
from leads.models import Lead
from leads.services import suppress
from telephony.models import Call, PhoneNumber
from tests.factories.billing import open_wallet
from tests.factories.campaigns import NOW, TESTS, enrol, launch, make_number, make_ready

NIGHT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)  # Tuesday, 3:00 in New York, 0:00 in Los Angeles


def codes(check):
    # No campaign of these tests was tried on a phone.
    return [finding.code for finding in check.findings if finding.code != "not_tried"]


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


@pytest.mark.parametrize("is_for_all", [True, False])
def test_says_that_calling_is_stopped_and_who_can_resume_it(equipped, is_for_all):
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    stopped = None if is_for_all else equipped
    stop_dialling(client=stopped, reason="Complaints.", actor=TESTS, now=NOW)

    check = preflight(campaign, NOW)

    assert check.blockers == []
    assert codes(check) == ["stopped_all" if is_for_all else "stopped_client"]
    assert "dials nobody until then: ask your agency" in check.findings[0].sentence


def test_goes_by_the_gate_of_its_own_client(equipped, rival):
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    stop_dialling(client=rival, reason="Complaints.", actor=TESTS, now=NOW)

    assert codes(preflight(campaign, NOW)) == []


def test_launches_nothing_of_an_inactive_account(alice, equipped):
    enrol(make_ready(equipped), 2)
    equipped.status = "inactive"
    equipped.save()
    campaign = Campaign.objects.get()

    [finding] = preflight(campaign, NOW).blockers
    assert (finding.code, finding.sentence) == (
        "client_inactive",
        "The account is inactive. Ask the agency to activate it.",
    )
    with pytest.raises(lifecycle.LaunchRefused):
        lifecycle.launch_campaign(campaign=campaign, launch_key=uuid7(), actor=alice, now=NOW)


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


def test_wants_each_version_to_be_heard_on_a_phone_first(equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 1)

    def found(check):
        return [one for one in check.findings if one.code == "not_tried"]

    [finding] = found(preflight(campaign, NOW))
    assert (finding.severity, finding.fix) == ("warning", "try")
    version = CampaignVersion.objects.get()
    TrialCall.objects.create(
        client=equipped,
        campaign=campaign,
        version_id=version.pk,
        key=uuid7(),
        phone_number="+12125550100",
        from_number="+12125550199",
        status="refused",
        created_at=NOW,
    )
    assert found(preflight(campaign, NOW))  # nobody heard it
    TrialCall.objects.update(status="placed")
    assert not found(preflight(campaign, NOW))
    TrialCall.objects.update(version_id=uuid7())  # an earlier version
    assert found(preflight(campaign, NOW))


def ends_at(campaign):
    at = preflight(campaign, NOW).forecast.ends_at
    assert at is not None
    return at


def test_follows_a_new_number_through_the_days_in_which_it_warms_up(equipped):
    campaign = make_ready(equipped, weekdays=tuple(range(7)), max_attempts=1)
    enrol(campaign, 100)
    free_until = ends_at(campaign)
    PhoneNumber.objects.update(warming_from=NOW.date(), used_on=NOW.date(), used_count=5)

    check = preflight(campaign, NOW)

    [capped] = [one for one in check.findings if one.code == "numbers_capped"]
    assert "may make 15 calls more today" in capped.sentence
    # 15, 30, 45 on the next UTC days, of which the second begins at 19:00 in New York; ten are left.
    assert check.forecast.dials_today == 45
    assert free_until < NOW + timedelta(hours=1)
    assert (ends_at(campaign).date() - NOW.date()).days == 3
    make_number(equipped, "+12125550111")  # one without a cap: nothing holds it up
    assert codes(preflight(campaign, NOW)) == []
    assert ends_at(campaign) == free_until


def test_knows_the_speed_that_a_campaign_was_given(equipped):
    campaign = make_ready(equipped, weekdays=tuple(range(7)), max_attempts=1)
    enrol(campaign, 60)
    SafetyPolicy.objects.create(client=equipped, campaign=campaign, calls_per_minute=1)

    assert timedelta(minutes=60) <= ends_at(campaign) - NOW < timedelta(minutes=62)
    PhoneNumber.objects.update(concurrency_limit=1)
    SafetyPolicy.objects.all().delete()
    # A dial takes 18 seconds of ringing and 23.5 of talk.
    assert timedelta(minutes=40) < ends_at(campaign) - NOW < timedelta(minutes=44)


def test_asks_as_many_queries_for_many_leads(equipped, django_assert_num_queries):
    campaign = make_ready(equipped)
    for start, count in ((0, 1), (1, 30)):
        enrol(campaign, count, start=start)
        campaign.refresh_from_db()
        with django_assert_num_queries(17):
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


ANY_HOUR = ("America/New_York",), None
NINE_TO_FIVE = Hours(frozenset(range(5)), 9 * 60, 17 * 60)
PAUSES = (20 * 60, 4 * 3600, 24 * 3600, 24 * 3600, 15 * 60)


def expect(groups, *, attempts=1, slots=1000, per_second=1.0, profile=DEFAULT_PROFILE):
    places = [PlaceGroup(zones, hours, count) for (zones, hours), count in groups]
    pace = Pace(
        slots=slots,
        calls_per_second=per_second,
        starts_at=NOW,
        today_ends=NOW + timedelta(hours=14),
        max_attempts=attempts,
        pauses=PAUSES,
    )
    return forecast(groups=places, pace=pace, profile=profile)


@given(
    leads=st.integers(0, 100_000),
    attempts=st.integers(1, 10),
    slots=st.integers(1, 500),
    per_second=st.floats(0.1, 100),
)
@settings(max_examples=60, deadline=None)
def test_forecasts_soundly_for_any_list(leads, attempts, slots, per_second):
    found = expect([(ANY_HOUR, leads)], attempts=attempts, slots=slots, per_second=per_second)

    assert leads <= found.dials <= leads * attempts
    assert 0 <= found.seconds_low <= found.seconds <= found.seconds_high
    assert found.pick_ups <= found.dials
    assert found.dials_today <= found.dials + 1
    if leads == 0:
        assert (found.first_pass_at, found.ends_at) == (None, None)
    if found.first_pass_at:
        assert found.first_pass_at - NOW >= timedelta(seconds=leads / per_second)
    if found.ends_at:
        assert found.first_pass_at <= found.ends_at
    elif leads:  # never without a cause
        assert leads * attempts / min(per_second, slots / 45) > 30 * 24 * 3600 or attempts > 1


def test_ends_with_the_last_try(equipped):
    once = expect([(ANY_HOUR, 100)])
    thrice = expect([(ANY_HOUR, 100)], attempts=3)

    assert once.ends_at == once.first_pass_at
    # Voicemail waits a day, twice.
    assert timedelta(days=2) <= thrice.ends_at - NOW < timedelta(days=2, hours=3)
    assert thrice.first_pass_at == once.first_pass_at
    assert 100 < thrice.dials_today < thrice.dials


def test_goes_on_with_the_tries_that_were_made():
    """Of leads in line some were tried before, and some are called again at a time."""
    pace = Pace(
        slots=1000,
        calls_per_second=1.0,
        starts_at=NOW,
        today_ends=NOW + timedelta(hours=14),
        max_attempts=3,
        pauses=PAUSES,
    )

    def after(*groups):
        return forecast(groups=groups, pace=pace, profile=DEFAULT_PROFILE)

    last = after(PlaceGroup(*ANY_HOUR, 100, attempt=3))
    assert (last.dials, last.dials_today) == (100, 100)
    assert last.first_pass_at is not None and last.ends_at < NOW + timedelta(minutes=10)
    more = after(PlaceGroup(*ANY_HOUR, 100, attempt=9))  # asked to be called back once more
    assert more.dials == 100

    at = NOW + timedelta(hours=7)
    later = after(
        PlaceGroup(*ANY_HOUR, 100, attempt=3), PlaceGroup(*ANY_HOUR, 50, attempt=3, due_at=at)
    )
    assert at < later.ends_at < at + timedelta(minutes=40)
    untried = after(PlaceGroup(*ANY_HOUR, 50, due_at=at))
    assert untried.first_pass_at > at
    assert untried.seconds < after(PlaceGroup(*ANY_HOUR, 100, due_at=at)).seconds


def test_waits_for_the_hours_of_each_place_and_skips_the_weekend():
    # Monday 10:00 in New York, where 200 leads live; 100 more in Honolulu, where it is 5:00.
    hours = [((("America/New_York",), NINE_TO_FIVE), 200)]
    far = [((("Pacific/Honolulu",), NINE_TO_FIVE), 100)]

    assert expect(hours).ends_at < NOW + timedelta(minutes=5)
    both = expect(hours + far)
    assert NOW + timedelta(hours=4) < both.first_pass_at < NOW + timedelta(hours=4, minutes=5)
    # 7 hours of 8 leads a minute don't do for a week's worth.
    slow = expect([((("America/New_York",), NINE_TO_FIVE), 8 * 60 * 39)], per_second=8 / 60)
    assert slow.ends_at.astimezone(ZoneInfo("America/New_York")).strftime("%a %H") == "Fri 17"
    longer = expect([((("America/New_York",), NINE_TO_FIVE), 8 * 60 * 41)], per_second=8 / 60)
    assert longer.ends_at.astimezone(ZoneInfo("America/New_York")).strftime("%a") == "Mon"
    assert slow.dials_today == 8 * 60 * 7


def test_names_no_end_beyond_its_horizon():
    found = expect([(ANY_HOUR, 100_000)], per_second=0.01)

    assert (found.first_pass_at, found.ends_at) == (None, None)


def test_holds_its_band_four_times_in_five():
    """The back-test: history and launch are drawn alike; the band was made of the history alone."""
    draw = random.Random(7)  # noqa: S311 - a draw that repeats
    held, runs = 0, 400
    for _run in range(runs):
        profile = profile_of([_dial(draw) for _number in range(600)])
        band = talk_load(leads_by_tries={3: 250}, profile=profile)
        talked = 0.0
        for _lead in range(250):
            for _attempt in range(3):
                outcome, duration_ms = _dial(draw)
                talked += duration_ms / 1000
                if outcome == "human":
                    break
        held += band.seconds_low <= talked <= band.seconds_high

    assert 0.75 <= held / runs <= 0.85


def _dial(draw):
    """Draw one dial as the sandbox does: three of ten answer and talk, log-normal."""
    chance = draw.random()
    if chance < 0.30:
        return "human", int(1000 * min(300.0, draw.lognormvariate(3.8, 0.9)))
    return ("machine", 9_000) if chance < 0.68 else ("no_contact", 0)


@pytest.mark.parametrize(("leads", "minutes"), [(60, 2), (600, 11)])
def test_keeps_to_the_calls_per_second_in_its_estimate(leads, minutes):
    found = expect([(ANY_HOUR, leads)])

    assert found.first_pass_at is not None
    assert found.first_pass_at < NOW + timedelta(minutes=minutes)
