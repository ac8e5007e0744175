"""The calling rules: what binds where and when, for every area code, around the clock, on the days clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from campaigns.calling_rules import (
    WEEK,
    Limits,
    all_rules,
    calling_rules,
    country_zones,
    is_holiday,
    tightened,
)
from campaigns.calling_rules.places import Place, area_codes, place_of, states, zones_allowed
from campaigns.dialling import waiting
from campaigns.dialling.candidates import rules_in
from campaigns.dialling.windows import Hours
from campaigns.rules import DialFacts, DialPolicy, DialWindow, decide
from campaigns.services.limits import NO_LIMITS
from convomono.lib.phone import time_zones

if TYPE_CHECKING:
    from campaigns.rules import Decision

TODAY = date(2026, 11, 23)
FIELDS = {
    "id",
    "version",
    "jurisdiction",
    "applies_to",
    "kind",
    "value",
    "effective_from",
    "effective_to",
    "citation",
    "sources_agree",
    "status",
    "reviewed_by",
    "reviewed_on",
}
# What the law of a state allows by the table of the product's document, in hours of a weekday; all
# others have 8 to 21. Written here a second time, so that a slip in the file is found.
HOURS = {
    **dict.fromkeys(("FL", "MD", "AL", "LA", "MS", "MA"), (8, 20)),
    **dict.fromkeys(("CT", "NV"), (9, 20)),
    **dict.fromkeys(("NM", "MN", "MI"), (9, 21)),
    "KY": (10, 21),
    "IL": (10, 20),
}
NO_SUNDAY = {"AL", "LA", "MS", "IL"}
NO_HOLIDAY = {"AL", "LA", "RI", "UT", "IL"}
ALWAYS = DialWindow(hours=Hours(WEEK, 0, 24 * 60))
DST_DAYS = {"US": ("2026-03-08", "2026-11-01"), "EU": ("2026-03-29", "2026-10-25")}
EUROPE = {
    "+442079460000": ("GB", "Europe/London"),
    "+441314960000": ("GB", "Europe/London"),
    "+447700900000": ("GB", "Europe/London"),
    "+35312345678": ("IE", "Europe/Dublin"),
    "+493012345678": ("DE", "Europe/Berlin"),
    "+33123456789": ("FR", "Europe/Paris"),
    "+34912345678": ("ES", "Europe/Madrid"),
    "+390612345678": ("IT", "Europe/Rome"),
    "+31201234567": ("NL", "Europe/Amsterdam"),
    "+48221234567": ("PL", "Europe/Warsaw"),
    "+351211234567": ("PT", "Europe/Lisbon"),
    "+3225123456": ("BE", "Europe/Brussels"),
    "+4312345678": ("AT", "Europe/Vienna"),
    "+4532123456": ("DK", "Europe/Copenhagen"),
    "+358912345678": ("FI", "Europe/Helsinki"),
    "+302101234567": ("GR", "Europe/Athens"),
    "+420212345678": ("CZ", "Europe/Prague"),
    "+3612345678": ("HU", "Europe/Budapest"),
    "+40211234567": ("RO", "Europe/Bucharest"),
    "+35921234567": ("BG", "Europe/Sofia"),
    "+46812345678": ("SE", "Europe/Stockholm"),
    "+38512345678": ("HR", "Europe/Zagreb"),
    "+35722345678": ("CY", "Asia/Nicosia"),
    "+3723212345": ("EE", "Europe/Tallinn"),
    "+37163123456": ("LV", "Europe/Riga"),
    "+37052345678": ("LT", "Europe/Vilnius"),
    "+35227123456": ("LU", "Europe/Luxembourg"),
    "+35621001234": ("MT", "Europe/Malta"),
    "+421221234567": ("SK", "Europe/Bratislava"),
    "+38612345678": ("SI", "Europe/Ljubljana"),
}
_ISLES = ("Europe/London", "Europe/Jersey", "Europe/Guernsey", "Europe/Isle_of_Man")
_POLYNESIA = ("Pacific/Tahiti", "Pacific/Marquesas", "Pacific/Gambier")
# Far from the capital, or maybe: every zone that the prefix leaves open, by the numbering plans.
FAR = {
    # The Canaries' landlines, and a mobile that may be there or on the mainland.
    "+34928123456": ("ES", ("Atlantic/Canary",)),
    "+34828123456": ("ES", ("Atlantic/Canary",)),
    "+34922123456": ("ES", ("Atlantic/Canary",)),
    "+34822123456": ("ES", ("Atlantic/Canary",)),
    "+34971123456": ("ES", ("Europe/Madrid",)),  # the Balearics
    "+34956512345": ("ES", ("Europe/Madrid",)),  # Ceuta
    "+34612345678": ("ES", ("Europe/Madrid", "Atlantic/Canary")),
    "+34712345678": ("ES", ("Europe/Madrid", "Atlantic/Canary")),
    # The Azores are an hour behind, Madeira isn't; a mobile may be anywhere.
    "+351292123456": ("PT", ("Atlantic/Azores",)),
    "+351295123456": ("PT", ("Atlantic/Azores",)),
    "+351296123456": ("PT", ("Atlantic/Azores",)),
    "+351291123456": ("PT", ("Atlantic/Madeira",)),
    "+351912345678": ("PT", ("Europe/Lisbon", "Atlantic/Azores")),
    "+351961234567": ("PT", ("Europe/Lisbon", "Atlantic/Azores")),
    # Northern Ireland and the crown dependencies.
    "+442890123456": ("GB", ("Europe/London",)),
    "+442871123456": ("GB", ("Europe/London",)),
    "+441534456789": ("JE", ("Europe/Jersey",)),
    "+441481256789": ("GG", ("Europe/Guernsey",)),
    "+441624756789": ("IM", ("Europe/Isle_of_Man",)),
    "+447797123456": ("JE", _ISLES),
    "+447781123456": ("GG", _ISLES),
    "+447924123456": ("IM", _ISLES),
    # France overseas.
    "+262262123456": ("RE", ("Indian/Reunion",)),
    "+262692123456": ("RE", ("Indian/Reunion", "Indian/Mayotte")),
    "+262269601234": ("YT", ("Indian/Mayotte",)),
    "+262639012345": ("YT", ("Indian/Reunion", "Indian/Mayotte")),
    "+590590123456": ("GP", ("America/Guadeloupe",)),
    "+590690123456": ("GP", ("America/Guadeloupe",)),
    "+590590271234": ("BL", ("America/St_Barthelemy",)),
    "+594594123456": ("GF", ("America/Cayenne",)),
    "+596596301234": ("MQ", ("America/Martinique",)),
    "+596696123456": ("MQ", ("America/Martinique",)),
    "+508410123": ("PM", ("America/Miquelon",)),
    "+681721234": ("WF", ("Pacific/Wallis",)),
    "+687261234": ("NC", ("Pacific/Noumea",)),
    "+68940412345": ("PF", _POLYNESIA),
    "+68940921234": ("PF", _POLYNESIA),  # Nuku Hiva
    "+68987123456": ("PF", _POLYNESIA),
    # Denmark's and Finland's, and Spitsbergen.
    "+298212345": ("FO", ("Atlantic/Faroe",)),
    "+35818123456": ("AX", ("Europe/Mariehamn",)),
    "+4779021234": ("SJ", ("Europe/Oslo",)),
}
# The members of the Union since 2020, by ISO 3166: written a second time, as the hours are.
MEMBERS = {
    *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
    *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
}


def ask(number: str, country: str, at: datetime, *, region: str = "", told: str = "") -> Decision:
    """Decide as the dispatcher does, for a campaign that would call at any hour."""
    zones = zones_allowed(told=told, candidates=time_zones(number))
    place = place_of(country=country, region=region, phone_number=number)
    return decide(
        facts=DialFacts(phone_number=number, country=country, zones=zones),
        policy=DialPolicy(),
        window=ALWAYS,
        rules=rules_in(place, zones=zones, limits=NO_LIMITS, now=at),
        is_sandbox=False,
        now=at,
    )


def clock_changes(region: str) -> list[datetime]:
    """Return every half hour of the days on which clocks change, in every zone's hours."""
    starts = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in DST_DAYS[region]]
    return [start + timedelta(minutes=30 * step) for start in starts for step in range(72)]


