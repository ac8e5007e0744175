"""What a campaign still has before it: its likely end, the talk it takes, and the hours where its leads live."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Case, Count, IntegerField, Max, Min, Value, When
from django.db.models.functions import Substr
from django.utils.translation import gettext as _

from campaigns.calling_rules.places import place_of, zones_allowed
from campaigns.dialling.windows import local_time, next_closing
from campaigns.forecast import forecast
from campaigns.models import BatchCall, Enrolment
from campaigns.pace import (
    NumberLimits,
    numbers_of,
    pace_of,
    recent_profile,
    talk_price,
    terms_of,
)
from campaigns.place_hours import Spot, digits_that_tell, number_beginning, spot_hours
from campaigns.queries.launches import IN_PROGRESS, LIVE
from campaigns.services.limits import client_limits
from campaigns.timetable import PlaceGroup
from convomono.lib.display import ahead
from convomono.lib.phone import NumberRefused, is_fictional, parse_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from campaigns.dialling.windows import Hours
    from campaigns.forecast import Forecast
    from campaigns.place_hours import SpotHours

# When leads are due is counted in these steps from now: finer ones make more groups, and no better estimate.
_DUE_WITHIN = tuple(timedelta(minutes=one) for one in (15, 60, 240, 720, 1440, 2880, 10080))
SHOWN_CLOCKS = 8
_NAMED_ZONES = 2
_CLOCK = slice(-5, None)  # of "Mon 20:00"


@dataclass(frozen=True)
class ZoneClock:
    """
    Leads in line who live in the same zones: how many, how many of them may be called now, the time there.

    Open ones close at `closes` (local, "20:00"; empty: any hour will do), closed ones open at `opens_at`
    (None: never), `opens` there (local, "Tue 09:00"), `opens_in` so long ("in 42 min").
    """

    name: str
    local: str
    count: int
    open_count: int
    closes: str = ""
    opens_at: datetime | None = None
    opens: str = ""
    opens_in: str = ""


@dataclass(frozen=True)
class Outlook:
    """What the leads of launches that aren't over still take, as it looked at `looked_at` (real time)."""

    forecast: Forecast
    cost_micros: int  # of the talk that is still expected; 0 without a price
    clocks: tuple[ZoneClock, ...]  # those with the most leads
    other_zones: int  # of which no clock is shown
    other_leads: int
    looked_at: datetime


@dataclass(frozen=True)
class _Lot:
    """Leads who are alike in all that the outlook asks; due now without a `due_at`."""

    spot: Spot
    attempt: int
    due_at: datetime | None


def live_launches(client_id: UUID, campaign_id: UUID) -> list[BatchCall]:
    """Return a campaign's launches that aren't over, oldest first, with all that the outlook asks of it; one query."""
    rows = BatchCall.objects.filter(
        client_id=client_id, campaign_id=campaign_id, status__in=LIVE
    ).select_related(
        "reservation", "campaign__client", "campaign__retry_policy", "campaign__calling_window"
    )
    return list(rows.order_by("created_at", "pk"))


def look_ahead(
    launches: Sequence[BatchCall],
    *,
    is_sandbox: bool,
    calls_per_second: float,
    now: datetime,
    real_now: datetime,
) -> Outlook:
    """
    Follow everybody who isn't through in these launches of one campaign to the likely end.

    As if launches that are paused went on at once. Whoever is held back isn't counted. Six queries; one of
    them counts all leads in line, by place: what it takes grows with the line.
    """
    campaign = launches[0].campaign
    starts_at = max(now, min(row.scheduled_at for row in launches))
    lots = _lots(launches, now)
    limits = client_limits(campaign.client_id)
    hours = {
        spot: spot_hours(spot, campaign=campaign, limits=limits, is_sandbox=is_sandbox, now=now)
        for spot in {lot.spot for lot in lots}
    }
    numbers, chosen = numbers_of(campaign)
    opens = [one.opens_at for one in hours.values() if one.opens_at is not None]
    closed = bool(hours) and not any(one.is_open for one in hours.values())
    pace = pace_of(
        campaign,
        lines=NumberLimits(chosen or numbers, now),
        calls_per_second=calls_per_second,
        starts_at=max(starts_at, min(opens)) if closed and opens else starts_at,
        now=now,
    )
    expected = forecast(
        groups=_groups(lots, hours), pace=pace, profile=recent_profile(campaign.client_id)
    )
    clocks = _clocks(lots, hours, now)
    return Outlook(
        forecast=expected,
        cost_micros=talk_price(expected.seconds, terms_of(campaign, now)),
        clocks=tuple(clocks[:SHOWN_CLOCKS]),
        other_zones=len(clocks[SHOWN_CLOCKS:]),
        other_leads=sum(one.count for one in clocks[SHOWN_CLOCKS:]),
        looked_at=real_now,
    )


