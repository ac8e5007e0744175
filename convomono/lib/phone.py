"""Phone numbers: what somebody typed into E.164, with a reason when it can't be; the only door to phonenumbers."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
    timezone as phone_timezone,
)
from phonenumbers.phonenumberutil import _maybe_strip_extension

from convomono.lib.phone_plans import Line, nanp_line, quick_number
from convomono.lib.phone_spelling import (
    has_words,
    is_damaged,
    is_vanity,
    plain_text,
    with_plus,
    without_words,
)
from convomono.lib.split_areas import SPLIT_AREAS

Refusal = Literal[
    "phone_missing",
    "phone_damaged",
    "phone_too_short",
    "phone_too_long",
    "phone_not_assignable",
    "phone_premium",
    "phone_toll_free",
    "phone_unknown_country",
]

_TYPES = {
    PhoneNumberType.FIXED_LINE: "landline",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "unknown",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.VOIP: "voip",
}
_LENGTHS: dict[int, Refusal] = {
    ValidationResult.TOO_SHORT: "phone_too_short",
    ValidationResult.TOO_LONG: "phone_too_long",
    ValidationResult.INVALID_COUNTRY_CODE: "phone_unknown_country",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "phone_too_short",
}
_UNREAD: dict[int, Refusal] = {
    NumberParseException.TOO_SHORT_NSN: "phone_too_short",
    NumberParseException.TOO_LONG: "phone_too_long",
    NumberParseException.INVALID_COUNTRY_CODE: "phone_unknown_country",
}
_UNKNOWN_ZONE = "Etc/Unknown"
# +1 415 555 2671, (415) 555-2671, 415.555.2671, 14155552671 and the like; ASCII digits only
_USUAL_NANP = re.compile(
    r"(\+1[ .-]?)?(?(1)|(?:1[ .-]?)?)\(?([2-9][0-9]{2})\)?[ .-]{0,2}([2-9][0-9]{2})[ .-]?([0-9]{4})\Z"
)
_TOLL_FREE_AREAS = frozenset({"800", "833", "844", "855", "866", "877", "888"})
# Source: libphonenumber tells Tahiti's zone alone, and all three for mobiles.
_POLYNESIA = "+68940"
_POLYNESIAN_ZONES = ("Pacific/Gambier", "Pacific/Marquesas", "Pacific/Tahiti")
# Numbers that nobody has and libphonenumber refuses; the others kept for drama are good to it.
# Source: Ofcom, "Telephone numbers for use in TV and radio drama programmes".
_BRITISH_DRAMA = re.compile(r"\+44(?:7700900|1154960|1632960)[0-9]{3}\Z")
_BRITISH_ZONES = ("Europe/London",)
_NANP_LENGTH = 12  # "+1" and ten digits
_NANP_COUNTRIES = frozenset(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1])
_NEVER_CALLED = frozenset({"phone_premium", "phone_toll_free"})
_SHORTEST = 7  # digits of a number


class NumberRefused(Exception):
    """The text is no number we may call; `reason` says why."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class ParsedNumber:
    """A number in E.164, its country (ISO 3166, two letters) and kind of line where known; what stood behind it."""

    e164: str
    country: str
    line_type: str
    extension: str = ""


def is_fictional(e164: str) -> bool:
    """
    Tell whether a US or Canadian number is kept for fiction: 555-0100 to 555-0199.

    Source: NANPA, ATIS-0300115. Nobody's phone rings there, so the sandbox may dial it at any hour.
    """
    return len(e164) == _NANP_LENGTH and e164.startswith("+1") and e164[5:10] == "55501"


def parse_number(text: str, country: str = "US") -> ParsedNumber:
    """
    Return the number that somebody typed, read as one of `country` unless it says otherwise.

    Fictional numbers (555-01xx, Britain's 07700 900xxx) are accepted although nobody has them: trials dial them.

    :raises NumberRefused: with the reason, if it isn't one that may be called
    """
    value, line = read_number(text, country)
    return ParsedNumber(f"+{value}", line.country, line.line_type)


