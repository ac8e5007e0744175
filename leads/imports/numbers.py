"""What a cell says of somebody's phone numbers: one, or several with signs or words between them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from convomono.lib.phone import NumberRefused, extension_of, read_number
from leads.imports.cells import plain_cell, whole_number

if TYPE_CHECKING:
    from convomono.lib.phone_plans import Line

_ONE = re.compile(r"[0-9+ ().\-]*\Z")  # surely no more than one, and nothing behind it
_BETWEEN = re.compile(r"[/;,|&\n]|\s(?:or|and|oder|und|ou|et|o|y|e|of|en)\s", re.IGNORECASE)
_SHORTEST = 7  # digits of a number
_COMPLETE = 10
_SHORTER = 2  # digits that one number of a cell may have less than another, by its country code or a trunk zero
_WORDS = re.compile(r"[^\W\d_]{2}")


class Numbers(NamedTuple):
    """A cell's number as `read_number` gives it, its further ones, and whether its extension is left out."""

    value: int
    line: Line
    others: tuple[int, ...] = ()
    has_extension: bool = False


def phone_cell(raw: str) -> str:
    """Return a cell cleaned; line breaks, which may part numbers, stay."""
    if "\n" in raw or "\r" in raw:
        return "\n".join(map(plain_cell, raw.splitlines()))
    return plain_cell(raw)


def numbers_in(cell: str, country: str, *, lost_plus: bool = False) -> Numbers:
    """
    Return the numbers of a cell, the first good one before the others.

    With `lost_plus` bare digits are read as if they had a + in front, if that makes them a number.

    :raises NumberRefused: with the reason, if there is none that may be called
    """
    if cell.isdecimal() and not lost_plus:  # most are, so it is worth a line
        value, line = read_number(cell, country)
        return Numbers(value, line)
    if _ONE.match(cell):
        value, line = _read(cell, country, lost_plus)
        return Numbers(value, line)
    parts = _parts(cell)
    numbers = [_found(part, country, lost_plus=lost_plus) for part in parts]
    if not numbers or numbers[0] is None:
        try:  # an area code with a sign behind it
            return _written(cell, country, lost_plus=lost_plus)
        except NumberRefused:
            numbers = [one for one, part in zip(numbers, parts, strict=True) if _is_whole(part)]
            if not any(numbers):
                raise
    first, *others = filter(None, numbers)
    values = dict.fromkeys(one.value for one in others if one.value != first.value)
    return first._replace(others=tuple(values))


def _found(part: str, country: str, *, lost_plus: bool) -> Numbers | None:
    try:
        return _written(part, country, lost_plus=lost_plus)
    except NumberRefused:
        return None


def _is_whole(part: str) -> bool:
    """Tell whether an area code, or + or 0 for one, surely stands in a number behind one that is none."""
    digits = "".join(filter(str.isdigit, part))
    return len(digits) >= _COMPLETE or "+" in part or digits.startswith("0")


def _parts(cell: str) -> list[str]:
    """
    Return what may be several numbers, each as complete as the longest; none where it may be one.

    Few digits behind a sign are an extension, a group of thousands or the other end of a range, and in front
    of one an area code.
    """
    parts = [(part, sum(map(str.isdigit, part))) for part in _BETWEEN.split(cell)]
    digits = [count for _part, count in parts if count]
    if len(digits) < 2 or min(digits) < _SHORTEST:  # noqa: PLR2004
        return []
    return [part for part, count in parts if count >= max(digits) - _SHORTER]


def _written(text: str, country: str, *, lost_plus: bool) -> Numbers:
    text = whole_number(text)
    value, line = _read(text, country, lost_plus)
    has_extension = not text.isdecimal() and bool(extension_of(text, country))
    return Numbers(value, line, has_extension=has_extension)


def _read(text: str, country: str, lost_plus: bool) -> tuple[int, Line]:
    text = whole_number(text)
    if lost_plus and text.isdecimal():
        with suppress(NumberRefused):
            return read_number(f"+{text}", country)
    return read_number(text, country)


def has_words(cell: str) -> bool:
    """Tell whether words stand beside digits enough for a number."""
    return sum(map(str.isdigit, cell)) >= _SHORTEST and _WORDS.search(cell) is not None
