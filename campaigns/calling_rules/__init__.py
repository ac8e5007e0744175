"""Calling rules as dated data: the hours, days and number of calls that bind a dial to one place."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from campaigns.calling_rules.places import jurisdictions
from telephony.disclosure import AI, RECORDING

if TYPE_CHECKING:
    from campaigns.calling_rules.places import Place

_FILE = Path(__file__).with_name("rules.json")
ANYWHERE = "*"
WEEK_DAYS, DAY_HOURS = 7, 24
WEEK = frozenset(range(WEEK_DAYS))
DAY_MINUTES = DAY_HOURS * 60
_NOTICES = {"says_ai": AI, "recording_notice": RECORDING}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

type Kind = Literal[
    "hours",
    "days",
    "holidays",
    "cap",
    "gap",
    "consent",
    "disclosure",
    "abandonment",
    "registry_age",
    "retention",
    "optout",
]


@dataclass(frozen=True, kw_only=True)
class CallingRule:
    """
    One line of the file; `jurisdiction` is "US", "US-FL", "EU", a country, or "*" where no other is.

    `effective_to` is the first day on which it no longer holds. `product` says what the product does
    about it. It is unreviewed until a person with the permission for it says otherwise.
    """

    id: str
    version: int
    jurisdiction: str
    applies_to: str
    kind: Kind
    value: dict[str, Any]
    effective_from: date
    effective_to: date | None
    citation: str
    sources_agree: bool
    status: str
    reviewed_by: str | None
    reviewed_on: date | None
    product: str

    def is_in_force(self, *, first: date, last: date) -> bool:
        """Tell whether it holds on any of these days."""
        return self.effective_from <= last and (self.effective_to or date.max) > first


@dataclass(frozen=True, kw_only=True)
class Cap:
    """At most so many calls to a person within so many hours, by anybody."""

    rule_id: str
    calls: int
    hours: int


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a client sets for all its campaigns; only what is tighter than the rules has an effect."""

    weekdays: frozenset[int] = WEEK
    opens_minute: int = 0
    closes_minute: int = DAY_MINUTES
    calls_per_day: int = 0  # 0: no cap of its own
    calls_per_week: int = 0
    gap_seconds: int = 0


@dataclass(frozen=True, kw_only=True)
class CallingRules:
    """
    What binds a dial to one place; a client's own limits and hours may only be tighter.

    Minutes count from local midnight, `closes_minute` excluded. The `…_rule` fields name the lines
    that bind (empty: none), `version` the file. `zones` are the country's, for a number whose own
    zone nobody knows.
    """

    version: str
    country: str
    jurisdictions: tuple[str, ...]
    hours_rule: str
    opens_minute: int
    closes_minute: int
    days_rule: str = ""
    weekdays: frozenset[int] = WEEK
    holidays_rule: str = ""
    holidays: tuple[str, ...] = ()
    caps: tuple[Cap, ...] = ()
    gap_rule: str = ""
    gap_seconds: int = 0
    consent_rule: str = ""
    notices_rule: str = ""
    notices: tuple[
        str, ...
    ] = ()  # what is said first besides the caller's name: `telephony.disclosure`
    zones: tuple[str, ...] = ()

    @property
    def cap_rules(self) -> tuple[str, ...]:
        return tuple(cap.rule_id for cap in self.caps)

    @property
    def longest_memory(self) -> timedelta:
        """How far back calls to a person matter."""
        hours = max((cap.hours for cap in self.caps), default=24)
        return max(timedelta(hours=max(hours, 24)), timedelta(seconds=self.gap_seconds))


@lru_cache(maxsize=4096)
def calling_rules(place: Place, first: date, last: date | None = None) -> CallingRules:
    """
    Return what binds calls to a place on the days from `first` to `last` (the same day without one).

    Of several lines of one kind the strictest binds; closed days add up. A kind without a line of
    the place's own gets the file's general one.
    """
    lines = _binding(place, first, last or first)
    hours = _of_kind(lines, "hours")
    opens = max(hours, key=lambda one: (one.value["opens_minute"], one.id))
    closes = min(hours, key=lambda one: (one.value["closes_minute"], one.id))
    days, holidays = _of_kind(lines, "days"), _of_kind(lines, "holidays")
    gaps = _of_kind(lines, "gap")
    gap = max(gaps, key=lambda one: (one.value["seconds"], one.id), default=None)
    weekdays = WEEK
    for one in days:
        weekdays &= frozenset(one.value["weekdays"])
    return CallingRules(
        version=rules_version(),
        country=place.country,
        jurisdictions=jurisdictions(place) if place.states else (place.country,),
        hours_rule=_names([opens, closes]),
        opens_minute=opens.value["opens_minute"],
        closes_minute=closes.value["closes_minute"],
        days_rule=_names(days),
        weekdays=weekdays,
        holidays_rule=_names(holidays),
        holidays=tuple(sorted({day for one in holidays for day in one.value["days"]})),
        caps=_tightest(_of_kind(lines, "cap")),
        gap_rule=gap.id if gap else "",
        gap_seconds=gap.value["seconds"] if gap else 0,
        consent_rule=_names(_of_kind(lines, "consent")),
        notices_rule=_names([one for one in lines if _notices([one])]),
        notices=_notices(lines),
        zones=country_zones(place.country),
    )


