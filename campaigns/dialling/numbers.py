"""Which number a call is made from: the same for the same person, else one near by, least recently used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from campaigns.calling_rules.places import area_code, state_of_number
from campaigns.dialling import waiting
from campaigns.models import Attempt
from telephony.models import PhoneNumber
from telephony.number_health import cap_on

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

_NEAREST = ("area", "state", "turn")
_LIVE = (Attempt.Status.DIALLING, Attempt.Status.PLACED, Attempt.Status.UNKNOWN)


class _Number(NamedTuple):
    """The columns of a `PhoneNumber` that choosing looks at."""

    pk: UUID
    phone_number: str
    last_used_at: datetime | None
    resting_until: datetime | None
    daily_cap: int
    warming_from: date | None
    used_on: date | None
    used_count: int
    concurrency_limit: int
    health: str


@dataclass
class NumberPool:
    """
    Numbers of a client at one moment, the least recently used first; those at risk come last.

    Pools of one client share what is `left` for each number, of its cap and its lines: campaigns may
    use the same number. Without a usable one `code` says why, and `until` when that ends, if it
    ends by itself.
    """

    usable: list[str] = field(default_factory=list)
    code: str = ""
    until: datetime | None = None
    _left: dict[str, int] = field(default_factory=dict)
    _full_first: frozenset[str] = frozenset()  # whose lines are taken before their day's calls are
    _at_risk: frozenset[str] = frozenset()
    _awake: frozenset[str] = frozenset()
    _day_ends: datetime | None = None

    def choose(self, *, preferred: str = "", near: str = "") -> str | None:
        """
        Take a number for one call to `near`; None if none is left.

        The `preferred` one if it may be used; else one of the same area code, else of the same state,
        else any. Numbers that wear out are spared as long as there are others.
        """
        self.usable = [one for one in self.usable if self._left.get(one, 1) > 0]
        if not self.usable:
            if not self.code:
                self.note_used_up()
            return None
        chosen = preferred if preferred in self.usable else self._nearest(near)
        self.usable.remove(chosen)
        left = self._left.get(chosen)
        if left is not None:
            self._left[chosen] = left - 1
        if left is None or left > 1:
            self.usable.append(chosen)
        if not self.usable:
            self.note_used_up()
        return chosen

    def may_still_use(self, number: str) -> bool:
        """Tell whether a number that was chosen before is the client's and doesn't rest, caps aside."""
        return number in self._awake

    def note_used_up(self) -> None:
        """Say why no number is left: the day's calls of all are made, or their lines are full."""
        if self._full_first:
            self.code = waiting.NUMBER_LINES_FULL
        else:
            self.code, self.until = waiting.NUMBERS_CAPPED, self._day_ends

    def _nearest(self, near: str) -> str:
        area, state = _where(near)

        def distance(number: str) -> tuple[bool, int]:
            return number in self._at_risk, _distance(_where(number), area, state)

        # The first of the nearest: they stand in the order of their last use.
        return min(self.usable, key=distance)


def number_pool(
    *, client_id: UUID, now: datetime, only: Sequence[str] = (), left: dict[str, int] | None = None
) -> NumberPool:
    """
    Read a client's numbers; a resting one and one at its cap or its calls at once are left out.

    `only` are the ones a campaign may use (none: all), `left` what another pool of the same moment
    has left of them. The cap is of the UTC day, and smaller while a number warms up.
    """
    numbers = _numbers_of(client_id, only)
    if not numbers:
        return NumberPool(code=waiting.NO_NUMBER)
    awake = [one for one in numbers if one.resting_until is None or one.resting_until <= now]
    if not awake:
        return NumberPool(code=waiting.NUMBERS_RESTING, until=_wakes_at(numbers))
    left = {} if left is None else left
    full_first = _fill(left, awake, now)
    usable = [one.phone_number for one in awake if left.get(one.phone_number, 1) > 0]
    pool = NumberPool(
        usable=usable,
        _left=left,
        _full_first=full_first,
        _awake=frozenset(one.phone_number for one in awake),
        _day_ends=_day_ends(now),
        _at_risk=frozenset(
            one.phone_number for one in awake if one.health == PhoneNumber.Health.AT_RISK
        ),
    )
    if not usable:
        pool.note_used_up()
    return pool


def _numbers_of(client_id: UUID, only: Sequence[str]) -> list[_Number]:
    """Return a client's numbers, the least recently used first; a hundred of them are read often."""
    rows = PhoneNumber.objects.filter(client_id=client_id, released_at=None)
    numbers = [_Number(*row) for row in rows.values_list(*_Number._fields)]
    numbers = [one for one in numbers if not only or one.phone_number in only]
    numbers.sort(key=lambda one: (one.last_used_at is not None, one.last_used_at, one.pk))
    return numbers


def _fill(left: dict[str, int], awake: Sequence[_Number], now: datetime) -> frozenset[str]:
    """Write what each number may still do; return those whose lines are taken before their cap is."""
    full_first = set()
    live = _live_calls([one.phone_number for one in awake if one.concurrency_limit])
    for one in awake:
        limits = []
        if cap := cap_on(now.date(), daily_cap=one.daily_cap, warming_from=one.warming_from):
            limits.append(cap - _used(one, now))
        if one.concurrency_limit:
            lines = one.concurrency_limit - live[one.phone_number]
            if not limits or max(lines, 0) < max(limits[0], 0):
                full_first.add(one.phone_number)
            limits.append(lines)
        if limits:
            left.setdefault(one.phone_number, min(limits))
    return frozenset(full_first)


def _live_calls(numbers: Sequence[str]) -> Counter[str]:
    """Count the calls that are on a line, of numbers that may have so many at once; one query."""
    if not numbers:
        return Counter()
    rows = Attempt.objects.filter(status__in=_LIVE, from_number__in=numbers)
    return Counter(rows.values_list("from_number", flat=True))


def _day_ends(now: datetime) -> datetime:
    """Return when a number's calls of the day are counted anew: days are those of UTC."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


def chosen_by(*, number: str, preferred: str, near: str) -> str:
    """Return why a call is made from a number: a code of `wording`."""
    return "same" if number == preferred else _nearness(number, near)


def _nearness(number: str, near: str) -> str:
    return _NEAREST[_distance(_where(number), *_where(near))]


def _distance(there: tuple[str, str], area: str, state: str) -> int:
    """Return how far a number's area and state are from others: the index in `_NEAREST`."""
    if area and there[0] == area:
        return 0
    return 1 if state and there[1] == state else 2


@lru_cache(maxsize=10_000)
def _where(number: str) -> tuple[str, str]:
    """Return an American number's area code and state; empty where it has none."""
    return area_code(number), state_of_number(number)


def _wakes_at(numbers: Sequence[_Number]) -> datetime:
    return min(one.resting_until for one in numbers if one.resting_until is not None)


def _used(number: _Number, now: datetime) -> int:
    return number.used_count if number.used_on == now.date() else 0
