"""Where a person may live: the states an area code or an address names, and every zone it allows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_FILE = Path(__file__).with_name("places.json")
_AREA_CODE = slice(2, 5)  # of +1AAAXXXXXXX
_NANP_LENGTH = 12
UNITED_STATES = "US"


@dataclass(frozen=True)
class Place:
    """
    A country (ISO 3166, two letters) and the states (two letters) whose rules may bind.

    Without a state a person of the United States may live in any of them: all their rules bind.
    """

    country: str
    states: tuple[str, ...] = ()


def place_of(*, country: str, region: str, phone_number: str) -> Place:
    """
    Return the place whose rules bind a call.

    The state of the address and that of the area code both count: a mobile phone moves house, and
    some states presume that who has their area code lives there.
    """
    if country != UNITED_STATES:
        return Place(country)
    found = {state_of_region(region), state_of_number(phone_number)} - {""}
    return Place(country, tuple(sorted(found)))


def state_of_number(phone_number: str) -> str:
    """Return the state (two letters) of an American number in E.164; empty if its code names none."""
    return _area_codes().get(area_code(phone_number), "")


def area_code(phone_number: str) -> str:
    """Return the three digits after +1; empty for a number of another plan."""
    is_american = phone_number.startswith("+1") and len(phone_number) == _NANP_LENGTH
    return phone_number[_AREA_CODE] if is_american else ""


def state_of_region(region: str) -> str:
    """Return the state (two letters) that somebody wrote as a code or a name; empty if it is none."""
    return _names().get(region.strip().casefold(), "")


def zones_allowed(*, told: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """
    Return every zone that must be open for a call, sorted.

    The one that was `told` for this person wins; else all candidates: those of the state or postal
    code when the lead has one, or all that the prefix allows (`convomono.lib.phone.time_zones`).
    """
    return (told,) if told else tuple(sorted(candidates))


def states() -> dict[str, str]:
    """Return the states by their two letters, with their names."""
    return {code: row["name"] for code, row in _load()["states"].items()}


def area_codes() -> dict[str, str]:
    """Return every area code of a state, with that state's two letters."""
    return dict(_area_codes())


def jurisdictions(place: Place) -> tuple[str, ...]:
    """Return the names under which rules of a place are filed, the widest first."""
    if place.country == UNITED_STATES:
        inside = place.states or tuple(states())
        return (UNITED_STATES, *(f"{UNITED_STATES}-{state}" for state in inside))
    return ("EU", place.country) if place.country in _load()["eu"] else (place.country,)


@cache
def _area_codes() -> dict[str, str]:
    rows = _load()["states"].items()
    return {code: state for state, row in rows for code in row["area_codes"]}


@cache
def _names() -> dict[str, str]:
    found = {code.casefold(): code for code in states()}
    found |= {name.casefold(): code for code, name in states().items()}
    return found


@cache
def _load() -> dict[str, Any]:
    return dict(json.loads(_FILE.read_text(encoding="utf-8")))
