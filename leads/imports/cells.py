"""What people write in cells: days, yes and no, tags, and numbers a spreadsheet spoilt."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from ipaddress import ip_address

from django.utils.translation import gettext as _

from convomono.lib.csvio import clean_cell
from convomono.lib.days import FIRST, LAST
from convomono.lib.phone import NumberRefused, display_number, read_number
from convomono.lib.words import without_controls

_YES = frozenset(
    (
        *("1", "1.0", "y", "yes", "t", "true", "x", "✓", "✔", "☑", "ja", "oui", "si", "sí", "sim"),
        *("wahr", "vrai", "verdadero", "opt-in", "optin", "opt in", "opted-in", "opted in"),
        *("agreed", "granted", "given", "consented"),
    )
)
# A column about do-not-call is believed whatever it says: a day, "DNC", "opted out". Only these say no.
_NOT_LISTED = frozenset(
    (
        *("0", "0.0", "n", "no", "non", "nein", "f", "false", "none", "null", "nil", "nan", "na"),
        *("n/a", "-", "--", "ok", "clear", "callable", "no match"),
        *("not listed", "not on list", "not registered"),
    )
)
_SOME_DAY = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
# Neither yes nor no: nobody is called for it, and no consent is taken back.
_UNCLEAR = frozenset(
    (
        *("?", "-", "--", "–", "na", "n/a", "none", "null", "nil", "nan", "unknown", "not known"),
        *("unclear", "pending", "not asked", "maybe"),
    )
)
_DAY_FORMATS = ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d")
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})\b")
_MONTH_FIRST = frozenset({"US", "CA", "PH"})
_MONTHS = 12
_SHORT_YEAR = 2  # digits
_SCIENTIFIC = re.compile(r"([0-9])[.,]([0-9]+)[eE]\+?([0-9]{1,2})\Z")
_TAG_BREAKS = re.compile(r"[;,|]")
_DECIMALS = re.compile(r"[0-9]{7,15}[.,]0+\Z")
# A quantity that is no whole one: its decimals would become digits of the number, or an extension.
_FRACTION = re.compile(
    r"(?:[0-9]{8,}\.[0-9]+|[0-9]{7,}[.,][0-9]{1,2}|[0-9]{1,3}(?:([.,'\u2019])[0-9]{3})+(?!\1)[.,][0-9]{1,2})\Z"
)
_GROUPED = re.compile(r"([0-9]{1,3}(?:([.,'\u2019])[0-9]{3})(?:\2[0-9]{3})+)(?:(?!\2)[.,]0+)?\Z")


@lru_cache(maxsize=4096)
def day_of(said: str, country: str) -> date | None:
    """
    Return the day a cell names, 3/11 being March in America and November elsewhere; else None.

    Days before 2000 are none either: programs write 0001-01-01 and 1900-01-01 for "nobody knows".
    """
    day = _day(said.strip(), country)
    return day if day is not None and FIRST <= day <= LAST else None


def _day(text: str, country: str) -> date | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        pass
    if slashed := _SLASHED.match(text):
        return _slashed(slashed, is_month_first=country in _MONTH_FIRST)
    for pattern in _DAY_FORMATS:
        try:
            return datetime.strptime(text, pattern).date()  # noqa: DTZ007  # a day has no zone
        except ValueError:
            continue
    return None


def _slashed(found: re.Match[str], *, is_month_first: bool) -> date | None:
    first, second, year = int(found[1]), int(found[2]), int(found[3])
    month, day = (first, second) if is_month_first else (second, first)
    if month > _MONTHS:  # only one reading is a day at all
        month, day = day, month
    try:
        return date(year + 2000 if len(found[3]) == _SHORT_YEAR else year, month, day)
    except ValueError:
        return None


def address_in(said: str) -> str:
    """Return the IP address that a cell holds; empty if it is none."""
    with suppress(ValueError):
        return str(ip_address(said.strip())) if said else ""
    return ""


def is_yes(said: str) -> bool:
    """Tell whether a cell says yes."""
    return said.strip().casefold() in _YES


def is_no(said: str) -> bool:
    """Tell whether a cell about consent says no: neither yes, nor plainly not known, nor a day (of either)."""
    text = said.strip().casefold()
    return bool(text) and text not in _YES | _UNCLEAR and not _SOME_DAY.search(text)


def is_listed(said: str) -> bool:
    """Tell whether a cell of a do-not-call column means that the person is on it: all that isn't a no."""
    text = said.strip().casefold()
    return bool(text) and text not in _NOT_LISTED


def split_tags(said: str) -> list[str]:
    """Return the tags a cell lists, at most ten."""
    tags = _TAG_BREAKS.split(without_controls(said))
    return [tag.strip()[:40] for tag in tags if tag.strip()][:10]


_A_DAY = re.compile(r"(19|20)\d\d-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?\s*\Z")


def plain_cell(cell: str) -> str:
    """Return a cell cleaned, and what stands in a formula that is a text only: ="02115"."""
    cell = clean_cell(cell)
    if cell.startswith('="') and cell.endswith('"'):
        return cell[2:-1].strip()
    return cell


def is_iso_day(cell: str) -> bool:
    """Tell whether a cell is a day as workbooks give it, with a time or without: no phone number, whatever its digits."""
    return _A_DAY.match(cell) is not None


def whole_number(cell: str) -> str:
    """
    Return a number as it was before a spreadsheet took it for a quantity.

    "2125550101.0" loses its decimals, "2,125,550,101" its commas. "2.125550101E+09" is put together again, if no
    digit is gone: what was rounded stays as it is and is refused.

    :raises NumberRefused: if the spreadsheet took it for a day ("2026-05-01"), which some country has as a number,
        or it is no whole quantity ("21255501.01")
    """
    if cell.isdecimal():
        return cell
    if cell[4:5] == "-" and is_iso_day(cell):
        raise NumberRefused("phone_damaged")
    if "." not in cell and "," not in cell and "'" not in cell and "\u2019" not in cell:
        return cell
    text = cell.strip()
    if _DECIMALS.match(text):
        return re.split(r"[.,]", text)[0]
    if grouped := _GROUPED.match(text):
        return "".join(filter(str.isdigit, grouped[1]))
    if _FRACTION.match(text):
        raise NumberRefused("phone_damaged")
    spoilt = _SCIENTIFIC.match(text)
    if spoilt and len(spoilt[2]) == int(spoilt[3]):
        return spoilt[1] + spoilt[2]
    return cell


def without_plus(cell: str) -> str:
    """Return why digits that are too many may be a number all the same; empty if they can't be."""
    try:
        value, _line = read_number(f"+{whole_number(cell)}")
    except NumberRefused:
        return ""
    words = _("The number has too many digits for its country; with + in front it is %s.")
    return words % display_number(f"+{value}")