def find_rule(rule_id: str) -> CallingRule | None:
    """Return the newest version of a line of the file; None if this edition has no such."""
    found = [rule for rule in all_rules() if rule.id == rule_id]
    return max(found, key=lambda rule: rule.version, default=None)


@lru_cache(maxsize=4096)
def tightened(rules: CallingRules, limits: Limits) -> CallingRules:
    """Return the rules with a client's own limits where those are tighter; the client's are named."""
    changes: dict[str, Any] = {}
    opens = max(rules.opens_minute, limits.opens_minute)
    closes = min(rules.closes_minute, limits.closes_minute)
    if (opens, closes) != (rules.opens_minute, rules.closes_minute):
        changes |= {"opens_minute": opens, "closes_minute": closes}
        changes["hours_rule"] = f"{rules.hours_rule} client.hours"
    if not rules.weekdays <= limits.weekdays:
        changes["weekdays"] = rules.weekdays & limits.weekdays
        changes["days_rule"] = f"{rules.days_rule} client.days".strip()
    if own := _own_caps(rules, limits):
        changes["caps"] = (*rules.caps, *own)
    if limits.gap_seconds > rules.gap_seconds:
        changes |= {"gap_seconds": limits.gap_seconds, "gap_rule": "client.gap"}
    return replace(rules, **changes)


def _own_caps(rules: CallingRules, limits: Limits) -> list[Cap]:
    """Return a client's caps that are tighter than what binds anyway."""
    own = []
    daily = min((cap.calls for cap in rules.caps), default=DAY_MINUTES)
    if 0 < limits.calls_per_day < daily:
        daily = limits.calls_per_day
        own.append(Cap(rule_id="client.cap", calls=daily, hours=DAY_HOURS))
    if 0 < limits.calls_per_week < WEEK_DAYS * daily:
        own.append(
            Cap(
                rule_id="client.week",
                calls=limits.calls_per_week,
                hours=WEEK_DAYS * DAY_HOURS,
            )
        )
    return own


@cache
def all_rules() -> tuple[CallingRule, ...]:
    """Return every line of the file, in its order."""
    return tuple(
        CallingRule(
            **{
                **row,
                "effective_from": date.fromisoformat(row["effective_from"]),
                "effective_to": _day(row["effective_to"]),
                "reviewed_on": _day(row["reviewed_on"]),
            }
        )
        for row in _load()["rules"]
    )


def country_zones(country: str) -> tuple[str, ...]:
    """Return the zones of a country, for a number whose own nobody knows; empty if none are on file."""
    return tuple(_load()["zones"].get(country, ()))


def rules_version() -> str:
    """Return the file's version, as each decision keeps it."""
    return str(_load()["version"])


@lru_cache(maxsize=4096)
def is_holiday(holidays: tuple[str, ...], day: date) -> bool:
    """Tell whether a day is one of these: "07-04", "11-thu-4" (the fourth), "05-mon-last"."""
    return any(_is_that_day(one, day) for one in holidays)


def _is_that_day(holiday: str, day: date) -> bool:
    month, _, rest = holiday.partition("-")
    if int(month) != day.month:
        return False
    weekday, _, which = rest.partition("-")
    if not which:
        return int(rest) == day.day
    if _WEEKDAYS[day.weekday()] != weekday:
        return False
    if which == "last":
        return (day + timedelta(days=7)).month != day.month
    return (day.day - 1) // 7 + 1 == int(which)


def _binding(place: Place, first: date, last: date) -> list[CallingRule]:
    """Return the lines in force for a place, and the general ones of kinds it has none of."""
    dated = [rule for rule in all_rules() if rule.is_in_force(first=first, last=last)]
    names = set(jurisdictions(place))
    own = [rule for rule in dated if rule.jurisdiction in names]
    kinds = {rule.kind for rule in own}
    return own + [
        rule for rule in dated if rule.jurisdiction == ANYWHERE and rule.kind not in kinds
    ]


def _of_kind(lines: list[CallingRule], kind: Kind) -> list[CallingRule]:
    return [rule for rule in lines if rule.kind == kind]


def _notices(lines: list[CallingRule]) -> tuple[str, ...]:
    """Return what lines want said at the start of a call besides who calls."""
    asked = [rule.value for rule in _of_kind(lines, "disclosure")]
    return tuple(
        notice for name, notice in _NOTICES.items() if any(value.get(name) for value in asked)
    )


def _names(lines: list[CallingRule]) -> str:
    return " ".join(sorted({rule.id for rule in lines}))


def _tightest(lines: list[CallingRule]) -> tuple[Cap, ...]:
    """Return the caps, of each length the smallest."""
    found: dict[int, Cap] = {}
    for rule in sorted(lines, key=lambda one: (one.value["calls"], one.id)):
        cap = Cap(rule_id=rule.id, calls=rule.value["calls"], hours=rule.value["hours"])
        found.setdefault(cap.hours, cap)
    return tuple(found.values())


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


@cache
def _load() -> dict[str, Any]:
    return dict(json.loads(_FILE.read_text(encoding="utf-8")))
