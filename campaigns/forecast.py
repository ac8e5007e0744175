"""What a launch will take: dials, pick-ups, minutes with a band, time; from history, else from stated defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

# So many dials of the client tell more than the defaults.
HISTORY_LEAST = 200
# 80 % of a normal distribution lie within so many standard deviations.
_BAND = 1.2816
_RING_SECONDS = 18.0


@dataclass(frozen=True)
class DialProfile:
    """How dials go: shares of all dials, billable seconds per dial, and what that rests on."""

    pick_up_ratio: float  # a person answered
    end_ratio: float  # the lead is done after this dial
    mean_seconds: float  # talk per dial, unanswered ones included
    variance: float  # of talk per dial, in seconds squared
    dials_count: int  # 0: the defaults

    @property
    def is_from_history(self) -> bool:
        return self.dials_count > 0

    @property
    def mean_error(self) -> float:
        """Relative standard error of the mean: small with much history, 20 % for the defaults."""
        if not self.dials_count or not self.mean_seconds:
            return 0.2
        return math.sqrt(self.variance / self.dials_count) / self.mean_seconds


# Assumed for a list that agreed to be called: 30 % answer and talk 67 s (log-normal, median 45 s),
# 38 % are machines at 9 s, 1 % are no numbers. The page says that these are assumptions.
DEFAULT_PROFILE = DialProfile(
    pick_up_ratio=0.30, end_ratio=0.31, mean_seconds=23.5, variance=2500.0, dials_count=0
)


@dataclass(frozen=True)
class Forecast:
    """Expected figures of one launch, all attempts included; `low` and `high` hold 80 %."""

    dials: int
    pick_ups: int
    seconds: int
    seconds_low: int
    seconds_high: int
    first_pass_at: datetime | None  # when every lead has been tried once
    profile: DialProfile


def profile_of(calls: Iterable[tuple[str, int | None]]) -> DialProfile:
    """
    Return how the client's dials went, from outcome class and milliseconds of each.

    Fewer than 200 dials tell too little: then it is the default profile.
    """
    human = ended = total = 0
    seconds_sum = squares_sum = 0.0
    for outcome, duration_ms in calls:
        if not outcome or outcome == "not_placed":
            continue
        seconds = (duration_ms or 0) / 1000
        total += 1
        human += outcome == "human"
        ended += outcome == "human"
        seconds_sum += seconds
        squares_sum += seconds * seconds
    if total < HISTORY_LEAST:
        return DEFAULT_PROFILE
    mean = seconds_sum / total
    return DialProfile(
        pick_up_ratio=human / total,
        end_ratio=ended / total,
        mean_seconds=mean,
        variance=max(0.0, squares_sum / total - mean * mean),
        dials_count=total,
    )


def forecast(
    *,
    leads: int,
    max_attempts: int,
    slots: int,
    calls_per_second: float,
    starts_at: datetime,
    profile: DialProfile,
) -> Forecast:
    """Return what calling that many leads takes, with up to `max_attempts` tries for each."""
    tries = sum((1 - profile.end_ratio) ** n for n in range(max_attempts))
    dials = leads * tries
    mean = dials * profile.mean_seconds
    spread = math.sqrt(dials * profile.variance + (mean * profile.mean_error) ** 2)
    return Forecast(
        dials=round(dials),
        pick_ups=round(dials * profile.pick_up_ratio),
        seconds=round(mean),
        seconds_low=max(0, round(mean - _BAND * spread)),
        seconds_high=round(mean + _BAND * spread),
        first_pass_at=starts_at
        + first_pass(leads=leads, slots=slots, per_second=calls_per_second, profile=profile)
        if leads
        else None,
        profile=profile,
    )


def first_pass(*, leads: int, slots: int, per_second: float, profile: DialProfile) -> timedelta:
    """Return how long trying every lead once takes, with that many calls at once."""
    busy_seconds = _RING_SECONDS + profile.mean_seconds
    rate = min(per_second, max(1, slots) / busy_seconds)
    return timedelta(seconds=math.ceil(leads / rate + busy_seconds))
