"""Calling hours: is every zone a number may be in open now, and if not, when are they all next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from campaigns.calling_rules import DAY_MINUTES, is_holiday

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from campaigns.calling_rules import CallingRules

# A week finds each weekday once, a day more is for the zones that are still in the day before; where
# the days that are left are holidays, the weeks after that are looked at too.
DAYS_AHEAD = (8, 29)


@dataclass(frozen=True)
class Hours:
    """
    Weekdays (Monday is 0) and minutes since local midnight, the last one excluded, but for holidays.

    Hours that close before they open are never open. Holidays are those of `is_holiday`.
    """

    weekdays: frozenset[int]
    opens_minute: int
    closes_minute: int
    holidays: tuple[str, ...] = ()

    def within(self, rules: CallingRules) -> Hours:
        """Return these hours, tightened to what the law allows."""
        return Hours(
            weekdays=self.weekdays & rules.weekdays,
            opens_minute=max(self.opens_minute, rules.opens_minute),
            closes_minute=min(self.closes_minute, rules.closes_minute),
            holidays=rules.holidays,
        )

    @property
    def is_ever_open(self) -> bool:
        """Whether there is an hour on any weekday at all, wherever it is."""
        return bool(self.weekdays) and self.opens_minute < self.closes_minute

    def is_open_on(self, day: date) -> bool:
        """Tell whether there are calling hours on a day at all."""
        is_weekday = day.weekday() in self.weekdays
        return is_weekday and not (self.holidays and is_holiday(self.holidays, day))


def is_open(*, hours: Hours, zones: Iterable[str], at: datetime) -> bool:
    """Tell whether it is calling time in every one of the zones; daylight saving included."""
    return all(_is_open_locally(hours, at.astimezone(_zone(zone))) for zone in zones)


def next_opening(*, hours: Hours, zones: Iterable[str], after: datetime) -> datetime | None:
    """
    Return the first instant from `after` on at which all zones are open; None within four weeks.

    Zones too far apart, or hours too short, may never be open together.
    """
    places = tuple(zones)
    if is_open(hours=hours, zones=places, at=after):
        return after
    for days in DAYS_AHEAD:
        # All are open together first when one of them opens.
        openings = {one for zone in places for one in _openings(hours, zone, after, days)}
        for moment in sorted(openings):
            if moment > after and is_open(hours=hours, zones=places, at=moment):
                return moment
        if not hours.holidays:
            break
    return None


def next_closing(*, hours: Hours, zones: Iterable[str], after: datetime) -> datetime:
    """Return when the first of zones that are open closes for the day."""
    closings = []
    for zone in zones:
        midnight = datetime.combine(after.astimezone(_zone(zone)).date(), time(), _zone(zone))
        closings.append(midnight + timedelta(minutes=hours.closes_minute))
    return min(closings, key=lambda one: one.astimezone(UTC)).astimezone(UTC)


def days_in(zones: Iterable[str], at: datetime) -> tuple[date, date]:
    """Return the first and the last day that an instant is on in any of the zones."""
    days = [at.astimezone(_zone(zone)).date() for zone in zones] or [at.date()]
    return min(days), max(days)


def closed_for(*, hours: Hours, zones: Iterable[str], at: datetime) -> set[str]:
    """Say what closes the zones at an instant: "hours", "days", "holidays"; empty if all are open."""
    found = set()
    for zone in zones:
        local = at.astimezone(_zone(zone))
        minute = local.hour * 60 + local.minute
        if not hours.opens_minute <= minute < hours.closes_minute:
            found.add("hours")
        if local.weekday() not in hours.weekdays:
            found.add("days")
        if hours.holidays and is_holiday(hours.holidays, local.date()):
            found.add("holidays")
    return found


def local_time(zone: str, at: datetime) -> str:
    """Return the wall clock in a zone as a decision shows it: "Mon 10:15"."""
    return at.astimezone(_zone(zone)).strftime("%a %H:%M")


def known_zones(names: Iterable[str]) -> tuple[str, ...]:
    """Keep the names that are time zones."""
    return tuple(name for name in names if _is_zone(name))


def _is_open_locally(hours: Hours, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    return hours.opens_minute <= minute < hours.closes_minute and hours.is_open_on(local.date())


def _openings(hours: Hours, zone: str, after: datetime, days_ahead: int) -> list[datetime]:
    if hours.opens_minute >= DAY_MINUTES:
        return []
    first = after.astimezone(_zone(zone)).date()
    opens = time(hours.opens_minute // 60, hours.opens_minute % 60)
    days = (first + timedelta(days=ahead) for ahead in range(days_ahead + 1))
    # An hour that the clock jumps over opens at the moment of the jump's other side; is_open checks.
    return [datetime.combine(day, opens, _zone(zone)).astimezone(UTC) for day in days]


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=1024)
def _is_zone(name: str) -> bool:
    try:
        _zone(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
