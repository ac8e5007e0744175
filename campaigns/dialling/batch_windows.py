"""Calling hours as Retell's batch takes them: one span of minutes and some weekdays in one time zone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telephony.provider import CallTimeWindow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from campaigns.dialling.windows import Hours

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# A list that isn't dialled today is dialled on the days after: so many are looked at.
DAYS_AHEAD = 7
_DAY_MINUTES = 24 * 60


def batch_window(*, hours: Hours, zones: Sequence[str], now: datetime) -> CallTimeWindow | None:
    """
    Return the widest span that is calling time in all the zones on every day of the coming week.

    Days with a holiday are left out, and days on which the span would be none. None: there is no
    such span, or today isn't one of its days; then nobody there can be handed over.
    """
    zone = ZoneInfo(zones[0])
    today = now.astimezone(zone).date()
    opens, closes, days = 0, _DAY_MINUTES, set()
    for ahead in range(DAYS_AHEAD):
        day = today + timedelta(days=ahead)
        if not hours.is_open_on(day):
            continue
        # The clocks of two zones may change on different days: the tightest span of the week binds.
        for other in zones:
            begins, ends = _span(hours, day, ZoneInfo(other), zone)
            opens, closes = max(opens, begins), min(closes, ends)
        days.add(day.weekday())
    if opens >= closes or today.weekday() not in days:
        return None
    return CallTimeWindow(
        windows=((opens, closes),),
        timezone=zones[0],
        days=() if len(days) == DAYS_AHEAD else tuple(WEEKDAYS[one] for one in sorted(days)),
    )


def open_for(window: CallTimeWindow, *, since: datetime, until: datetime) -> timedelta:
    """Return how long Retell could dial a list with this window between two instants."""
    zone = ZoneInfo(window.timezone)
    day, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    # The newest weeks are enough to tell, also of hours that open on one day of the week.
    day = max(day, last - timedelta(days=4 * DAYS_AHEAD))
    total = timedelta()
    while day <= last:
        if not window.days or WEEKDAYS[day.weekday()] in window.days:
            midnight = datetime.combine(day, time(), zone)
            for start, end in window.windows:
                opens = _instant(midnight, start)
                closes = _instant(midnight, end)
                total += max(timedelta(), min(closes, until) - max(opens, since))
        day += timedelta(days=1)
    return total


def longest_day(window: CallTimeWindow) -> timedelta:
    """Return how long a list with this window may be dialled on one of its days."""
    return timedelta(minutes=sum(end - start for start, end in window.windows))


def _instant(midnight: datetime, minute: int) -> datetime:
    """Return a minute of a day's wall clock as an instant that can be compared across a clock change."""
    return (midnight + timedelta(minutes=minute)).astimezone(UTC)


def _span(hours: Hours, day: date, of: ZoneInfo, seen_from: ZoneInfo) -> tuple[int, int]:
    """Return the hours of one zone on a day, as minutes of that day in another zone."""
    if of.key == seen_from.key:
        return hours.opens_minute, hours.closes_minute
    begins = datetime.combine(day, time(), of) + timedelta(minutes=hours.opens_minute)
    ends = datetime.combine(day, time(), of) + timedelta(minutes=hours.closes_minute)
    return _minute(begins, day, seen_from), _minute(ends, day, seen_from)


def _minute(at: datetime, day: date, zone: ZoneInfo) -> int:
    """Return an instant as minutes of a day's wall clock; its midnights are as far as it goes."""
    local = at.astimezone(zone)
    if local.date() != day:
        return 0 if local.date() < day else _DAY_MINUTES
    return local.hour * 60 + local.minute