def _may(state: str, local: datetime) -> bool:
    opens, closes = HOURS.get(state, (8, 21))
    if state in NO_SUNDAY and local.weekday() == 6:
        return False
    return opens <= local.hour < closes


@pytest.mark.parametrize("state", list(states()))
def test_calls_every_area_code_in_its_hours_alone(state: str) -> None:
    codes = [code for code, owner in area_codes().items() if owner == state]
    assert codes

    for code in codes:
        number = f"+1{code}2345678"
        zones = zones_allowed(told="", candidates=time_zones(number))
        assert zones, code
        for at in clock_changes("US"):
            expected = all(_may(state, at.astimezone(ZoneInfo(zone))) for zone in zones)
            assert (ask(number, "US", at).verdict == "allow") == expected, (code, at)


@pytest.mark.parametrize("number", list(EUROPE))
def test_calls_the_uk_and_europe_in_their_hours_alone(number: str) -> None:
    country, zone = EUROPE[number]
    zones = zones_allowed(told="", candidates=time_zones(number))

    for at in clock_changes("EU"):
        # The prefix allows further zones for some; the one written here is never left out.
        expected = all(9 <= at.astimezone(ZoneInfo(one)).hour < 20 for one in {zone, *zones})
        assert (ask(number, country, at).verdict == "allow") == expected, (number, at)


