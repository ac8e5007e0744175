"""The leads that wait for a launch, each counted once, by what becomes of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING

from django.db.models import Count
from django.db.models.functions import Substr

from campaigns import script
from campaigns.calling_rules.places import place_of, zones_allowed
from campaigns.place_hours import Spot, digits_that_tell, number_beginning, spot_hours
from campaigns.services.launching import waiting_leads
from campaigns.services.limits import client_limits
from campaigns.services.variables import variable_rules
from campaigns.timetable import PlaceGroup
from campaigns.variables import said_values
from convomono.lib.phone import is_fictional
from leads.models import Lead
from leads.services import suppressed_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.dialling.windows import Hours
    from campaigns.models import Campaign, Enrolment
    from campaigns.variables import VariableRule

_CHUNK = 5_000


@dataclass(frozen=True)
class ZoneWait:
    """Leads who can't be called yet: how many, where they may live, when their hours open."""

    zones: tuple[str, ...]
    count: int
    opens_at: datetime | None
    is_forbidden: bool = False  # by the calling rules there, in whatever zone


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
    """
    Sort the leads that wait for a launch by what becomes of them, with the dispatcher's rules.

    The database counts them by place; of each lead only its number and its variables are read.
    """
    names = script.own_variables(*script.spoken(campaign))
    digits = digits_that_tell(campaign)
    waiting = waiting_leads(campaign).order_by()
    stopped, missing = _read_each(campaign, waiting, names)
    found = _by_place(waiting, digits)
    for some in batched(stopped, _CHUNK):
        found.subtract(_by_place(waiting.filter(phone_number__in=some), digits))
    tally: Counter[str] = Counter()
    spots: Counter[Spot] = Counter()
    for group, count in found.items():
        fate = _fate(group.status, group.consent)
        tally[fate] += count
        if fate == "callable" and count > 0:
            spots[group.spot] += count
    open_now, waits, groups = _by_zone(campaign, spots, now, is_sandbox=is_sandbox)
    return LeadCounts(
        total=found.total() + len(stopped),
        suppressed=len(stopped),
        invalid=tally["invalid"],
        no_consent=tally["no_consent"],
        callable_now=open_now,
        waits=waits,
        groups=groups,
        without_variable=tuple((name, missing[name]) for name in names if missing[name]),
        has_real_number=any(not spot.is_fictional for spot in spots),
    )


@dataclass(frozen=True)
class _Group:
    """Leads of whom all is alike that decides when they may be called."""

    status: str
    consent: str
    spot: Spot


def _read_each(
    campaign: Campaign, waiting: QuerySet[Enrolment], names: Sequence[str]
) -> tuple[list[str], Counter[str]]:
    """Return the numbers of people who are on a do-not-call list, and how many callable leads lack each variable."""
    stopped: list[str] = []
    missing: Counter[str] = Counter()
    asked = asked_of(campaign, names)
    for listed, said in each_said(campaign, waiting, asked):
        stopped += listed
        for _launch, values in said:
            for name in asked.names:
                if not values.get(name):
                    missing[name] += 1
    return stopped, missing


@dataclass(frozen=True)
class Asked:
    """The variables that a call needs, and what is said of them."""

    names: list[str]
    rules: list[VariableRule]


def asked_of(campaign: Campaign, names: Sequence[str]) -> Asked:
    """Return which of these variables a call needs: all but those that may stay empty; one query."""
    rules = variable_rules(campaign.pk) if names else []
    optional = {rule.name for rule in rules if not rule.is_required}
    asked = [name for name in names if name not in optional]
    return Asked(asked, [rule for rule in rules if rule.name in asked])


def each_said(
    campaign: Campaign, rows: QuerySet[Enrolment], asked: Asked
) -> Iterator[tuple[list[str], list[tuple[UUID | None, dict[str, str]]]]]:
    """
    Read leads chunk by chunk: the numbers of those on a do-not-call list, and what is said of the callable ones.

    Each of these with the launch that it is in. Without a variable to ask for, nobody's is read.
    """
    columns = [
        *("phone_number", "lead__other_numbers", "lead__status", "lead__consent_status"),
        *("batch_call_id", "dynamic_vars", *script.LEAD_COLUMNS),
    ]
    found = rows.values_list(*(columns if asked.names else columns[:4]))
    for some in batched(found.iterator(chunk_size=_CHUNK), _CHUNK):
        stopped, said = [], []
        listed = suppressed_numbers(
            client_id=campaign.client_id,
            campaign_id=campaign.pk,
            phone_numbers={one for number, others, *_rest in some for one in (number, *others)},
        )
        for number, others, status, consent, *values in some:
            if number in listed or any(one in listed for one in others):
                stopped.append(number)
            elif values and _fate(status, consent) == "callable":
                launch, given, *fields = values
                own = _only(asked.names, script.field_values(*fields, phone_number=number))
                given = _only(asked.names, given)
                said.append((launch, said_values(asked.rules, own=own, given=given)))
        yield stopped, said


def _only(names: Sequence[str], values: Mapping[str, str]) -> dict[str, str]:
    return {name: values[name] for name in names if name in values}


def _by_place(waiting: QuerySet[Enrolment], digits: int) -> Counter[_Group]:
    """Count leads by all that decides when they may be called; one query."""
    columns = (
        "lead__status",
        "lead__consent_status",
        "lead__country",
        "lead__region",
        "lead__time_zone",
        "lead__zone_candidates",
        "zones",
        "first_digits",
    )
    rows = waiting.annotate(first_digits=Substr("phone_number", 1, digits))
    found: Counter[_Group] = Counter()
    for *row, count in rows.values_list(*columns).annotate(number=Count("pk")):
        status, consent, country, region, told, candidates, zones, first = row
        number = number_beginning(first)
        spot = Spot(
            place=place_of(country=country, region=region, phone_number=number),
            zones=zones_allowed(told=told, candidates=candidates or zones),
            is_fictional=is_fictional(number),
        )
        found[_Group(status, consent, spot)] += count
    return found


def _fate(status: str, consent: str) -> str:
    if status == Lead.Status.INVALID:
        return "invalid"
    return "callable" if consent == Lead.ConsentStatus.GIVEN else "no_consent"


def _by_zone(
    campaign: Campaign, spots: Counter[Spot], now: datetime, *, is_sandbox: bool
) -> tuple[int, tuple[ZoneWait, ...], tuple[PlaceGroup, ...]]:
    """Ask the dispatcher's own rule once for each spot that leads may live in."""
    limits = client_limits(campaign.client_id)
    open_now, waits = 0, []
    groups: Counter[tuple[tuple[str, ...], Hours | None]] = Counter()
    for spot, count in spots.items():
        when = spot_hours(spot, campaign=campaign, limits=limits, is_sandbox=is_sandbox, now=now)
        if when.is_open:
            open_now += count
        else:
            waits.append(ZoneWait(when.zones, count, when.opens_at, when.is_forbidden))
        if when.is_open or when.opens_at is not None:
            groups[when.zones, when.hours] += count
    grouped = tuple(PlaceGroup(zones, hours, count) for (zones, hours), count in groups.items())
    return open_now, tuple(sorted(waits, key=lambda wait: -wait.count)), grouped
