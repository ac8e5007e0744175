"""The leads that wait for a launch, each counted once, by what becomes of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns import script
from campaigns.calling_rules.places import Place, place_of, zones_allowed
from campaigns.dialling.candidates import rules_in
from campaigns.dialling.windows import Hours
from campaigns.rules import DialFacts, DialPolicy, DialWindow, Verdict, decide
from campaigns.services.launching import waiting_leads
from campaigns.services.limits import client_limits
from campaigns.timetable import PlaceGroup
from convomono.lib.phone import is_fictional
from leads.models import Lead
from leads.services import suppressed_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from campaigns.models import Campaign, Enrolment

_CHUNK = 1000


@dataclass(frozen=True)
class ZoneWait:
    """Leads who can't be called yet: how many, where they may live, when their hours open."""

    zones: tuple[str, ...]
    count: int
    opens_at: datetime | None


@dataclass(frozen=True)
class LeadCounts:
    """The leads that wait for a launch, each counted once, by what becomes of them."""

    total: int = 0
    suppressed: int = 0
    invalid: int = 0
    no_consent: int = 0
    callable_now: int = 0
    waits: tuple[ZoneWait, ...] = ()
    without_variable: tuple[tuple[str, int], ...] = ()  # callable ones that can't fill a variable
    groups: tuple[PlaceGroup, ...] = ()  # the callable ones by the hours that hold for them
    has_real_number: bool = False  # one that isn't kept for fiction

    @property
    def waiting(self) -> int:
        return sum(wait.count for wait in self.waits)

    @property
    def callable(self) -> int:
        """Leads that will be called, now or when their hours open."""
        return self.callable_now + self.waiting


def count_leads(campaign: Campaign, now: datetime, *, is_sandbox: bool) -> LeadCounts:
    """Sort the leads that wait for a launch by what becomes of them, with the dispatcher's rules."""
    names = script.own_variables(campaign.opening_line, campaign.script_raw)
    tally: Counter[str] = Counter()
    places: Counter[tuple[Place, tuple[str, ...], bool]] = Counter()
    missing: Counter[str] = Counter()
    rows = waiting_leads(campaign).select_related("lead").order_by("pk")
    last = None
    while chunk := list((rows.filter(pk__gt=last) if last else rows)[:_CHUNK]):
        last = chunk[-1].pk
        stopped = suppressed_numbers(
            client_id=campaign.client_id,
            campaign_id=campaign.pk,
            phone_numbers=[row.phone_number for row in chunk],
        )
        for row in chunk:
            tally["total"] += 1
            fate = _fate(row, stopped)
            tally[fate] += 1
            if fate != "callable":
                continue
            fictional = is_fictional(row.phone_number)
            places[_place(row), _zones(row), fictional] += 1
            missing.update(name for name in names if not row.dynamic_vars.get(name))
    open_now, waits, groups = _by_zone(campaign, places, now, is_sandbox=is_sandbox)
    return LeadCounts(
        total=tally["total"],
        suppressed=tally["suppressed"],
        invalid=tally["invalid"],
        no_consent=tally["no_consent"],
        callable_now=open_now,
        waits=waits,
        groups=groups,
        without_variable=tuple((name, missing[name]) for name in names if missing[name]),
        has_real_number=any(not fictional for _where, _when, fictional in places),
    )


def _fate(row: Enrolment, stopped: Mapping[str, object]) -> str:
    if row.phone_number in stopped:
        return "suppressed"
    if row.lead.status == Lead.Status.INVALID:
        return "invalid"
    if row.lead.consent_status != Lead.ConsentStatus.GIVEN:
        return "no_consent"
    return "callable"


def _place(row: Enrolment) -> Place:
    lead = row.lead
    return place_of(country=lead.country, region=lead.region, phone_number=row.phone_number)


def _zones(row: Enrolment) -> tuple[str, ...]:
    return zones_allowed(
        told=row.lead.time_zone,
        candidates=row.lead.zone_candidates or row.zones,
    )


def _by_zone(
    campaign: Campaign,
    places: Counter[tuple[Place, tuple[str, ...], bool]],
    now: datetime,
    *,
    is_sandbox: bool,
) -> tuple[int, tuple[ZoneWait, ...], tuple[PlaceGroup, ...]]:
    """Ask the dispatcher's own rule once for each place that leads may live in."""
    stored = campaign.calling_window
    hours = Hours(frozenset(stored.weekdays), stored.opens_minute, stored.closes_minute)
    window = DialWindow(hours=hours, is_any_hour=stored.is_any_hour)
    limits = client_limits(campaign.client_id)
    open_now, waits = 0, []
    groups: Counter[tuple[tuple[str, ...], Hours | None]] = Counter()
    for (place, zones, fictional), count in places.items():
        rules = rules_in(place, zones=zones, limits=limits, now=now)
        decision = decide(
            facts=DialFacts(
                phone_number="+12025550100" if fictional else "+12025551000",
                country=place.country,
                zones=zones,
            ),
            policy=DialPolicy(),
            window=window,
            rules=rules,
            is_sandbox=is_sandbox,
            now=now,
        )
        at_any_hour = decision.inputs["any_hour"]
        key = tuple(decision.inputs["zones"]), None if at_any_hour else hours.within(rules)
        if decision.verdict == Verdict.ALLOW:
            open_now += count
            groups[key] += count
        else:
            opens_at = None if decision.waiting_code == "never_open" else decision.not_before
            waits.append(ZoneWait(tuple(decision.inputs["zones"]), count, opens_at))
            if opens_at is not None:
                groups[key] += count
    grouped = tuple(PlaceGroup(zones, when, count) for (zones, when), count in groups.items())
    return open_now, tuple(sorted(waits, key=lambda wait: -wait.count)), grouped
