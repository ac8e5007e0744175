"""Calling hours: is every zone a number may be in open now, and if not, when are they all next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY_MINUTES = 24 * 60
# A week finds each weekday once; a day more for the zones that are still in the day before.
DAYS_AHEAD = 8


@dataclass(frozen=True)
class Hours:
    """
    Weekdays (Monday is 0) and minutes since local midnight, the last one excluded.

    Hours that close before they open are never open.
    """

    weekdays: frozenset[int]
    opens_minute: int
    closes_minute: int

    def within(self, *, opens_minute: int, closes_minute: int) -> Hours:
        """Return these hours, tightened to what the law allows."""
        return Hours(
            weekdays=self.weekdays,
            opens_minute=max(self.opens_minute, opens_minute),
            closes_minute=min(self.closes_minute, closes_minute),
        )


def is_open(*, hours: Hours, zones: Iterable[str], at: datetime) -> bool:
    """Tell whether it is calling time in every one of the zones; daylight saving included."""
    return all(_is_open_locally(hours, at.astimezone(_zone(zone))) for zone in zones)


def next_opening(*, hours: Hours, zones: Iterable[str], after: datetime) -> datetime | None:
    """
    Return the first instant from `after` on at which all zones are open; None within eight days.

    Zones too far apart, or hours too short, may never be open together.
    """
    places = tuple(zones)
    if is_open(hours=hours, zones=places, at=after):
        return after
    # All are open together first when one of them opens.
    openings = {one for zone in places for one in _openings(hours, zone, after)}
    for moment in sorted(openings):
        if moment > after and is_open(hours=hours, zones=places, at=moment):
            return moment
    return None


def local_time(zone: str, at: datetime) -> str:
    """Return the wall clock in a zone as a decision shows it: "Mon 10:15"."""
    return at.astimezone(_zone(zone)).strftime("%a %H:%M")


def known_zones(names: Iterable[str]) -> tuple[str, ...]:
    """Keep the names that are time zones."""
    return tuple(name for name in names if _is_zone(name))


def _is_open_locally(hours: Hours, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    return local.weekday() in hours.weekdays and hours.opens_minute <= minute < hours.closes_minute


def _openings(hours: Hours, zone: str, after: datetime) -> list[datetime]:
    if hours.opens_minute >= DAY_MINUTES:
        return []
    first = after.astimezone(_zone(zone)).date()
    opens = time(hours.opens_minute // 60, hours.opens_minute % 60)
    days = (first + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1))
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