def _lots(launches: Sequence[BatchCall], now: datetime) -> Counter[_Lot]:
    """
    Count who isn't through by place, tries and time; one query.

    By the number's area code and the zones kept with the enrolment, without the lead's own address: good
    enough for an estimate, and no join over a hundred thousand rows.
    """
    digits = digits_that_tell(launches[0].campaign)
    steps = [now, *(now + one for one in _DUE_WITHIN)]
    step = Case(
        *(When(next_attempt_at__lte=at, then=Value(index)) for index, at in enumerate(steps)),
        default=Value(len(steps)),
        output_field=IntegerField(),
    )
    rows = Enrolment.objects.filter(
        batch_call_id__in=[row.pk for row in launches], status__in=IN_PROGRESS, held_at=None
    ).annotate(first_digits=Substr("phone_number", 1, digits), step=step)
    counted = list(
        rows.order_by()
        .values_list("zones", "first_digits", "attempts_count", "step")
        .annotate(number=Count("pk"), due_at=Max("next_attempt_at"), one=Min("phone_number"))
    )
    latest: dict[int, datetime] = {}
    for _zones, _first, _tried, index, _count, due_at, _one in counted:
        latest[index] = max(due_at, latest.get(index, due_at))
    found: Counter[_Lot] = Counter()
    for zones, first, tried, index, count, _due_at, one in counted:
        spot = _spot(first, tuple(zones), one)
        found[_Lot(spot, tried + 1, latest[index] if index else None)] += count
    return found


def _spot(first: str, zones: tuple[str, ...], one: str) -> Spot:
    """Return where those live whose numbers begin so; `one` is a number of theirs."""
    number = number_beginning(first)
    try:
        country = parse_number(one).country
    except NumberRefused:
        country = ""
    return Spot(
        place=place_of(country=country, region="", phone_number=number),
        zones=zones_allowed(told="", candidates=zones),
        is_fictional=is_fictional(number),
    )


def _groups(lots: Counter[_Lot], hours: dict[Spot, SpotHours]) -> list[PlaceGroup]:
    """Return those who can ever be called, by their hours."""
    found: Counter[tuple[tuple[str, ...], Hours | None, int, datetime | None]] = Counter()
    for lot, count in lots.items():
        when = hours[lot.spot]
        if when.is_open or when.opens_at is not None:
            found[when.zones, when.hours, lot.attempt, lot.due_at] += count
    return [
        PlaceGroup(zones, when, count, attempt=attempt, due_at=due_at)
        for (zones, when, attempt, due_at), count in found.items()
    ]


# -- Clocks ----------------------------------------------------------------------------------------


def _clocks(lots: Counter[_Lot], hours: dict[Spot, SpotHours], now: datetime) -> list[ZoneClock]:
    """Return a clock for each set of zones, the one with the most leads first."""
    by_zones: dict[tuple[str, ...], Counter[SpotHours]] = defaultdict(Counter)
    for lot, count in lots.items():
        when = hours[lot.spot]
        by_zones[when.zones][when] += count
    clocks = [_clock(zones, counts, now) for zones, counts in by_zones.items()]
    return sorted(clocks, key=lambda one: (-one.count, one.name))


def _clock(zones: tuple[str, ...], counts: Counter[SpotHours], now: datetime) -> ZoneClock:
    here = zones[0] if zones else ""
    opens_at = min(
        (one.opens_at for one in counts if not one.is_open and one.opens_at is not None),
        default=None,
    )
    closes = [
        next_closing(hours=one.hours, zones=one.zones, after=now)
        for one in counts
        if one.is_open and one.hours is not None
    ]
    return ZoneClock(
        name=_name(zones),
        local=" – ".join(dict.fromkeys(local_time(one, now) for one in zones)),
        count=counts.total(),
        open_count=sum(count for one, count in counts.items() if one.is_open),
        closes=local_time(here, max(closes))[_CLOCK] if here and closes else "",
        opens_at=opens_at,
        opens=local_time(here, opens_at) if here and opens_at else "",
        opens_in=ahead(opens_at, now) if opens_at else "",
    )


def _name(zones: tuple[str, ...]) -> str:
    """Return the cities that zones are named after: "New York", "Chicago, New York +1"."""
    names = [one.rpartition("/")[2].replace("_", " ") for one in zones]
    more = f" +{len(names) - _NAMED_ZONES}" if len(names) > _NAMED_ZONES else ""
    return ", ".join(names[:_NAMED_ZONES]) + more if names else _("Unknown")
