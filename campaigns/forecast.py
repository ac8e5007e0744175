"""What a launch will take: dials, pick-ups, minutes with a band, time; from history, else from stated defaults."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from campaigns.timetable import Retries, timetable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date, datetime

    from campaigns.timetable import PlaceGroup

# So many dials of the client tell more than the defaults.
HISTORY_LEAST = 200
# 80 % of a normal distribution lie within so many standard deviations.
_BAND = 1.2816
_RING_SECONDS = 18.0
# How far the assumed mean may be off.
_DEFAULT_DOUBT = 0.2


@dataclass(frozen=True)
class DialProfile:
    """How dials go: shares of all dials, billable seconds per dial, and what that rests on."""

    pick_up_ratio: float  # a person answered
    end_ratio: float  # the lead is done after this dial
    mean_seconds: float  # talk per dial, unanswered ones included
    variance: float  # of talk per dial, in seconds squared
    dials_count: int  # 0: the defaults
    machine_ratio: float = 0.38  # a machine answered
    no_contact_ratio: float = 0.28  # nobody answered, busy or pressed away
    end_seconds: float = 67.0  # mean talk of a dial that ends a lead
    end_variance: float = 5580.0

    @property
    def is_from_history(self) -> bool:
        return self.dials_count > 0


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
    ends_at: datetime | None  # when the last try is over; None beyond the horizon, or without leads
    dials_today: int
    profile: DialProfile


def profile_of(calls: Iterable[tuple[str, int | None]]) -> DialProfile:
    """
    Return how the client's dials went, from outcome class and milliseconds of each.

    Fewer than 200 dials tell too little: then it is the default profile.
    """
    machine = nobody = total = 0
    seconds_sum = squares_sum = 0.0
    talks: list[float] = []
    for outcome, duration_ms in calls:
        if not outcome or outcome == "not_placed":
            continue
        seconds = (duration_ms or 0) / 1000
        total += 1
        if outcome == "human":
            talks.append(seconds)
        machine += outcome == "machine"
        nobody += outcome == "no_contact"
        seconds_sum += seconds
        squares_sum += seconds * seconds
    if total < HISTORY_LEAST:
        return DEFAULT_PROFILE
    mean, human = seconds_sum / total, len(talks)
    talk = sum(talks) / human if human else 0.0
    return DialProfile(
        pick_up_ratio=human / total,
        end_ratio=human / total,
        mean_seconds=mean,
        variance=max(0.0, squares_sum / total - mean * mean),
        dials_count=total,
        machine_ratio=machine / total,
        no_contact_ratio=nobody / total,
        end_seconds=talk,
        end_variance=sum((one - talk) ** 2 for one in talks) / human if human else 0.0,
    )


@dataclass(frozen=True)
class TalkLoad:
    """How much is dialled and talked, all attempts included; `low` and `high` hold 80 %."""

    dials: int
    pick_ups: int
    seconds: int
    seconds_low: int
    seconds_high: int


def talk_load(*, leads_by_tries: Mapping[int, int], profile: DialProfile) -> TalkLoad:
    """Return what calling leads takes: so many of them by how many tries each has at most."""
    leads = sum(leads_by_tries.values())
    dials = variance = 0.0
    for tries, count in leads_by_tries.items():
        one = _one_lead(profile, tries)
        dials += count * one.dials
        variance += count * one.variance
    mean = dials * profile.mean_seconds
    # So many dials tell as much of the mean as the leads they were made for.
    known = profile.dials_count * leads / dials if dials else 0.0
    doubt = math.sqrt(leads * variance / known) if known else mean * _DEFAULT_DOUBT
    spread = math.sqrt(variance + doubt**2)
    return TalkLoad(
        dials=round(dials),
        pick_ups=round(dials * profile.pick_up_ratio),
        seconds=round(mean),
        seconds_low=max(0, round(mean - _BAND * spread)),
        seconds_high=round(mean + _BAND * spread),
    )


@dataclass(frozen=True)
class _OneLead:
    """What one lead takes: the mean number of dials, and the variance of its talk in seconds squared."""

    dials: float
    variance: float


def _one_lead(profile: DialProfile, max_attempts: int) -> _OneLead:
    """
    Add up the ways a lead may go: reached at the n-th try, or never.

    Dials of one lead aren't independent: who talks long isn't called again, so that the talk of all varies
    less than that of as many single dials.
    """
    end = profile.end_ratio
    other, other_variance = _other_dials(profile)
    dials = mean = square = 0.0
    for number in range(1, max_attempts + 1):
        before = (number - 1) * other
        reached = end * (1 - end) ** (number - 1)
        talk = before + profile.end_seconds
        dials += reached * number
        mean += reached * talk
        square += reached * (talk**2 + (number - 1) * other_variance + profile.end_variance)
    never, wasted = (1 - end) ** max_attempts, max_attempts * other
    dials += never * max_attempts
    mean += never * wasted
    square += never * (wasted**2 + max_attempts * other_variance)
    return _OneLead(dials, max(0.0, square - mean * mean))


def _other_dials(profile: DialProfile) -> tuple[float, float]:
    """Return mean and variance of the dials that end no lead: what the mean of all leaves to them."""
    share = 1 - profile.end_ratio
    if not share:
        return 0.0, 0.0
    talked = profile.end_ratio * profile.end_seconds
    mean = max(0.0, (profile.mean_seconds - talked) / share)
    squares = profile.variance + profile.mean_seconds**2
    of_ends = profile.end_ratio * (profile.end_variance + profile.end_seconds**2)
    return mean, max(0.0, (squares - of_ends) / share - mean**2)


@dataclass(frozen=True)
class Pace:
    """How fast and when it is dialled; `pauses` are seconds after busy, no answer, voicemail, declined, technical."""

    slots: int
    calls_per_second: float
    starts_at: datetime
    today_ends: datetime
    max_attempts: int
    pauses: tuple[int, int, int, int, int]
    # How many dials the numbers may make on a UTC day; None where one of them has no cap.
    room_on: Callable[[date], int] | None = None


# Of dials that reached nobody: busy, no answer, declined. Assumed, as the profile is.
_BUSY, _NO_ANSWER, _DECLINED = 0.11, 0.78, 0.11


def forecast(*, groups: Sequence[PlaceGroup], pace: Pace, profile: DialProfile) -> Forecast:
    """Return what calling the leads of these places takes, with up to `max_attempts` tries for each."""
    leads_by_tries: Counter[int] = Counter()
    for group in groups:
        # Whoever stands in line is called once more at least.
        leads_by_tries[max(1, pace.max_attempts - group.attempt + 1)] += group.count
    leads = leads_by_tries.total()
    load = talk_load(leads_by_tries=leads_by_tries, profile=profile)
    when = timetable(
        groups=groups,
        retries=_retries(pace, profile),
        per_second=dials_per_second(
            slots=pace.slots, calls_per_second=pace.calls_per_second, profile=profile
        ),
        starts_at=pace.starts_at,
        today_ends=pace.today_ends,
        room_on=pace.room_on,
    )
    last_call = timedelta(seconds=math.ceil(_RING_SECONDS + profile.mean_seconds))
    return Forecast(
        dials=load.dials,
        pick_ups=load.pick_ups,
        seconds=load.seconds,
        seconds_low=load.seconds_low,
        seconds_high=load.seconds_high,
        first_pass_at=when.first_pass_at + last_call if leads and when.first_pass_at else None,
        ends_at=when.ends_at + last_call if leads and when.ends_at else None,
        dials_today=when.dials_today,
        profile=profile,
    )


def dials_per_second(*, slots: int, calls_per_second: float, profile: DialProfile) -> float:
    """Return how many calls can be begun in a second with so many lines."""
    return min(calls_per_second, max(1, slots) / (_RING_SECONDS + profile.mean_seconds))


def _retries(pace: Pace, profile: DialProfile) -> Retries:
    """Return the shares of dials that are tried again, scaled to what doesn't end a lead."""
    busy, no_answer, voicemail, declined, technical = pace.pauses
    nobody, again = profile.no_contact_ratio, 1 - profile.end_ratio
    shares = [
        (nobody * _BUSY, busy),
        (nobody * _NO_ANSWER, no_answer),
        (nobody * _DECLINED, declined),
        (profile.machine_ratio, voicemail),
    ]
    other = max(0.0, again - sum(share for share, _pause in shares))
    shares.append((other, technical))
    total = sum(share for share, _pause in shares)
    scaled = (
        tuple((share / total * again, pause) for share, pause in shares if share) if total else ()
    )
    return Retries(max_attempts=pace.max_attempts, pauses=scaled)