def read_number(text: str, country: str = "US") -> tuple[int, Line]:
    """
    Do what `parse_number` does, quickly: return E.164's digits as an integer, and the line.

    American numbers in the usual spellings ask phonenumbers once for each area code and exchange;
    other countries' go by its patterns (`phone_plans`).

    :raises NumberRefused: with the reason, if it isn't one that may be called
    """
    raw = text.strip().removeprefix("'")
    usual = _USUAL_NANP.match(raw)
    if usual and (usual[1] or country in _NANP_COUNTRIES):
        # Valid or not, line and country: the plan's rules all end at the sixth digit, but for 555.
        area, exchange, rest = usual[2], usual[3], usual[4]
        if exchange != "555":
            told = _nanp_exchange(area + exchange, country)
        elif rest.startswith("01"):
            told = _nanp_fiction(area, country)
        else:
            return _read_any(raw, country)
        if isinstance(told, str):
            raise NumberRefused(told)
        return int(f"1{area}{exchange}{rest}"), told
    if not raw:
        raise NumberRefused("phone_missing")
    return quick_number(raw, country) or _read_any(raw, country)


def _read_any(raw: str, country: str) -> tuple[int, Line]:
    parsed = _parse_any(raw, country)
    line = Line(parsed.country, parsed.line_type, time_zones(parsed.e164))
    return int(parsed.e164[1:]), line


def extension_of(text: str, country: str = "US") -> str:
    """
    Return the digits of the extension that a number is written with, which nobody can dial; empty if there is none.

    :raises NumberRefused: as `read_number`
    """
    return _parse_any(text.strip().removeprefix("'"), country).extension


def is_country(code: str) -> bool:
    """Tell whether phonenumbers knows the country (ISO 3166, two capital letters)."""
    return code in phonenumbers.SUPPORTED_REGIONS


def countries_dialled(code: int) -> tuple[str, ...]:
    """Return the countries (ISO 3166) behind a country calling code, the main one first; none if nobody has it."""
    return tuple(
        one for one in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ()) if one != "001"
    )


@lru_cache(maxsize=262_144)
def _nanp_exchange(prefix: str, country: str) -> Line | Refusal:
    """Return what the area code and exchange tell of a number, or why none has them."""
    if line := nanp_line(f"{prefix}2345"):
        area = prefix[:3]
        return Line(*line[:2], _with_split(area, line.zones)) if area in SPLIT_AREAS else line
    try:
        told = _checked(phonenumbers.parse(f"+1{prefix}2345", None), "")
    except NumberRefused as exc:
        return exc.reason
    return Line(told.country or country, told.line_type, time_zones(told.e164))


@lru_cache(maxsize=2048)
def _nanp_fiction(area: str, country: str) -> Line | Refusal:
    """Return what an area code tells of its 555-01xx numbers, or why there are none."""
    try:
        return _read_any(f"+1{area}5550123", country)[1]
    except NumberRefused as exc:
        return exc.reason


@lru_cache(maxsize=65536)
def _parse_any(raw: str, country: str) -> ParsedNumber:
    text = plain_text(raw)
    if is_damaged(text):
        raise NumberRefused("phone_damaged")
    bare = without_words(text)
    try:
        return _parse_bare(bare, country)
    except NumberRefused as exc:
        # 212-736-HOME is a number with its word only.
        if bare == text or exc.reason in _NEVER_CALLED or not is_vanity(text):
            raise
    return _parse_bare(text, country)


def _parse_bare(text: str, country: str) -> ParsedNumber:
    try:
        return _parse_one(text, country)
    except NumberRefused:
        if (abroad := with_plus(text)) != text:
            with suppress(NumberRefused):
                return _parse_one(abroad, country)
        raise


