"""Calling rules as dated data: which hours and how many calls a day the law of a country allows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

_FILE = Path(__file__).with_name("rules.json")


@dataclass(frozen=True, kw_only=True)
class CallingRules:
    """
    What binds a dial to one country on one day; a client's own window may only be tighter.

    Minutes count from local midnight, `closes_minute` excluded. `hours_rule` and `cap_rule` name
    the lines of the file, `version` the file. `zones` are the country's, for a number whose own zone
    nobody knows.
    """

    version: str
    country: str
    hours_rule: str
    opens_minute: int
    closes_minute: int
    cap_rule: str
    calls_per_day: int
    zones: tuple[str, ...]


@cache
def calling_rules(country: str, on: date) -> CallingRules:
    """
    Return the rules of a country (ISO 3166, two letters) in force on a day.

    Where several lines of one kind are in force the strictest binds. A country without lines of its
    own gets the file's general ones, and no zones.
    """
    data = _load()
    hours = [rule for rule in _in_force(data, country, on) if rule["kind"] == "hours"]
    caps = [rule for rule in _in_force(data, country, on) if rule["kind"] == "cap"]
    cap = min(caps, key=lambda rule: (rule["value"]["calls_per_day"], rule["id"]))
    opens = max(hours, key=lambda rule: rule["value"]["opens_minute"])
    closes = min(hours, key=lambda rule: rule["value"]["closes_minute"])
    named = sorted({opens["id"], closes["id"]})
    return CallingRules(
        version=data["version"],
        country=country,
        hours_rule=" ".join(named),
        opens_minute=opens["value"]["opens_minute"],
        closes_minute=closes["value"]["closes_minute"],
        cap_rule=cap["id"],
        calls_per_day=cap["value"]["calls_per_day"],
        zones=tuple(data["zones"].get(country, ())),
    )


def find_rule(rule_id: str) -> dict[str, Any] | None:
    """Return a line of the file by its id; None if this edition has no such."""
    return next((rule for rule in _load()["rules"] if rule["id"] == rule_id), None)


def _in_force(data: dict[str, Any], country: str, on: date) -> list[dict[str, Any]]:
    day = on.isoformat()
    dated = [
        rule
        for rule in data["rules"]
        if rule["effective_from"] <= day and (rule["effective_to"] or "9999") > day
    ]
    own = [rule for rule in dated if rule["jurisdiction"] == country]
    kinds = {rule["kind"] for rule in own}
    return own + [
        rule for rule in dated if rule["jurisdiction"] == "*" and rule["kind"] not in kinds
    ]


@cache
def _load() -> dict[str, Any]:
    return dict(json.loads(_FILE.read_text(encoding="utf-8")))
