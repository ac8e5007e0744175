"""May we call, when again, which move is allowed: the decisions, by table and by property."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from campaigns import rules
from campaigns.calling_rules import calling_rules
from campaigns.calling_rules.places import Place
from campaigns.dialling.retrying import Earlier
from campaigns.dialling.windows import Hours, is_open, next_opening
from campaigns.models import Enrolment
from campaigns.rules import DialFacts, DialPolicy, DialWindow, Verdict, decide, next_step
from telephony.rules import OUTCOMES, OutcomeClass, RetryRule, classify

if TYPE_CHECKING:
    from campaigns.calling_rules import CallingRules

MONDAY_10_NY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
WEEK = frozenset(range(7))
US = calling_rules(Place("US", ("NY",)), date(2026, 11, 23))
ZONES = ("America/New_York", "America/Chicago", "America/Los_Angeles", "Pacific/Honolulu")
FACTS = DialFacts(phone_number="+12125550100", country="US", zones=("America/New_York",))
WINDOW = DialWindow(hours=Hours(WEEK, 9 * 60, 20 * 60))


def verdict(
    facts: DialFacts = FACTS,
    *,
    now: datetime = MONDAY_10_NY,
    window: DialWindow = WINDOW,
    is_sandbox: bool = True,
    law: CallingRules = US,
    **changes: Any,
) -> rules.Decision:
    return decide(
        facts=replace(facts, **changes),
        policy=DialPolicy(),
        window=window,
        rules=law,
        is_sandbox=is_sandbox,
        now=now,
    )


def test_allows_and_says_by_which_rules() -> None:
    decision = verdict()

    assert decision.verdict == Verdict.ALLOW
    assert decision.rule_ids == (
        "us.tsr.310.4.hours",
        "any.cap",
        "person.gap",
        "us.fcc.24-17",
    )
    assert decision.inputs["zones"] == {"America/New_York": "Mon 10:00"}
    assert decision.as_json()["inputs"]["rules_version"] == "2026-11-27"


@pytest.mark.parametrize(
    ("changes", "rule", "ends_as"),
    [
        ({"suppressed_on": "agency"}, "suppressed.agency", "suppressed"),
        ({"suppressed_on": "client"}, "suppressed.client", "suppressed"),
        ({"suppressed_on": "campaign"}, "suppressed.campaign", "suppressed"),
        ({"has_consent": False}, "consent.missing", "suppressed"),
        ({"phone_number": "12125550100"}, "number.invalid", "invalid"),
        ({"phone_number": "+1"}, "number.invalid", "invalid"),
        ({"attempts_count": 3}, "attempts.cap", "exhausted"),
        ({"attempts_count": 4}, "attempts.cap", "exhausted"),
    ],
)
def test_denies_for_good(changes: dict[str, Any], rule: str, ends_as: str) -> None:
    decision = verdict(**changes)

    assert decision.verdict == Verdict.DENY
    assert (decision.rule_ids, decision.ends_as) == ((rule,), ends_as)


def test_denies_what_nobody_knows_the_hours_of() -> None:
    decision = verdict(zones=(), law=calling_rules(Place("ZZ"), date(2026, 11, 23)))

    assert (decision.verdict, decision.rule_ids) == (Verdict.DENY, ("zone.unknown",))


@pytest.mark.parametrize(
    ("utc", "zones", "expected"),
    [
        ("2026-11-23T13:59:59", ("America/New_York",), "defer"),
        ("2026-11-23T14:00:00", ("America/New_York",), "allow"),
        ("2026-11-24T00:59:59", ("America/New_York",), "allow"),
        ("2026-11-24T01:00:00", ("America/New_York",), "defer"),
        # Both zones that a number may be in have to be open.
        ("2026-11-23T15:00:00", ("America/New_York", "America/Los_Angeles"), "defer"),
        ("2026-11-23T17:00:00", ("America/New_York", "America/Los_Angeles"), "allow"),
        # An unknown zone is every zone of the country: nine in Honolulu to eight in New York.
        ("2026-11-23T18:59:59", (), "defer"),
        ("2026-11-23T19:00:00", (), "allow"),
        ("2026-11-24T00:59:59", ("Nowhere/Atlantis",), "allow"),
        ("2026-11-24T01:00:00", (), "defer"),
    ],
)
def test_keeps_hours_in_every_zone(utc: str, zones: tuple[str, ...], expected: str) -> None:
    decision = verdict(zones=zones, now=datetime.fromisoformat(utc).replace(tzinfo=UTC))

    assert decision.verdict == expected
    if expected == "defer":
        assert decision.waiting_code == "window"
        assert decision.not_before is not None


def test_lets_a_client_only_tighten_the_hours_of_the_law() -> None:
    night = DialWindow(hours=Hours(WEEK, 0, 24 * 60))
    early = verdict(window=night, now=datetime(2026, 11, 23, 13, 30, tzinfo=UTC))
    noon = DialWindow(hours=Hours(WEEK, 12 * 60, 13 * 60))

    assert early.verdict == "allow"  # 8:30: the law allows it
    assert verdict(window=night, now=MONDAY_10_NY - timedelta(hours=3)).rule_ids == (
        "us.tsr.310.4.hours",
    )
    assert verdict(window=noon).rule_ids == ("campaign.hours",)
    assert verdict(window=noon).not_before == datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def test_keeps_weekdays() -> None:
    tuesdays = DialWindow(hours=Hours(frozenset({1}), 9 * 60, 20 * 60))

    assert verdict(window=tuesdays).not_before == datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def test_says_when_no_hour_is_open_anywhere_at_once() -> None:
    mornings = DialWindow(hours=Hours(WEEK, 9 * 60, 12 * 60))
    decision = verdict(zones=("America/New_York", "America/Los_Angeles"), window=mornings)

    assert decision.waiting_code == "never_open"
    assert decision.not_before == MONDAY_10_NY + timedelta(days=1)


@pytest.mark.parametrize(
    ("number", "is_sandbox", "expected"),
    [
        ("+12125550100", True, "allow"),
        ("+12125550199", True, "allow"),
        ("+12125550100", False, "defer"),
        ("+12125551234", True, "defer"),
        ("+442055501000", True, "defer"),
    ],
)
def test_any_hour_is_for_fictional_numbers_in_the_sandbox(
    number: str, is_sandbox: bool, expected: str
) -> None:
    night = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    window = replace(WINDOW, is_any_hour=True)

    decision = verdict(phone_number=number, now=night, window=window, is_sandbox=is_sandbox)

    assert decision.verdict == expected


def test_leaves_a_gap_between_two_calls_to_one_person() -> None:
    just = MONDAY_10_NY - timedelta(minutes=15) + timedelta(milliseconds=1)
    decision = verdict(recent_attempts=(just,))

    assert decision.waiting_code == "person_gap"
    assert decision.not_before == just + timedelta(minutes=15)
    assert verdict(recent_attempts=(MONDAY_10_NY - timedelta(minutes=15),)).verdict == "allow"


def test_calls_a_person_three_times_a_day_at_most() -> None:
    calls = tuple(MONDAY_10_NY - timedelta(hours=hours) for hours in (1, 5, 23))
    decision = verdict(recent_attempts=calls)

    assert decision.waiting_code == "person_cap"
    assert decision.not_before == MONDAY_10_NY + timedelta(hours=1)
    older = (*calls[:2], MONDAY_10_NY - timedelta(hours=24))
    assert verdict(recent_attempts=older).verdict == "allow"


def test_lets_the_latest_of_several_reasons_bind() -> None:
    late = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)  # 21:00: closed until 9:00
    decision = verdict(now=late, recent_attempts=(late - timedelta(minutes=1),))

    assert decision.rule_ids == ("person.gap", "us.tsr.310.4.hours")
    assert (decision.waiting_code, decision.not_before) == (
        "window",
        datetime(2026, 11, 24, 14, 0, tzinfo=UTC),
    )


@settings(max_examples=300, deadline=None)
@given(
    minutes=st.integers(0, 2 * 365 * 24 * 60),
    zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=4, unique=True),
)
def test_never_calls_outside_hours_anywhere(minutes: int, zones: list[str]) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    decision = verdict(zones=tuple(zones), now=at)

    local = [at.astimezone(ZoneInfo(zone)) for zone in zones]
    assert (decision.verdict == "allow") == all(9 <= one.hour < 20 for one in local)
    if decision.verdict == "defer":
        assert decision.not_before is not None and decision.not_before > at
        assert verdict(zones=tuple(zones), now=decision.not_before).verdict == "allow"
        earlier = decision.not_before - timedelta(seconds=1)
        assert verdict(zones=tuple(zones), now=earlier).verdict == "defer"


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)])
@pytest.mark.parametrize("zone", ["America/New_York", "America/Phoenix", "Europe/London"])
def test_keeps_wall_clock_hours_when_clocks_change(day: date, zone: str) -> None:
    hours = Hours(WEEK, 9 * 60, 20 * 60)
    start = datetime.combine(day - timedelta(days=1), datetime.min.time(), UTC)

    for minutes in range(0, 3 * 24 * 60, 10):
        at = start + timedelta(minutes=minutes)
        local = at.astimezone(ZoneInfo(zone))
        assert is_open(hours=hours, zones=[zone], at=at) == (9 <= local.hour < 20)


def test_opens_on_the_other_side_of_an_hour_that_does_not_exist() -> None:
    # On 8 March 2026 clocks in New York jump from 2:00 to 3:00.
    hours = Hours(WEEK, 150, 240)
    before = datetime(2026, 3, 8, 5, 0, tzinfo=UTC)

    opening = next_opening(hours=hours, zones=["America/New_York"], after=before)

    assert opening == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


def test_never_opens_with_hours_out_of_the_day() -> None:
    hours = Hours(WEEK, 24 * 60, 25 * 60)

    assert next_opening(hours=hours, zones=["Europe/Rome"], after=MONDAY_10_NY) is None


# What follows from a call


def step_after(reason: str, *, attempts: int = 1, had: bool = False, **call: Any) -> str:
    outcome = classify(
        disconnection_reason=reason,
        **{
            "user_spoke": False,
            "in_voicemail": None,
            "duration_ms": 0,
            "call_status": "not_connected",
            **call,
        },
    )
    step = next_step(
        outcome=outcome,
        policy=DialPolicy(),
        attempts_count=attempts,
        had_same_reason=had,
        ended_at=MONDAY_10_NY,
    )
    if step.next_attempt_at is None:
        return step.status
    minutes = (step.next_attempt_at - MONDAY_10_NY).total_seconds() / 60
    return f"{step.status} {minutes:g}"


@pytest.mark.parametrize(
    ("reason", "attempts", "had", "expected"),
    [
        ("user_hangup", 1, False, "done"),
        ("user_requested_dnc", 1, False, "suppressed"),
        ("invalid_destination", 0, False, "invalid"),
        ("dial_busy", 1, False, "queued 20"),
        ("dial_busy", 3, False, "exhausted"),
        ("dial_no_answer", 2, False, "queued 240"),
        ("voicemail_reached", 1, False, "queued 1440"),
        ("user_declined", 1, False, "queued 1440"),
        ("dial_failed", 1, False, "queued 240"),
        ("dial_failed", 2, True, "exhausted"),
        ("error_retell", 1, False, "queued 15"),
        ("error_retell", 2, True, "exhausted"),
        ("registered_call_timeout", 1, False, "exhausted"),
        ("scam_detected", 1, False, "exhausted"),
        ("marked_as_spam", 1, False, "queued 240"),
        ("concurrency_limit_reached", 3, False, "queued 1"),
        ("no_valid_payment", 3, False, "queued 1"),
        ("a_reason_of_next_year", 1, False, "queued 15"),
    ],
)
def test_says_what_follows(reason: str, attempts: int, had: bool, expected: str) -> None:
    assert step_after(reason, attempts=attempts, had=had) == expected


@pytest.mark.parametrize("reason", [*OUTCOMES, "unheard_of", ""])
@pytest.mark.parametrize("attempts", [0, 1, 2, 3, 9])
@pytest.mark.parametrize("voicemail", [None, True])
def test_never_retries_beyond_the_cap_nor_who_was_reached(
    reason: str, attempts: int, voicemail: bool | None
) -> None:
    outcome = classify(
        disconnection_reason=reason,
        user_spoke=False,
        in_voicemail=voicemail,
        duration_ms=10_000,
        call_status="ended",
    )
    step = next_step(
        outcome=outcome,
        policy=DialPolicy(),
        attempts_count=attempts,
        had_same_reason=False,
        ended_at=MONDAY_10_NY,
    )
    if step.status == "queued":
        assert outcome.outcome_class != OutcomeClass.HUMAN
        assert outcome.retry != RetryRule.NEVER
        assert attempts < 3 or not outcome.counts_attempt
        assert step.next_attempt_at is not None and step.next_attempt_at > MONDAY_10_NY
    else:
        assert step.next_attempt_at is None


def test_knows_every_status_and_no_way_back_from_a_do_not_call() -> None:
    assert set(rules.MOVES) == set(Enrolment.Status.values)
    assert {after for moves in rules.MOVES.values() for after in moves} <= set(rules.MOVES)
    assert not rules.MOVES["suppressed"]
    assert not any(rules.may_move(end, "dialling") for end in rules.MOVES if end != "queued")
    assert not rules.may_move("unheard_of", "done")


def test_has_a_sentence_for_every_code() -> None:
    for code in rules.WAITING:
        sentence = rules.waiting_sentence(
            code, until="14:00", facts={"used": 3, "limit": 20, "own": 1}
        )
        assert sentence and "%(" not in sentence
    assert rules.waiting_sentence("window", until="14:00", facts={}).endswith("at 14:00.")
    assert rules.waiting_sentence("", facts={}) == ""
    assert rules.waiting_sentence("of_next_year", facts={}) == ""


@pytest.mark.parametrize("hours", [None, Hours(WEEK, 9 * 60, 20 * 60)])
@pytest.mark.parametrize("is_business_days", [True, False])
def test_keeps_retries_off_weekends_where_the_campaign_asks_for_it(
    is_business_days: bool, hours: Hours | None
) -> None:
    friday = datetime(2026, 11, 27, 20, 0, tzinfo=UTC)  # 15:00 in New York
    step = next_step(
        outcome=classify(
            disconnection_reason="voicemail_reached",
            user_spoke=False,
            in_voicemail=None,
            duration_ms=0,
            call_status="ended",
        ),
        policy=DialPolicy(is_business_days=is_business_days, is_other_time_of_day=True),
        attempts_count=1,
        had_same_reason=False,
        ended_at=friday,
        earlier=Earlier(zone="America/New_York", called_at=(friday,)),
        hours=hours,
    )

    assert step.next_attempt_at is not None
    day = step.next_attempt_at.astimezone(ZoneInfo("America/New_York"))
    assert (day.weekday() in {5, 6}) is not is_business_days


SATURDAY_10_NY = datetime(2026, 11, 28, 15, 0, tzinfo=UTC)
ALL_WEEK = DialWindow(hours=Hours(WEEK, 9 * 60, 20 * 60))
WEEKEND_ONLY = DialWindow(hours=Hours(frozenset({5, 6}), 9 * 60, 20 * 60))


@pytest.mark.parametrize(
    ("policy", "window", "facts", "is_allowed"),
    [
        ({"is_business_days": True}, ALL_WEEK, {"attempts_count": 1}, False),
        ({"is_business_days": False}, ALL_WEEK, {"attempts_count": 1}, True),
        # The first call of a campaign that calls on Saturdays, and the call they asked for.
        ({"is_business_days": True}, ALL_WEEK, {"attempts_count": 0}, True),
        ({"is_business_days": True}, ALL_WEEK, {"attempts_count": 1, "is_callback": True}, True),
        # Nothing would be left of its hours.
        ({"is_business_days": True}, WEEKEND_ONLY, {"attempts_count": 1}, True),
    ],
)
def test_makes_no_retry_on_a_weekend_however_it_came_to_be_due_then(
    policy: dict[str, Any], window: DialWindow, facts: dict[str, Any], is_allowed: bool
) -> None:
    decision = decide(
        facts=replace(FACTS, **facts),
        policy=DialPolicy(**policy),
        window=window,
        rules=US,
        is_sandbox=True,
        now=SATURDAY_10_NY,
    )

    assert (decision.verdict == Verdict.ALLOW) is is_allowed
    if not is_allowed:
        assert decision.rule_ids == ("campaign.weekend",)
        assert decision.waiting_code == "closed_day"
        assert decision.not_before == datetime(2026, 11, 30, 14, 0, tzinfo=UTC)  # Monday, 9:00


@pytest.mark.parametrize(
    ("reason", "is_kept"),
    [("concurrency_limit_reached", True), ("dial_no_answer", False), ("user_hangup", False)],
)
def test_keeps_a_promised_call_that_was_not_placed(reason: str, is_kept: bool) -> None:
    step = next_step(
        outcome=classify(
            disconnection_reason=reason,
            user_spoke=False,
            in_voicemail=None,
            duration_ms=0,
            call_status="not_connected",
        ),
        policy=DialPolicy(),
        attempts_count=1,
        had_same_reason=False,
        ended_at=MONDAY_10_NY,
        earlier=Earlier(promised_at=MONDAY_10_NY),
    )

    assert step.callback_at == (MONDAY_10_NY if is_kept else None)