def _parse_one(text: str, country: str) -> ParsedNumber:
    extension, rest = _maybe_strip_extension(text)
    is_worded = has_words(rest) and not is_vanity(rest)
    try:
        number = phonenumbers.parse(text, country)
    except NumberParseException as exc:
        reason = _UNREAD.get(exc.error_type, "phone_damaged")
        raise NumberRefused("phone_damaged" if is_worded else reason) from None
    if is_worded or (has_words(rest) and number.country_code != 1):
        raise NumberRefused("phone_damaged")
    if len(extension or "") >= _SHORTEST:  # another number
        raise NumberRefused("phone_too_long")
    return replace(_checked(number, country), extension=extension or "")


def _checked(number: phonenumbers.PhoneNumber, country: str) -> ParsedNumber:
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    is_toll_free = phonenumbers.number_type(number) == PhoneNumberType.TOLL_FREE
    if is_fictional(e164) and not is_toll_free:
        return ParsedNumber(e164, _country(number, country), "unknown")
    if _BRITISH_DRAMA.match(e164):
        return ParsedNumber(e164, "GB", "mobile" if e164.startswith("+447") else "landline")
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible in _LENGTHS:
        raise NumberRefused(_LENGTHS[possible])
    if not phonenumbers.is_valid_number(number):
        raise NumberRefused("phone_not_assignable")
    line_type = _TYPES.get(phonenumbers.number_type(number), "unknown")
    if line_type == "premium":
        raise NumberRefused("phone_premium")
    if line_type == "toll_free":
        raise NumberRefused("phone_toll_free")
    return ParsedNumber(e164, _country(number, country), line_type)


def _country(number: phonenumbers.PhoneNumber, default: str) -> str:
    found = phonenumbers.region_code_for_number(number)
    return found if found and found != "001" else default


def time_zones(e164: str) -> tuple[str, ...]:
    """
    Return every IANA time zone the number may be in, sorted; empty if its prefix tells none.

    An American area code that spans two zones tells both, whatever its exchange says; a toll-free
    number is nowhere. So do French Polynesia's landlines, one block for islands in three zones.
    """
    if e164.startswith(_POLYNESIA):
        return _POLYNESIAN_ZONES
    if _BRITISH_DRAMA.match(e164):
        return _BRITISH_ZONES
    if not (e164.startswith("+1") and len(e164) == _NANP_LENGTH):
        return _zones(e164)
    if e164[2:5] in _TOLL_FREE_AREAS:
        return ()
    return _with_split(e164[2:5], _zones(e164[:8] + "2345"))  # told by the exchange at most


@lru_cache(maxsize=4096)
def _with_split(area: str, told: tuple[str, ...]) -> tuple[str, ...]:
    split = SPLIT_AREAS.get(area, ())
    return tuple(sorted({*told, *split})) if split else told


@lru_cache(maxsize=65536)
def _zones(e164: str) -> tuple[str, ...]:
    zones = phone_timezone.time_zones_for_number(phonenumbers.parse(e164))
    return tuple(sorted(zone for zone in zones if zone != _UNKNOWN_ZONE))


@lru_cache(maxsize=65536)
def display_number(e164: str) -> str:
    """Return the number with spaces as people of any country read it; unchanged if it is none."""
    try:
        number = phonenumbers.parse(e164)
    except NumberParseException:
        return e164
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)


def number_lengths(country: str) -> int:
    """Return how many lengths the country's numbers have: 1 in France, 12 in Germany, which takes nearly any digits."""
    plan = phonenumbers.PhoneMetadata.metadata_for_region(country)
    return len(plan.general_desc.possible_length) if plan and plan.general_desc else 0


def national_groups(number: int) -> list[str]:
    """Return the groups of digits in which people of its country write a number (E.164's digits) among themselves."""
    parsed = phonenumbers.parse(f"+{number}")
    return digit_groups(phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL))


def digit_groups(text: str) -> list[str]:
    """Return the groups of digits that a number is written in; none without ASCII digits."""
    return re.findall(r"[0-9]+", text)