@pytest.mark.parametrize("number", list(FAR))
def test_calls_islands_and_overseas_in_every_zone_that_may_be_theirs(number: str) -> None:
    country, zones = FAR[number]

    for at in [*clock_changes("EU"), *clock_changes("US")]:
        expected = all(9 <= at.astimezone(ZoneInfo(one)).hour < 20 for one in zones)
        assert (ask(number, country, at).verdict == "allow") == expected, (number, at)


@pytest.mark.parametrize("country", sorted(MEMBERS | {"GB"}))
def test_knows_the_zones_of_every_country_of_europe(country: str) -> None:
    tried = dict(EUROPE.values())
    assert set(tried) == MEMBERS | {"GB"}

    # A number whose own zone nobody knows waits for the hours of these.
    assert tried[country] in country_zones(country)
    found = calling_rules(Place(country), TODAY)
    assert found.jurisdictions == (country,)
    wanted = "uk.pecr.19" if country == "GB" else "eu.eprivacy13"
    assert wanted in found.consent_rule.split()
    for zone in found.zones:
        assert ZoneInfo(zone).key == zone


def test_lets_every_rule_of_somebody_from_anywhere_bind() -> None:
    nowhere = calling_rules(Place("US"), TODAY)

    assert (nowhere.opens_minute, nowhere.closes_minute) == (600, 1200)
    assert nowhere.weekdays == WEEK - {6}
    assert nowhere.gap_seconds == 8 * 3600
    assert place_of(country="US", region="", phone_number="+18005551234") == Place("US")


def test_lets_the_state_of_the_address_and_of_the_number_both_bind() -> None:
    place = place_of(country="US", region="connecticut", phone_number="+13055550100")

    assert place == Place("US", ("CT", "FL"))
    both = calling_rules(place, TODAY)
    assert (both.opens_minute, both.closes_minute) == (540, 1200)
    assert both.hours_rule == "us.ct.hours"
    assert place_of(country="US", region="Atlantis", phone_number="+12125550100").states == ("NY",)
    assert place_of(country="GB", region="FL", phone_number="+442079460000") == Place("GB")


def test_needs_every_zone_of_a_split_area_code_whatever_the_exchange() -> None:
    pensacola = "+18504321234"

    zones = zones_allowed(told="", candidates=time_zones(pensacola))

    assert set(zones) == {"America/New_York", "America/Chicago"}
    told = zones_allowed(told="America/Chicago", candidates=())
    assert told == ("America/Chicago",)


