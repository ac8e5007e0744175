"""
Countries' numbering plans, read from phonenumbers' own data: a tenth of the price of asking it.

It answers only for what is surely valid. Everything else goes to phonenumbers itself, which knows
why; a property test holds both to the same answer.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata
from phonenumbers.phonenumberutil import _GEO_MOBILE_COUNTRIES
from phonenumbers.timezone import TIMEZONE_DATA  # type: ignore[attr-defined]  # its stubs leave it out

_UNKNOWN_ZONE = "Etc/Unknown"
_LONGEST_CODE = 3
# The order in which phonenumbers looks; what a call may not go to is refused by its own code path.
_KINDS = (
    ("premium_rate", "premium"),
    ("toll_free", "toll_free"),
    ("shared_cost", "unknown"),
    ("voip", "voip"),
    ("personal_number", "unknown"),
    ("pager", "unknown"),
    ("uan", "unknown"),
    ("voicemail", "unknown"),
)
_USUAL = re.compile(r"(\+)?\(?[0-9][0-9 ().\-]{5,22}\Z")
_SIGNS = str.maketrans("", "", "+ ().-")


class Line(NamedTuple):
    """What a number's prefix tells: country (ISO 3166), kind of line, and zones it may be in."""

    country: str
    line_type: str
    zones: tuple[str, ...]


class _Pattern:
    """One description of numbers: their lengths and what they look like."""

    def __init__(self, description: object) -> None:
        pattern = getattr(description, "national_number_pattern", None)
        self.lengths = frozenset(getattr(description, "possible_length", ()) or ())
        self.matches = re.compile(pattern).fullmatch if pattern else None

    def fits(self, number: str) -> bool:
        if self.matches is None or (self.lengths and len(number) not in self.lengths):
            return False
        return self.matches(number) is not None


class _Region:
    """A country's patterns, as phonenumbers asks them in turn."""

    def __init__(self, code: str) -> None:
        data: Any = PhoneMetadata.metadata_for_region(
            code, None
        )  # there is one for each of its codes
        self.code, self.data = code, data
        self.leading = re.compile(data.leading_digits).match if data.leading_digits else None
        self.general = _Pattern(data.general_desc)
        kinds = ((_Pattern(getattr(data, name)), word) for name, word in _KINDS)
        self.kinds = [(pattern, word) for pattern, word in kinds if pattern.matches]
        self.fixed, self.mobile = _Pattern(data.fixed_line), _Pattern(data.mobile)
        self.is_same = bool(data.same_mobile_and_fixed_line_pattern)

    def kind(self, number: str) -> tuple[str, bool] | None:
        """Return (kind of line, whether the number belongs to a place); None if no pattern fits."""
        if not self.general.fits(number):
            return None
        for pattern, word in self.kinds:
            if pattern.fits(number):
                return word, False
        if self.fixed.fits(number):
            is_either = self.is_same or self.mobile.fits(number)
            return ("unknown" if is_either else "landline"), True
        if not self.is_same and self.mobile.fits(number):
            return "mobile", False
        return None


class _Plan:
    """The numbers behind one country calling code."""

    def __init__(self, code: int) -> None:
        self.code = str(code)
        self.regions = [_Region(name) for name in COUNTRY_CODE_TO_REGION_CODE[code]]
        main = self.regions[0]
        trunk = main.data.national_prefix_for_parsing
        self.trunk = re.compile(trunk).match if trunk else None
        self.is_simple = not main.data.national_prefix_transform_rule
        self.has_geographic_mobiles = code in _GEO_MOBILE_COUNTRIES
        prefixes = [one for one in TIMEZONE_DATA if one.startswith(self.code)]
        self.lengths = sorted({len(one) for one in prefixes}, reverse=True)
        self.all_zones = _known(TIMEZONE_DATA.get(self.code, ()))

    def national(self, digits: str) -> str:
        """Return the digits without what is dialled before them inside the country."""
        found = self.trunk(digits) if self.trunk else None
        return digits[found.end() :] if found else digits

    def line(self, number: str) -> Line | None:
        """Return what is known of a national number that may be called; None if it isn't sure."""
        for region in self.regions:
            # With leading digits phonenumbers takes the region whatever else the number is.
            is_led = region.leading is not None and region.leading(number) is not None
            if region.leading is not None and not is_led and len(self.regions) > 1:
                continue
            kind = region.kind(number)
            if kind is None:
                if is_led:
                    return None
                continue
            if kind[0] in {"premium", "toll_free"}:
                return None
            return Line(region.code, kind[0], self._zones(number, kind))
        return None

    def _zones(self, number: str, kind: tuple[str, bool]) -> tuple[str, ...]:
        word, is_placed = kind
        is_placed = is_placed or (word == "mobile" and self.has_geographic_mobiles)
        if not is_placed or len(self.lengths) == 1:
            return self.all_zones
        whole = self.code + number
        for length in self.lengths:
            if (zones := TIMEZONE_DATA.get(whole[:length])) is not None:
                return _known(zones)
        return ()


@cache
def _known(zones: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(zone for zone in zones if zone != _UNKNOWN_ZONE))


@cache
def _plan(code: int) -> _Plan | None:
    regions = COUNTRY_CODE_TO_REGION_CODE.get(code)
    if code == 1 or not regions or regions[0] == "001":
        return None
    plan = _Plan(code)
    return plan if plan.is_simple else None


@cache
def _code_of(country: str) -> int:
    return next(
        (code for code, names in COUNTRY_CODE_TO_REGION_CODE.items() if country in names), 0
    )


def quick_number(text: str, country: str) -> tuple[int, Line] | None:
    """Return a number in the usual spelling as an integer with its line; None: ask phonenumbers."""
    usual = _USUAL.match(text)
    if usual is None:
        return None
    digits = text.translate(_SIGNS)
    if usual[1]:
        plan = _plan_at(digits)
        rest = digits[len(plan.code) :] if plan else ""
    else:
        plan, rest = _plan(_code_of(country)), digits
        # "00" or the country's own code may stand in front: phonenumbers weighs that.
        if plan and (digits.startswith(("00", plan.code))):
            return None
    if plan is None:
        return None
    national = plan.national(rest)
    line = plan.line(national)
    if line is None or (national != rest and plan.line(rest) is not None):
        return None
    return int(plan.code + national), line


@cache
def _nanp() -> _Plan:
    return _Plan(1)


def nanp_line(national: str) -> Line | None:
    """
    Return what is known of an American number of ten digits; None: ask phonenumbers why not.

    The zones are those of the prefix alone.
    """
    return _nanp().line(national)


def _plan_at(digits: str) -> _Plan | None:
    for length in range(1, _LONGEST_CODE + 1):
        if (code := int(digits[:length])) in COUNTRY_CODE_TO_REGION_CODE:
            return _plan(code)
    return None
