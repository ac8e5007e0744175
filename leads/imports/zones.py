"""What people write in a column of time zones: IANA's names, America's own, what a place calls its time."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

# A clock that no place keeps through the year, whatever its letters say in winter.
_PLACELESS = frozenset(
    (
        *("EST", "MST", "HST", "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT", "CET", "MET", "EET"),
        *("WET", "GMT", "GMT0", "GMT+0", "GMT-0", "Greenwich", "UCT", "UTC", "Universal", "Zulu"),
        *("Factory", "localtime"),
    )
)
_NAMES = {
    name.casefold(): name
    for name in available_timezones() - _PLACELESS
    if not name.startswith(("Etc/", "posix", "right/"))
}
_EASTERN, _CENTRAL, _PACIFIC = "America/New_York", "America/Chicago", "America/Los_Angeles"
# Arizona has no summer time, so "Mountain" alone means one of two.
_MOUNTAIN = ("America/Denver", "America/Phoenix")
_AMERICAN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("eastern", "et", "est", "edt"), (_EASTERN,)),
    **dict.fromkeys(("central", "ct", "cst", "cdt"), (_CENTRAL,)),
    **dict.fromkeys(("mountain", "mt", "mst", "mdt"), _MOUNTAIN),
    **dict.fromkeys(("pacific", "pt", "pst", "pdt"), (_PACIFIC,)),
    **dict.fromkeys(("alaska", "alaskan", "akst", "akdt"), ("America/Anchorage",)),
    **dict.fromkeys(("hawaii", "hawaiian", "hst"), ("Pacific/Honolulu",)),
    **dict.fromkeys(("atlantic", "ast", "adt"), ("America/Halifax",)),
    **dict.fromkeys(("newfoundland", "nst", "ndt"), ("America/St_Johns",)),
}
_NOISE = frozenset(
    ("time", "zone", "standard", "daylight", "saving", "savings", "us", "usa", "canada")
)
_OFFSET = re.compile(r"\((utc|gmt)[^)]*\)")
_WORD = re.compile(r"[a-z]+")
_SHORTEST = 3  # letters; "CT" and "MT" are states


def is_zone_name(cell: str) -> bool:
    """Tell whether a cell is surely a time zone's name."""
    text = cell.strip().casefold()
    return ("/" in text and text in _NAMES) or (len(text) >= _SHORTEST and bool(_american(text)))


@lru_cache(maxsize=4096)
def zones_said(said: str, country: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """
    Return the zones that a cell may mean, for a number of this country; empty if nobody can tell.

    `known` are those of the person's place or number: where some of them bear the name, it means these.
    """
    text = said.strip().casefold()
    if name := _NAMES.get(text.replace(" ", "_")):
        if not (american := _american(text)):
            return (name,)
    else:
        american = _american(text)
    if american:
        letters = {one for zone in american for one in _letters(zone)}
        if fits := tuple(zone for zone in known if letters & _letters(zone)):
            return fits
        return american if country in {"US", "CA"} else ()
    return tuple(zone for zone in known if said.strip().upper() in _letters(zone))


def _american(text: str) -> tuple[str, ...]:
    """Return what words mean in America, without those that say nothing; empty if one means something else."""
    words = {word for word in _WORD.findall(_OFFSET.sub("", text)) if word not in _NOISE}
    meant = {_AMERICAN.get(word, ()) for word in words}
    return meant.pop() if len(meant) == 1 else ()


@lru_cache(maxsize=512)
def _letters(zone: str) -> frozenset[str]:
    """Return what a zone's time is called in winter and in summer, as "EST" and "EDT"."""
    days = (datetime(2026, month, 15, tzinfo=ZoneInfo(zone)) for month in (1, 7))
    return frozenset(name for day in days if (name := day.tzname()))
