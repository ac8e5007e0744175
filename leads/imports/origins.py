"""In which country the numbers of a file are good, where those without a country code aren't in the usual one."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from django.utils.translation import gettext as _

from convomono.lib.phone import (
    NumberRefused,
    countries_dialled,
    digit_groups,
    national_groups,
    number_lengths,
)
from leads.imports.columns import lacks_plus
from leads.imports.countries import UNKNOWN, all_countries
from leads.imports.numbers import numbers_in, phone_cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leads.models import Detected, ImportMapping

FEWEST = 2  # numbers without a country code; one may be spoilt
_ENOUGH, _NEARLY_ALL = 0.5, 0.9  # of these
_CODES = range(1, 1000)
_MOST_NAMED = 4
_PHONES = ("phone_number", "phone_2", "phone_3")
# The rest of a row: an address at a country's domain, a British postcode.
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.([a-z]{2})\Z", re.IGNORECASE)
_POSTCODE = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]? [0-9][A-Z]{2}\Z", re.IGNORECASE)
_DOMAINS = {"UK": "GB"}
# Domains of countries that the whole world has.
_WORLDWIDE = frozenset(
    {"AI", "CC", "CO", "EU", "FM", "GG", "IO", "LY", "ME", "SH", "TO", "TV", "WS"}
)


class Origins(NamedTuple):
    """Countries (ISO 3166) in which numbers are good, the likeliest first; whether it is surely the only one."""

    countries: tuple[str, ...] = ()
    is_sure: bool = False


def origins(found: Detected, mapping: ImportMapping, usual: str) -> Origins:
    """
    Return where the sample's numbers are good, if few of them are in `usual`.

    No country: a column names it, there are too few numbers to say, or half of the rows name one in which
    they aren't good. Of countries that share a calling code the main one stands for all. It is surely the one
    that half of the rows name (by an address or postcode), or whose people alone write all these numbers that
    way, of more than one area, while none elsewhere would write half of them so. Numbers with a code only put
    it in front: at home one leaves it out.
    """
    fields = mapping["fields"]
    first = fields.get("phone_number")
    if first is None or "country" in fields or lacks_plus(found, first, usual):
        return Origins()
    places = [fields[name] for name in _PHONES if name in fields]
    cells = [phone_cell(row[at]) for row in found["samples"] for at in places if at < len(row)]
    coded, bare = _apart(cells)
    if len(bare) < FEWEST or _are_good(bare, usual, _ENOUGH):
        return Origins()
    half_good = [one for one in _main_countries() if _are_good(bare, one, _ENOUGH)]
    good = {one for one in half_good if _are_good(bare, one, _NEARLY_ALL)}
    told = _told(found, usual)
    if (named := _clearly(told, len(found["samples"]))) is not None:
        return Origins((named,), is_sure=True) if named in good else Origins()
    told.update(_coded_countries(coded))
    alike = {one: _written_alike(bare, one) for one in half_good}
    # The fewer lengths a country's numbers have, the more it says that these are such.
    ranked = sorted(
        good, key=lambda one: (-told[one], -alike[one].nearly, number_lengths(one), one)
    )
    rivals = [one for one in half_good if alike[one].exactly >= _ENOUGH * len(bare)]
    at_home = [one for one in rivals if alike[one].exactly >= _NEARLY_ALL * len(bare)]
    areas = {groups[0] for groups in map(digit_groups, bare) if groups}
    if rivals == at_home and len(at_home) == 1 and at_home[0] in good and len(areas) > 1:
        return Origins(tuple(at_home), is_sure=True)
    return Origins(tuple(ranked))


def origin_note(countries: Sequence[str], usual: str, *, is_chosen: bool, where: str) -> str:
    """
    Say that the numbers are good in these countries; empty if there are none.

    `is_chosen`: the only one is chosen already; `where`: what the page calls the place to choose another.
    """
    if not countries:
        return ""
    names = all_countries()
    named = [f"“{names[one]}”" for one in countries[:_MOST_NAMED]]
    if len(countries) > _MOST_NAMED:
        named.append(_("others"))
    said = {
        "usual": names.get(usual, usual),
        "countries": ", ".join(named),
        "where": where,
    }
    if is_chosen:
        text = _(
            "Few of the numbers are good with the country “%(usual)s”, nearly all with %(countries)s: that is chosen now, under “%(where)s”."
        )
    elif len(countries) == 1:
        text = _(
            "Few of the numbers are good with the country “%(usual)s”, nearly all would be with %(countries)s. Choose it under “%(where)s”."
        )
    else:
        text = _(
            "Few of the numbers are good with the country “%(usual)s”. Nearly all would be with any of %(countries)s: choose where they are from, under “%(where)s”."
        )
    return text % said


def _apart(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the numbers with a country code, a + in front, and those without."""
    coded, bare = [], []
    for cell in filter(None, cells):
        if "+" in cell:
            coded.append(cell[cell.index("+") :])
        elif cell.startswith("00"):
            coded.append("+" + cell.lstrip("0"))
        else:
            bare.append(cell)
    return coded, bare


def _main_countries() -> Iterator[str]:
    names = all_countries()
    for code in _CODES:
        yield from (one for one in countries_dialled(code)[:1] if one in names)


def _are_good(cells: Sequence[str], country: str, share: float) -> bool:
    """Tell whether at least this share of the cells are numbers in the country; it stops when they can't be any more."""
    bad, most = 0, len(cells) * (1 - share)
    for cell in cells:
        try:
            numbers_in(cell, country)
        except NumberRefused:
            bad += 1
            if bad > most:
                return False
    return True


def _clearly(told: Counter[str], rows: int) -> str | None:
    """Return the country that half of the rows name, two at least, and more than any other; None without one."""
    (first, most), (_second, less) = (*told.most_common(2), ("", 0), ("", 0))[:2]
    return first if most >= max(2, _ENOUGH * rows) and most > less else None


def _told(found: Detected, usual: str) -> Counter[str]:
    """Count the rows of the sample that name a country besides the usual one, by an address or a postcode."""
    told: Counter[str] = Counter()
    for row in found["samples"]:
        told.update({country for cell in row if (country := _told_by(cell.strip()))} - {usual})
    return told


def _told_by(cell: str) -> str:
    if address := _ADDRESS.match(cell):
        domain = address[1].upper()
        return "" if domain in _WORLDWIDE else _DOMAINS.get(domain, domain)
    return "GB" if _POSTCODE.match(cell) else ""


def _coded_countries(coded: Sequence[str]) -> Iterator[str]:
    for cell in coded:
        with suppress(NumberRefused):
            yield numbers_in(cell, UNKNOWN).line.country


class _Alike(NamedTuple):
    """How many cells part their digits as people of a country do, and how many do but for a zero in front."""

    exactly: int
    nearly: int


def _written_alike(cells: Sequence[str], country: str) -> _Alike:
    """Count them; cells in one piece tell nothing."""
    exactly = nearly = 0
    for groups, cell in ((digit_groups(cell), cell) for cell in cells):
        if len(groups) > 1:
            with suppress(NumberRefused):
                own = national_groups(numbers_in(cell, country).value)
                exactly += groups == own
                nearly += _without_zero(groups) == _without_zero(own)
    return _Alike(exactly, nearly)


def _without_zero(groups: list[str]) -> list[str]:
    first = groups[0].removeprefix("0")
    return [first, *groups[1:]] if first else groups[1:]
