"""The time at which somebody asked to be called back, read from what the analysis of a call says."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

# The analysis field of every agent that holds it, as it is asked for there.
CALLBACK_FIELD = "callback_time"
CALLBACK_QUESTION = (
    "When the person asked to be called back, in their own words or as YYYY-MM-DD HH:MM in their "
    "local time. Empty if they did not ask for it."
)
CALLED_BACK = "user_requested_callback"
# A call back is dialled at the asked time, and kept if it is dialled within this.
KEPT_WITHIN = timedelta(minutes=15)
FARTHEST = timedelta(days=90)

_MORNING, _NOON, _AFTERNOON, _EVENING = time(10), time(12), time(15), time(18)
_PARTS = {
    "morning": _MORNING,
    "noon": _NOON,
    "lunch": _NOON,
    "afternoon": _AFTERNOON,
    "evening": _EVENING,
    "tonight": _EVENING,
}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ISO = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::\d{2})?)?(Z|[+-]\d{2}:?\d{2})?")
_CLOCK = re.compile(
    r"\b(?:at |@ ?)?(\d{1,2})(?::(\d{2}))?\s*(am|pm|a\.m\.|p\.m\.|o'clock)?(?=\W|$)"
)
_IN = re.compile(r"\bin (?:about )?(\d{1,3}|an?|half an) ?(minutes?|min|hours?|days?|weeks?)\b")
_UNITS = {"min": 1, "hou": 60, "day": 24 * 60, "wee": 7 * 24 * 60}
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_SPELT = {name: str(number) for number, name in enumerate((*_NUMBERS, "eleven", "twelve"), 1)}
_SPELT_WORD = re.compile(rf"\b({'|'.join(_SPELT)})\b")
_PM = 12
_FIRST_HOUR_OF_A_DAY = 8  # "at 3" is in the afternoon, "at 9" in the morning
_LATE_PARTS = {_AFTERNOON, _EVENING}  # "this evening at 9" is no morning


def asked_time(text: str, *, zone: str, said_at: datetime) -> datetime | None:
    """
    Return the instant that somebody meant when they said `text` at `said_at`, in their zone.

    "2026-12-01 15:30", "tomorrow morning", "Thursday at 3 pm", "in two hours" as "in 2 hours", "next
    week". None for what names no time that can be read, is past, or is more than 90 days away.
    """
    words = _in_figures(" ".join(text.lower().split()))
    local = said_at.astimezone(ZoneInfo(zone))
    if _ISO.search(words.upper()):
        found = _iso(words, local)
    else:
        found = _from_now(words, local) or _spoken(words, local)
    if found is None or not local < found <= local + FARTHEST:
        return None
    return found.astimezone(said_at.tzinfo).replace(microsecond=0)


def _in_figures(words: str) -> str:
    """Write spelt hours in figures: "at two thirty" and "half past two" as "at 2:30" and "2:30"."""
    figures = _SPELT_WORD.sub(lambda found: _SPELT[found[1]], words)
    figures = re.sub(r"\b(\d{1,2}) thirty\b", r"\1:30", figures)
    return re.sub(r"\bhalf past (\d{1,2})\b", r"\1:30", figures)


def _iso(words: str, local: datetime) -> datetime | None:
    match = _ISO.search(words.upper())
    if match is None:
        return None
    day, clock, offset = match.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{clock or '10:00'}{offset or ''}")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=local.tzinfo)


def _from_now(words: str, local: datetime) -> datetime | None:
    match = _IN.search(words)
    if match is None:
        return None
    number, unit = match.groups()
    minutes = _UNITS[unit[:3]]
    if number == "half an":
        return local + timedelta(minutes=minutes // 2)
    return local + timedelta(minutes=minutes * (1 if number in {"a", "an"} else int(number)))


def _spoken(words: str, local: datetime) -> datetime | None:
    day, said_day = _day(words, local)
    part = next((at for name, at in _PARTS.items() if re.search(rf"\b{name}", words)), None)
    clock = _clock(words, part)
    if not said_day and clock is None and part is None:
        return None
    at = datetime.combine(day, clock or part or local.time(), local.tzinfo)
    if at <= local and not said_day:
        at += timedelta(days=1)
    return at


def _day(words: str, local: datetime) -> tuple[datetime, bool]:
    if "day after tomorrow" in words:
        return local + timedelta(days=2), True
    if "tomorrow" in words:
        return local + timedelta(days=1), True
    for number, name in enumerate(_WEEKDAYS):
        if re.search(rf"\b{name}\b", words):
            return local + timedelta(days=(number - local.weekday() - 1) % 7 + 1), True
    if "next week" in words:
        return local + timedelta(days=7), True
    return local, "today" in words


def _clock(words: str, part: time | None) -> time | None:
    """Return the time of the clock in these words; which half of the day is told by the part of it."""
    for match in _CLOCK.finditer(words):
        hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "")[:1]
        if hour > 23 or minute > 59 or (match[2] is None and not half and "at" not in match[0]):  # noqa: PLR2004
            continue
        if half == "p" and hour < _PM:
            hour += _PM
        elif half == "a" and hour == _PM:
            hour = 0
        elif half not in {"a", "p"} and 0 < hour < _PM and not match[1].startswith("0"):
            hour = _in_its_half(hour, part)
        return time(hour % 24, minute)
    return None


def _in_its_half(hour: int, part: time | None) -> int:
    """Return which of two hours is meant by one that was said without its half of the day."""
    if part == _MORNING:
        return hour
    return hour + _PM if part in _LATE_PARTS or hour < _FIRST_HOUR_OF_A_DAY else hour
