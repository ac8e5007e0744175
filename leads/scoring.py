"""The lead score: a sum of weights that people can read, from 0 to 100, without any input or output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import _StrPromise

LOWEST, HIGHEST = 0, 100
LOWEST_WEIGHT, HIGHEST_WEIGHT = -100, 100


class Scored(Protocol):
    """What a score looks at."""

    consent_status: str
    first_name: str
    last_name: str
    email: str
    company: str
    line_type: str
    time_zone: str
    status: str
    last_outcome: str
    attempts_count: int
    tags: list[str]


@dataclass(frozen=True)
class Weight:
    """One thing that counts: what it is, and for how many points unless the client says otherwise."""

    label: _StrPromise
    usual: int


WEIGHTS: dict[str, Weight] = {
    "base": Weight(_("Every lead"), 30),
    "consent": Weight(_("Agreed to be called"), 15),
    "named": Weight(_("First and last name are known"), 5),
    "email": Weight(_("An e-mail address is known"), 5),
    "company": Weight(_("The company is known"), 5),
    "mobile": Weight(_("It is a mobile number"), 5),
    "zone": Weight(_("The time zone is certain"), 5),
    "tag": Weight(_("Has the tag that counts"), 20),
    "reached": Weight(_("Was reached before"), 10),
    "machine": Weight(_("Voicemail the last time"), -5),
    "no_contact": Weight(_("Nobody answered the last time"), -5),
    "attempt": Weight(_("For each attempt made"), -5),
    "converted": Weight(_("Reached the goal already"), -40),
}


@dataclass(frozen=True)
class Reason:
    """One line of a score's sum."""

    label: str
    points: int


@dataclass(frozen=True)
class Score:
    """The score and the lines it is the sum of; the sum is cut at 0 and 100."""

    points: int
    reasons: tuple[Reason, ...]


def weights_with(chosen: Mapping[str, object]) -> dict[str, int]:
    """Return every weight: the client's, else the usual one; what is no whole number isn't taken."""
    return {
        name: value
        if isinstance(value := chosen.get(name), int) and not isinstance(value, bool)
        else weight.usual
        for name, weight in WEIGHTS.items()
    }


def points_of(lead: Scored, *, weights: Mapping[str, int], tag: str = "") -> int:
    """Return what `score_of` comes to, without its lines: quick enough for a million leads."""
    total = 0
    for name, count in _times(lead, tag).items():
        if count:
            total += weights[name] * count
    return min(max(total, LOWEST), HIGHEST)


def score_of(lead: Scored, *, weights: Mapping[str, int], tag: str = "") -> Score:
    """Add up what counts of a lead; `tag` is the client's tag that counts, empty for none."""
    reasons = tuple(
        Reason(str(WEIGHTS[name].label), weights[name] * int(count))
        for name, count in _times(lead, tag).items()
        if count and weights[name]
    )
    return Score(points=points_of(lead, weights=weights, tag=tag), reasons=reasons)


def _times(lead: Scored, tag: str) -> dict[str, int]:
    """Return how often each thing counts."""
    return {
        "base": 1,
        "consent": lead.consent_status == "given",
        "named": bool(lead.first_name and lead.last_name),
        "email": bool(lead.email),
        "company": bool(lead.company),
        "mobile": lead.line_type == "mobile",
        "zone": bool(lead.time_zone),
        "tag": bool(tag) and tag.casefold() in {one.casefold() for one in lead.tags},
        "reached": lead.status == "reached",
        "machine": lead.last_outcome == "machine",
        "no_contact": lead.last_outcome == "no_contact",
        "attempt": lead.attempts_count,
        "converted": lead.status == "converted",
    }
