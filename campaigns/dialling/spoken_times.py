"""Days and times of the clock as people say them, taken out of a sentence one after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import TYPE_CHECKING

from campaigns.calling_rules import country_zones

if TYPE_CHECKING:
    from collections.abc import Iterator

_MORNING, _NOON, _AFTERNOON, _EVENING = time(10), time(12), time(15), time(18)
_PARTS = {
    "morning": _MORNING,
    "noon": _NOON,
    "lunch": _NOON,
    "afternoon": _AFTERNOON,
    "evening": _EVENING,
    "tonight": _EVENING,
    "night": _EVENING,
}
_LATE_PARTS = {_AFTERNOON, _EVENING}  # "this evening at 9" is no morning
_PM = 12
_FIRST_HOUR_OF_A_DAY = 8  # "at 3" is in the afternoon, "at 9" in the morning

# -- Words -----------------------------------------------------------------------------------------

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_SPELT = {name: str(number) for number, name in enumerate((*_NUMBERS, "eleven", "twelve"), 1)}
_SPELT_WORD = re.compile(rf"\b({'|'.join(_SPELT)})\b")
_QUARTERS = (("fifteen", "15"), ("thirty", "30"), ("forty[ -]?five", "45"))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"\b(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY = (
    r"mon(?:days?)?|tues?(?:days?)?|wed(?:s|nesdays?)?|thu(?:rs?|rsdays?)?|fri(?:days?)?|"
    r"sat(?:urdays?)?|sun(?:days?)?"
)
_HALF = r"(a\.?m\b\.?|p\.?m\b\.?|o'clock)?"
_HOUR = r"(\d{1,2})(?:[:.](\d{2}))?"
_ALONE = r"(?![\d/:]|[.-]\d)"  # no part of a date or of a longer number
# "2 to 4 pm", "between 11 and 1", "3 or 4 pm": the earlier one, in the half of the day that fits.
_RANGE = re.compile(
    rf"(?<![\d/.:-])(between |from |at |after |around )?{_HOUR}\s*{_HALF}\s*"
    rf"(?:and|to|or|until|till|-|–)\s*{_HOUR}\s*{_HALF}{_ALONE}"  # people's dashes
)
# When not to call, or until when: no time to call at can be read from these.
_REFUSED = re.compile(
    r"\b(?:no|not|never|nor|neither|cannot|unless|except|before|midnight)\b|n't\b|"
    r"\b(?:by|until|till) (?:about |around )?(?:\d|noon)"
)
# What names a day in a way that isn't read here.
_LEFT = re.compile(
    rf"\d|{_MONTH.replace('may|', '').replace('mar(?:ch)?', 'march')}|"
    r"\b(?:days|weeks?|weekends?|fortnight|months?|years?)\b"
)


@dataclass
class Said:
    """A sentence of which what was understood is taken out, so that the rest can be looked at."""

    rest: str
    says_when_not: bool

    @classmethod
    def of(cls, text: str) -> Said:
        """Return a sentence in lower case, with its hours in figures."""
        words = _in_figures(" ".join(text.lower().replace("’", "'").split()))  # noqa: RUF001  # theirs
        return cls(rest=words, says_when_not=_REFUSED.search(words) is not None)

    @property
    def is_unclear(self) -> bool:
        """Whether it says when not to call, or a number or a month is left that nobody understood."""
        return self.says_when_not or _LEFT.search(self.rest) is not None

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Take the first match out of the sentence."""
        match = pattern.search(self.rest)
        if match is not None:
            self._cut(match)
        return match

    def take_all(self, pattern: re.Pattern[str]) -> list[re.Match[str]]:
        """Take every match out of the sentence, in its order."""
        return list(self._each(pattern))

    def _each(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        while match := self.take(pattern):
            yield match

    def _cut(self, match: re.Match[str]) -> None:
        self.rest = f"{self.rest[: match.start()]} , {self.rest[match.end() :]}"


def _in_figures(words: str) -> str:
    """Write spelt hours in figures: "at two thirty" and "half past two" as "at 2:30" and "2:30"."""
    figures = _SPELT_WORD.sub(lambda found: _SPELT[found[1]], words)
    for spelt, minutes in _QUARTERS:
        figures = re.sub(rf"\b(\d{{1,2}}) {spelt}\b", rf"\1:{minutes}", figures)
    figures = re.sub(r"\bhalf past (\d{1,2})\b", r"\1:30", figures)
    figures = re.sub(r"\b(?:a )?quarter (?:past|after) (\d{1,2})\b", r"\1:15", figures)
    figures = re.sub(r"\b12 noon\b", "noon", figures)
    return _RANGE.sub(_from_the_earlier, figures)


def _from_the_earlier(found: re.Match[str]) -> str:
    before, hour, minute, half, to_hour, to_minute, to_half = found.groups()
    if not (before or half or to_half or minute or to_minute):
        return found[0]
    if half is None and to_half and to_half[0] in "ap":
        is_same = int(hour) % _PM <= int(to_hour) % _PM
        half = to_half if is_same else "am" if to_half[0] == "p" else "pm"
    return f"at {hour}:{minute or '00'} {half or ''}"


# -- Days ------------------------------------------------------------------------------------------

_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_LAST_MONTH = 12
_DAY = r"(?:the )?(\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,? (\d{4})\b)?"
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_MONTH_DAY = re.compile(rf"{_MONTH} {_DAY}\b(?!:|\s*[ap]\.?m\b){_YEAR}")
_DAY_MONTH = re.compile(rf"\b{_DAY}\.?(?: of)? {_MONTH}{_YEAR}")
_SLASHED = re.compile(r"(?<![\d/])(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d\d))?(?![\d/])")
_DOTTED = re.compile(r"(?<![\d.])(?<!at )(\d{1,2})\.(\d{1,2})\.(\d{4}|\d\d)?(?![\d])")
_ORDINAL = re.compile(r"\b(?:the )?(\d{1,2})(?:st|nd|rd|th)\b")
_NEAR = re.compile(
    r"\b(?:(day after tom+or+ow)|(tom+or+ow)|(today)|((?:the )?next week)|this week|"
    rf"(?:(?:on|this|next) )?({_WEEKDAY}))\b\.?"
)
_TODAY = re.compile(r"\b(?:tonight|this (?:morning|noon|afternoon|evening))")


@dataclass(frozen=True)
class SpokenDay:
    """A day that was named; `is_date` if by its date, and not as seen from today."""

    on: date
    is_date: bool = False


def spoken_day(said: Said, *, today: date, zone: str) -> SpokenDay | None:
    """
    Take the day out of a sentence; None if it names none.

    A date that is past is next year's. Of several days as seen from today the first one counts.

    :raises ValueError: if there is no such date, or a weekday beside it contradicts it
    """
    on = _dated(said, today, month_first=zone in country_zones("US"))
    near = _near(said, today)
    if on is None:
        return SpokenDay(near[0].on) if near else None
    if any(not one.fits(on) for one in near):
        raise ValueError(on)
    return SpokenDay(on, is_date=True)


@dataclass(frozen=True)
class _Near:
    on: date
    is_weekday: bool = False  # of any week

    def fits(self, day: date) -> bool:
        return self.on.weekday() == day.weekday() if self.is_weekday else self.on == day


def _near(said: Said, today: date) -> list[_Near]:
    """Take the days out of a sentence that are said as seen from today, in its order."""
    matches = said.take_all(_NEAR)
    is_next_week = any(match[4] for match in matches)
    found = []
    for after_tomorrow, tomorrow, today_, _next_week, weekday in (one.groups() for one in matches):
        if weekday:
            number = _WEEKDAYS.index(weekday[:3])
            ahead = (number - today.weekday() - 1) % 7 + 1
            if is_next_week:
                ahead = 7 - today.weekday() + number
            found.append(_Near(today + timedelta(days=ahead), is_weekday=True))
        elif after_tomorrow or tomorrow or today_:
            ahead = 2 if after_tomorrow else 1 if tomorrow else 0
            found.append(_Near(today + timedelta(days=ahead)))
    if not found and is_next_week:
        return [_Near(today + timedelta(days=7))]
    return found or ([_Near(today)] if _TODAY.search(said.rest) else [])


def _dated(said: Said, today: date, *, month_first: bool) -> date | None:
    if match := said.take(_ISO):
        return _date(int(match[3]), int(match[2]), match[1], today)
    if match := said.take(_MONTH_DAY):
        return _date(int(match[2]), _month(match[1]), match[3], today)
    if match := said.take(_DAY_MONTH):
        return _date(int(match[1]), _month(match[2]), match[3], today)
    return _numeric(said, today, month_first=month_first)


def _numeric(said: Said, today: date, *, month_first: bool) -> date | None:
    if match := said.take(_SLASHED):
        first, second = int(match[1]), int(match[2])
        if (month_first and first <= _LAST_MONTH) or second > _LAST_MONTH:
            first, second = second, first
        return _date(first, second, match[3], today)
    if match := said.take(_DOTTED):
        return _date(int(match[1]), int(match[2]), match[3], today)
    match = said.take(_ORDINAL)
    if match is None:
        return None
    day = int(match[1])
    if day >= today.day:
        return today.replace(day=day)
    return (today.replace(day=1) + timedelta(days=32)).replace(day=day)


def _month(name: str) -> int:
    return _MONTHS.index(name[:3]) + 1


def _date(day: int, month: int, year: str | None, today: date) -> date:
    if year is None:
        this_year = date(today.year, month, day)
        return this_year if this_year >= today else date(today.year + 1, month, day)
    number = int(year) + (_FIRST_YEAR if len(year) < 4 else 0)  # noqa: PLR2004  # "26" is 2026
    if not _FIRST_YEAR <= number <= _LAST_YEAR:
        raise ValueError(year)
    return date(number, month, day)


# -- Times of the clock ----------------------------------------------------------------------------

_BEFORE = r"(?:(at|@|after|past|around|about|from) ?(?:about |around )?)?"
_CLOCK = re.compile(rf"(?<![\d/:.\w-]){_BEFORE}\b{_HOUR}\s*{_HALF}(?![\w/:]|[.-]\d)")


def spoken_time(said: Said) -> time | None:
    """Take the time of the clock out of a sentence; of a part of the day its usual hour."""
    part = next((at for name, at in _PARTS.items() if re.search(rf"\b{name}", said.rest)), None)
    return _clock(said, part) or part


def _clock(said: Said, part: time | None) -> time | None:
    for match in _CLOCK.finditer(said.rest):
        hour, minute, half = int(match[2]), int(match[3] or 0), (match[4] or "")[:1]
        is_time = match[1] or match[3] or half
        if hour > 23 or minute > 59 or not is_time:  # noqa: PLR2004
            continue
        said.rest = f"{said.rest[: match.start()]} {said.rest[match.end() :]}"
        return time(_in_its_half(hour, half, part, match[2]), minute)
    return None


def _in_its_half(hour: int, half: str, part: time | None, figures: str) -> int:
    """Return which of two hours is meant; said without its half the part of the day tells."""
    if half == "p":
        return hour % _PM + _PM if hour <= _PM else hour
    if half == "a":
        return 0 if hour == _PM else hour
    if not 0 < hour < _PM or figures.startswith("0") or part == _MORNING:
        return hour
    return hour + _PM if part in _LATE_PARTS or hour < _FIRST_HOUR_OF_A_DAY else hour