def test_believes_the_postal_code_of_somebody_who_moved_away_with_a_split_number() -> None:
    """Pensacola's number and a Californian address: 8:05 in Chicago is 6:05 there."""
    assert zones_allowed(told="", candidates=["America/Los_Angeles"]) == ("America/Los_Angeles",)


@pytest.mark.parametrize("state", list(states()))
def test_keeps_holidays_where_there_are_any(state: str) -> None:
    code = next(code for code, owner in area_codes().items() if owner == state)
    thanksgiving = datetime(2026, 11, 26, 20, 30, tzinfo=UTC)
    place = place_of(country="US", region="", phone_number=f"+1{code}2345678")
    zone = "America/Chicago"

    decision = decide(
        facts=DialFacts(phone_number=f"+1{code}2345678", country="US", zones=(zone,)),
        policy=DialPolicy(),
        window=ALWAYS,
        rules=rules_in(place, zones=(zone,), limits=NO_LIMITS, now=thanksgiving),
        is_sandbox=False,
        now=thanksgiving,
    )

    assert (decision.verdict == "defer") == (state in NO_HOLIDAY)
    if state in NO_HOLIDAY:
        assert decision.waiting_code == "closed_day"
        assert decision.rule_ids == (f"us.{state.lower()}.holidays",)
        assert decision.not_before is not None
        assert decision.not_before.astimezone(ZoneInfo(zone)).date() == date(2026, 11, 27)


@pytest.mark.parametrize(
    ("holiday", "day", "is_one"),
    [
        ("07-04", date(2026, 7, 4), True),
        ("07-04", date(2026, 7, 5), False),
        ("11-thu-4", date(2026, 11, 26), True),
        ("11-thu-4", date(2026, 11, 19), False),
        ("11-thu-4", date(2029, 11, 29), False),
        ("05-mon-last", date(2026, 5, 25), True),
        ("05-mon-last", date(2027, 5, 31), True),
        ("05-mon-last", date(2026, 5, 18), False),
        ("09-mon-1", date(2026, 9, 7), True),
    ],
)
def test_knows_holidays(holiday: str, day: date, is_one: bool) -> None:
    assert is_holiday((holiday,), day) == is_one


def test_looks_past_holidays_for_the_next_opening() -> None:
    # Mondays alone, where Labor Day is no calling day: a week later.
    mondays = DialWindow(hours=Hours(frozenset({0}), 9 * 60, 20 * 60))
    at = datetime(2026, 9, 7, 18, 0, tzinfo=UTC)
    zone = ("America/Chicago",)

    decision = decide(
        facts=DialFacts(phone_number="+12052345678", country="US", zones=zone),
        policy=DialPolicy(),
        window=mondays,
        rules=rules_in(Place("US", ("AL",)), zones=zone, limits=NO_LIMITS, now=at),
        is_sandbox=False,
        now=at,
    )

    assert decision.not_before == datetime(2026, 9, 14, 14, 0, tzinfo=UTC)


DATED = [rule for rule in all_rules() if rule.kind in {"hours", "days", "holidays", "cap", "gap"}]


@pytest.mark.parametrize("rule", DATED, ids=lambda rule: rule.id)
def test_applies_each_rule_from_its_day_on_and_not_before(rule) -> None:
    country, _, state = rule.jurisdiction.partition("-")
    place = Place("ZZ") if country == "*" else Place(country, (state,) if state else ("TX",))
    eve = rule.effective_from - timedelta(days=1)

    def binds(day: date) -> bool:
        found = calling_rules(place, day)
        named = f"{found.hours_rule} {found.days_rule} {found.holidays_rule} {found.gap_rule}"
        return rule.id in f"{named} {' '.join(found.cap_rules)}".split()

    assert binds(rule.effective_from)
    if not rule.id.startswith("any."):
        assert not (binds(eve) if eve > date(2003, 10, 1) or country != "US" else False)


