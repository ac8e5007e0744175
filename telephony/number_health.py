"""When a number wears out and how a new one warms up: decisions on counts, without input or output."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import lgamma, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

# Dials allowed on each day of a new number's first ones; after them only its own cap holds.
WARM_UP_CAPS = (20, 30, 45, 65, 90, 120, 150, 180, 210, 240)
# What wearing out looks like: pick-up falls to about half of what it was.
DECAYED_TO = 0.55
ALTERNATIVE_WEIGHT = 100  # how sharply, in dials
# A past that counts for more than this would take ordinary days for news.
MOST_BASELINE_DIALS = 2000
LEAST_BASELINE_DIALS = 100
LEAST_RECENT_DIALS = 20
# Evidence, as a ratio of chances: a healthy number reaches it by luck once in so many windows at most.
AT_RISK_RATIO, RESTING_RATIO = 100, 1000


class Health(StrEnum):
    """How a number does; a resting one isn't used."""

    HEALTHY = "healthy"
    AT_RISK = "at_risk"
    RESTING = "resting"


@dataclass(frozen=True)
class Counts:
    """Dials of a number over some days, and how many a person answered."""

    dials: int = 0
    picked: int = 0

    @property
    def ratio(self) -> float:
        return self.picked / self.dials if self.dials else 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.dials + other.dials, self.picked + other.picked)


def judge(*, recent: Counts, baseline: Counts) -> tuple[Health, float]:
    """
    Say how a number does beside its past, with the evidence that it wears out as a ratio of chances.

    Beta-binomial: how much better a pick-up of about half the old one explains the recent dials than
    the old one itself. The ratio may be looked at after every dial: a healthy number ever reaches
    R with a chance of 1/R at most. Too few dials on either side, or no fall: healthy.
    """
    if baseline.dials < LEAST_BASELINE_DIALS or recent.dials < LEAST_RECENT_DIALS:
        return Health.HEALTHY, 1.0
    if recent.ratio >= baseline.ratio:
        return Health.HEALTHY, 1.0  # better than before is no wear, however surprising
    weight = min(baseline.dials, MOST_BASELINE_DIALS)
    before = min(max(baseline.ratio, 0.01), 0.99)
    same = _evidence(recent, before * weight, (1 - before) * weight)
    worn = before * DECAYED_TO
    half = _evidence(recent, worn * ALTERNATIVE_WEIGHT, (1 - worn) * ALTERNATIVE_WEIGHT)
    difference = half - same
    ratio = 2.718281828459045 ** min(difference, 700.0)
    if difference >= log(RESTING_RATIO):
        return Health.RESTING, ratio
    return (Health.AT_RISK if difference >= log(AT_RISK_RATIO) else Health.HEALTHY), ratio


def cap_on(day: date, *, daily_cap: int, warming_from: date | None) -> int:
    """Return how many dials a number may make on a day, 0 for no cap."""
    if warming_from is None or (age := (day - warming_from).days) >= len(WARM_UP_CAPS):
        return daily_cap
    warm = WARM_UP_CAPS[max(0, age)]
    return min(daily_cap, warm) if daily_cap else warm


def _evidence(counts: Counts, alpha: float, beta: float) -> float:
    """Return the logarithm of a beta-binomial's chance, but for what both sides share."""
    missed = counts.dials - counts.picked
    return _log_beta(counts.picked + alpha, missed + beta) - _log_beta(alpha, beta)


def _log_beta(alpha: float, beta: float) -> float:
    return lgamma(alpha) + lgamma(beta) - lgamma(alpha + beta)
