"""When a launch is likely to be through: its dials step by step, in the hours of each place, all attempts included."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from campaigns.dialling.windows import is_open

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime

    from campaigns.dialling.windows import Hours

# Fine steps while a short list may end in them, coarse ones after that.
FINE, COARSE = timedelta(minutes=5), timedelta(minutes=30)
FINE_FOR = timedelta(hours=6)
HORIZON = timedelta(days=45)
# Less than half a lead is nobody.
NOBODY = 0.5
MOST_GROUPS = 24


@dataclass(frozen=True)
class PlaceGroup:
    """
    Leads who have the same hours in the same zones; `hours` is None where any hour will do.

    Their next try is their `attempt`-th, not before `due_at` (None: at once).
    """

    zones: tuple[str, ...]
    hours: Hours | None
    count: int
    attempt: int = 1
    due_at: datetime | None = None


@dataclass(frozen=True)
class Retries:
    """What follows a dial that doesn't end a lead: shares of all dials, with their pauses in seconds."""

    max_attempts: int
    pauses: tuple[tuple[float, int], ...]


@dataclass(frozen=True)
class Timetable:
    """When everybody was tried once, when all is over (None: beyond the horizon), dials before `today_ends`."""

    first_pass_at: datetime | None
    ends_at: datetime | None
    dials_today: int


class _Place:
    """The leads who have the same hours: who is due, by attempt, and who is due later, by the instant."""

    def __init__(self, zones: tuple[str, ...], hours: Hours | None) -> None:
        self.zones, self.hours = zones, hours
        self.due: dict[int, float] = {}
        self.later: dict[datetime, dict[int, float]] = {}

    def add(self, group: PlaceGroup) -> None:
        where = self.due if group.due_at is None else self.later.setdefault(group.due_at, {})
        where[group.attempt] = where.get(group.attempt, 0.0) + group.count

    def is_over(self) -> bool:
        return not (self.due or self.later)

    def is_tried(self) -> bool:
        """Tell whether each of them was dialled once."""
        return not any(1 in amounts for amounts in (self.due, *self.later.values()))

    def is_open(self, now: datetime) -> bool:
        return self.hours is None or is_open(hours=self.hours, zones=self.zones, at=now)

    def wake(self, now: datetime) -> None:
        """Make those due whose pause is over."""
        for at in [at for at in self.later if at <= now]:
            for attempt, amount in self.later.pop(at).items():
                self.due[attempt] = self.due.get(attempt, 0.0) + amount

    def dial(self, now: datetime, room: float, retries: Retries) -> float:
        """Dial who is due, first tries first, and put back who is tried again; return how many."""
        left = room
        for attempt in sorted(self.due):
            amount = min(self.due[attempt], left)
            left -= amount
            self.due[attempt] -= amount
            if attempt < retries.max_attempts:
                for share, seconds in retries.pauses:
                    amounts = self.later.setdefault(_slot(now, seconds), {})
                    amounts[attempt + 1] = amounts.get(attempt + 1, 0.0) + amount * share
        self._forget_nobody()
        return room - left

    def _forget_nobody(self) -> None:
        """Forget an attempt for which less than half a lead is left, once no earlier one feeds it."""
        left: dict[int, float] = defaultdict(float)
        for amounts in (self.due, *self.later.values()):
            for attempt, amount in amounts.items():
                left[attempt] += amount
        for attempt in sorted(left):
            if left[attempt] >= NOBODY:
                break
            for amounts in (self.due, *self.later.values()):
                amounts.pop(attempt, None)
        self.later = {at: amounts for at, amounts in self.later.items() if amounts}


def _slot(now: datetime, seconds: int) -> datetime:
    """Return the instant after a pause, in whole fine steps: so that few of them are kept apart."""
    return now + -(-timedelta(seconds=seconds) // FINE) * FINE


def timetable(
    *,
    groups: Sequence[PlaceGroup],
    retries: Retries,
    per_second: float,
    starts_at: datetime,
    today_ends: datetime,
    room_on: Callable[[date], int] | None = None,
) -> Timetable:
    """
    Follow the expected numbers of dials through time, at most `per_second` of them.

    `room_on` says how many the numbers may make on a UTC day, while they warm up or have caps.

    An estimate: fractions of leads are dialled, and pauses are those of the campaign without exceptions.
    """
    places = _places([group for group in groups if group.count])
    now, ends, first_pass = starts_at, starts_at, None
    today = 0.0
    left: dict[date, float] = {}
    while not all(place.is_over() for place in places) and now < starts_at + HORIZON:
        step = FINE if now - starts_at < FINE_FOR else COARSE
        room = per_second * step.total_seconds()
        day = now.astimezone(UTC).date()
        if room_on is not None:
            room = min(room, left.setdefault(day, room_on(day)))
        dialled = 0.0
        for place in places:
            place.wake(now)
            if place.due and place.is_open(now):
                dialled += place.dial(now, room - dialled, retries)
        if room_on is not None:
            left[day] -= dialled
        if dialled:
            ends = now + timedelta(seconds=dialled / per_second)
            today += dialled if now < today_ends else 0
        if first_pass is None and all(place.is_tried() for place in places):
            first_pass = ends
        now += step
    is_over = all(place.is_over() for place in places)
    return Timetable(first_pass, ends if is_over else None, round(today))


def _places(groups: Sequence[PlaceGroup]) -> list[_Place]:
    """Keep apart those with the most leads; the leads of the others are counted with the largest."""
    sizes: Counter[tuple[tuple[str, ...], Hours | None]] = Counter()
    for group in groups:
        sizes[group.zones, group.hours] += group.count
    kept = {key: _Place(*key) for key, _size in sizes.most_common(MOST_GROUPS)}
    for group in groups:
        place = kept.get((group.zones, group.hours)) or next(iter(kept.values()))
        place.add(group)
    return list(kept.values())