def test_binds_where_its_day_has_begun_in_any_zone() -> None:
    # Half past one at night in New York on 1 July 2021; still June in Los Angeles.
    at = datetime(2021, 7, 1, 5, 30, tzinfo=UTC)
    florida = Place("US", ("FL",))

    east = rules_in(florida, zones=("America/New_York",), limits=NO_LIMITS, now=at)
    west = rules_in(florida, zones=("America/Los_Angeles",), limits=NO_LIMITS, now=at)

    assert east.closes_minute == 1200
    assert west.closes_minute == 1260


def test_waits_eight_hours_in_maine() -> None:
    at = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    zone = ("America/New_York",)
    facts = DialFacts(
        phone_number="+12072345678",
        country="US",
        zones=zone,
        recent_attempts=(at - timedelta(hours=5),),
    )
    rules = rules_in(Place("US", ("ME",)), zones=zone, limits=NO_LIMITS, now=at)

    decision = decide(
        facts=facts, policy=DialPolicy(), window=ALWAYS, rules=rules, is_sandbox=False, now=at
    )

    assert decision.rule_ids == ("us.me.gap",)
    assert decision.not_before == at + timedelta(hours=3)


def test_lets_a_client_tighten_and_never_loosen() -> None:
    law = calling_rules(Place("US", ("FL",)), TODAY)
    loose = Limits(opens_minute=0, closes_minute=24 * 60, calls_per_day=99, gap_seconds=0)
    tight = Limits(
        weekdays=frozenset({0, 1}),
        opens_minute=600,
        closes_minute=1080,
        calls_per_day=1,
        gap_seconds=7200,
    )

    assert tightened(law, loose) == law
    own = tightened(law, tight)
    assert (own.opens_minute, own.closes_minute) == (600, 1080)
    assert own.weekdays == {0, 1}
    assert min(cap.calls for cap in own.caps) == 1
    assert own.gap_seconds == 7200
    assert own.hours_rule.endswith(" client.hours")


def test_holds_a_clients_own_calls_in_a_week() -> None:
    at = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    zone, place = ("America/New_York",), Place("US", ("NY",))
    facts = DialFacts(
        phone_number="+12122345678",
        country="US",
        zones=zone,
        recent_attempts=(at - timedelta(days=6), at - timedelta(days=2)),
    )

    def asked(calls: int) -> Decision:
        limits = Limits(calls_per_week=calls)
        rules = rules_in(place, zones=zone, limits=limits, now=at)
        assert not calls or rules.longest_memory >= timedelta(days=7)
        return decide(
            facts=facts, policy=DialPolicy(), window=ALWAYS, rules=rules, is_sandbox=False, now=at
        )

    assert asked(0).verdict == "allow"
    assert "client.week" in asked(3).rule_ids
    stopped = asked(2)
    assert (stopped.rule_ids, stopped.waiting_code) == (("client.week",), waiting.PERSON_CAP)
    assert stopped.not_before == at + timedelta(days=1)
    law = calling_rules(place, TODAY)
    daily = min(cap.calls for cap in law.caps)
    # As many as a week's days allow, or more, is no limit of its own.
    assert tightened(law, Limits(calls_per_week=7 * daily)) == law


def test_keeps_every_field_of_every_rule_and_calls_none_reviewed() -> None:
    for rule in all_rules():
        assert set(rule.__dataclass_fields__) >= FIELDS
        assert rule.citation and rule.product, rule.id
        assert (rule.status, rule.reviewed_by, rule.reviewed_on) == ("unreviewed", None, None)
    names = [(rule.id, rule.version) for rule in all_rules()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("country", ["US", "CA", "GB", "ZZ"])
def test_has_hours_and_a_cap_for_every_country(country: str) -> None:
    found = calling_rules(Place(country, ("TX",) if country == "US" else ()), TODAY)

    assert found.opens_minute in {480, 540}
    assert [(cap.calls, cap.hours) for cap in found.caps] == [(3, 24)]
