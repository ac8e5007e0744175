"""The time at which somebody asked to be called back, read from what the analysis of a call says."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.dialling.spoken_times import Said, spoken_day, spoken_time

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

_MORNING = time(10)
_STAMP = re.compile(
    r"\b(\d{4}-\d\d-\d\d)[t ](\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(z|[+-]\d\d:?\d\d)?(?![\d:]|\s*[ap]\.?m\b)"
)
_UNIT = r"(minute|min|hour|day|week|month)s?\b"
_NUMBER = r"(\d{1,3}|half an?|an?)[ -]"
_IN = re.compile(rf"\b(?:in|within|after) (?:about |around )?{_NUMBER}{_UNIT}( and a half)?")
_HENCE = re.compile(rf"\b{_NUMBER}{_UNIT}( and a half)? (?:from now|later)\b")
_MINUTES = {"min": 1, "hou": 60, "day": 24 * 60, "wee": 7 * 24 * 60, "mon": 30 * 24 * 60}


def asked_time(text: str, *, zone: str, said_at: datetime) -> datetime | None:
    """
    Return the instant that somebody meant when they said `text` at `said_at`, in their zone.

    "2026-12-01 15:30", "December 12th at 3 pm", "12/15" (the day first outside the USA), "tomorrow
    morning", "Thursday after 5", "in two weeks at 3 pm", "next week". None for what names no time that
    can be read, is past, is more than 90 days away, says when not to call, or holds a number or a month
    that makes no sense here: a call at the default delay is better than one on a wrong day.
    """
    local = said_at.astimezone(ZoneInfo(zone))
    said = Said.of(text)
    try:
        found = _stamp(said, local) or _from_now(said, local)
        found = found or _spoken(said, local, zone)
        other = spoken_day(said, today=local.date(), zone=zone)
    except (ValueError, OverflowError):  # a thirteenth month, the 31st of June
        return None
    if found is None or said.is_unclear or (other and other.on != found.date()):
        return None
    if not local < found <= local + FARTHEST:
        return None
    return found.astimezone(said_at.tzinfo).replace(microsecond=0)


def _stamp(said: Said, local: datetime) -> datetime | None:
    match = said.take(_STAMP)
    if match is None:
        return None
    day, clock, offset = match.groups()
    at = datetime.fromisoformat(f"{day}T{clock}{(offset or '').upper()}")
    return at if at.tzinfo else at.replace(tzinfo=local.tzinfo)


def _from_now(said: Said, local: datetime) -> datetime | None:
    match = said.take(_IN) or said.take(_HENCE)
    if match is None:
        return None
    number, unit, and_half = match.groups()
    whole = 0 if number.startswith("half") else 1 if number in {"a", "an"} else int(number)
    halves = 2 * whole + bool(and_half) + number.startswith("half")
    minutes = _MINUTES[unit[:3]] * halves // 2
    if unit.startswith(("min", "hour")):
        return (local.astimezone(ZoneInfo("UTC")) + timedelta(minutes=minutes)).astimezone(
            local.tzinfo
        )
    at = local + timedelta(minutes=minutes)
    return datetime.combine(at, spoken_time(said) or at.time(), local.tzinfo)


def _spoken(said: Said, local: datetime, zone: str) -> datetime | None:
    day = spoken_day(said, today=local.date(), zone=zone)
    clock = spoken_time(said)
    if day is None and clock is None:
        return None
    if day is None:
        at = datetime.combine(local, clock or time(), local.tzinfo)
        return at if at > local else datetime.combine(at + timedelta(days=1), at.time(), at.tzinfo)
    without = _MORNING if day.is_date else local.time()
    return datetime.combine(day.on, clock or without, local.tzinfo)
