"""The hours of whole groups of leads: the dispatcher's own rule, asked once for all who are alike to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns.dialling import waiting
from campaigns.dialling.candidates import rules_in
from campaigns.dialling.windows import Hours
from campaigns.rules import DialFacts, DialPolicy, DialWindow, Verdict, decide

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.calling_rules import Limits
    from campaigns.calling_rules.places import Place
    from campaigns.models import Campaign

_AREA_DIGITS = 5  # +1212
_FICTIONAL_DIGITS = 10  # +121255501


@dataclass(frozen=True)
class Spot:
    """All that decides when leads may be called: where they may live, and whether their numbers are fiction."""

    place: Place
    zones: tuple[str, ...]
    is_fictional: bool


@dataclass(frozen=True)
class SpotHours:
    """
    When leads of a spot may be called.

    `hours` is None where any hour will do. Closed now, they open at `opens_at`; None if that is never.
    """

    zones: tuple[str, ...]
    hours: Hours | None
    is_open: bool
    opens_at: datetime | None = None

    @property
    def is_forbidden(self) -> bool:
        """Whether the campaign's hours and those that the rules allow there have nothing in common."""
        return self.hours is not None and not self.hours.is_ever_open


def digits_that_tell(campaign: Campaign) -> int:
    """Return how many first digits of a number have to be known to find its hours."""
    # Only hours that hold for fiction alone ask which numbers are.
    return _FICTIONAL_DIGITS if campaign.calling_window.is_any_hour else _AREA_DIGITS


def number_beginning(first: str) -> str:
    """Return a number that begins so; of a foreign one the beginning is all that is asked."""
    # Any will do: what follows tells nothing of its place.
    return f"{first:0<12}" if first.startswith("+1") else first


def spot_hours(
    spot: Spot, *, campaign: Campaign, limits: Limits, is_sandbox: bool, now: datetime
) -> SpotHours:
    """Return when leads of a spot may be called in a campaign, which comes with its window; no query."""
    stored = campaign.calling_window
    hours = Hours(frozenset(stored.weekdays), stored.opens_minute, stored.closes_minute)
    rules = rules_in(spot.place, zones=spot.zones, limits=limits, now=now)
    decision = decide(
        facts=DialFacts(
            phone_number="+12025550100" if spot.is_fictional else "+12025551000",
            country=spot.place.country,
            zones=spot.zones,
        ),
        policy=DialPolicy(),
        window=DialWindow(hours=hours, is_any_hour=stored.is_any_hour),
        rules=rules,
        is_sandbox=is_sandbox,
        now=now,
    )
    never = decision.waiting_code in {waiting.NEVER_OPEN, waiting.HOURS_FORBIDDEN}
    return SpotHours(
        zones=tuple(decision.inputs["zones"]),
        hours=None if decision.inputs["any_hour"] else hours.within(rules),
        is_open=decision.verdict == Verdict.ALLOW,
        opens_at=None if never else decision.not_before,
    )
