"""When a lead is called again: after which pause, on which days, at another time of the day."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from campaigns.dialling.windows import Hours

NOON, EVENING = 12 * 60, 17 * 60
# The parts of a day: before noon, until five, after.
PARTS = (0, NOON, EVENING)
DAYS_AHEAD = 8
_FRIDAY = 4
_WEEKEND = frozenset({5, 6})


@dataclass(frozen=True, kw_only=True)
class DispositionPolicy:
    """What differs for calls that ended for one reason: so many of them, and so long a pause."""

    most: int = 0  # 0: as many as the campaign allows altogether
    delay_seconds: int | None = None


@dataclass(frozen=True, kw_only=True)
class DialPolicy:
    """How often and how soon, from the campaign's RetryPolicy, in seconds; `dispositions` by reason."""

    max_attempts: int = 3
    gap_seconds: int = 15 * 60
    busy_delay_seconds: int = 20 * 60
    no_answer_delay_seconds: int = 4 * 3600
    voicemail_delay_seconds: int = 24 * 3600
    declined_delay_seconds: int = 24 * 3600
    technical_delay_seconds: int = 15 * 60
    callback_delay_seconds: int = 24 * 3600
    dispositions: dict[str, DispositionPolicy] = field(default_factory=dict)
    is_other_time_of_day: bool = False
    is_business_days: bool = False


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """
    What a retry looks at: the lead's zone (empty: unknown) and the instants it was called at.

    `same_count` is how many of its calls ended for the same reason, this one included; `promised_at` is
    when it asked to be called: a call that wasn't placed hasn't kept that.
    """

    zone: str = ""
    called_at: tuple[datetime, ...] = ()
    same_count: int = 1
    promised_at: datetime | None = None


def part_of_day(at: datetime) -> int:
    """Return which part of its day a local instant is in: 0 morning, 1 afternoon, 2 evening."""
    minute = at.hour * 60 + at.minute
    return sum(minute >= start for start in PARTS) - 1


def at_another_time(*, due: datetime, earlier: Earlier, hours: Hours) -> datetime:
    """
    Return the first instant from `due` on in the part of the day that was tried least.

    Only parts in which the campaign calls count; without a zone, or without such a part within
    eight days, it stays as it was.
    """
    if not earlier.zone:
        return due
    zone = ZoneInfo(earlier.zone)
    tried = Counter(part_of_day(at.astimezone(zone)) for at in earlier.called_at)
    usable = [part for part in range(len(PARTS)) if _opening(part, hours) is not None]
    if not usable:
        return due
    fewest = min(tried[part] for part in usable)
    wanted = [part for part in usable if tried[part] == fewest]
    local = due.astimezone(zone)
    for ahead in range(DAYS_AHEAD):
        day = local.date() + timedelta(days=ahead)
        if not hours.is_open_on(day):
            continue
        for part in wanted:
            start, end = _opening(part, hours) or (0, 0)
            first = datetime.combine(day, _clock(start), zone)
            last = datetime.combine(day, _clock(end - 1), zone)
            if last > local:
                return max(first, local).astimezone(due.tzinfo)
    return due


def on_a_business_day(*, due: datetime, zone: str) -> datetime:
    """Return `due`, or the same hour on the Monday after it where it falls on a weekend there."""
    local = due.astimezone(ZoneInfo(zone)) if zone else due
    over = local.weekday() - _FRIDAY
    return due if over <= 0 else due + timedelta(days=3 - over)


def off_weekends(hours: Hours) -> Hours:
    """Return the hours without Saturdays and Sundays; as they are where nothing would be left."""
    weekdays = hours.weekdays - _WEEKEND
    return replace(hours, weekdays=weekdays) if weekdays else hours


def _opening(part: int, hours: Hours) -> tuple[int, int] | None:
    """Return the minutes of a part of the day in which the campaign calls; None if there are none."""
    ends = (*PARTS[1:], 24 * 60)[part]
    start, end = max(PARTS[part], hours.opens_minute), min(ends, hours.closes_minute)
    return (start, end) if start < end else None


def _clock(minute: int) -> time:
    return time(minute // 60, minute % 60)
