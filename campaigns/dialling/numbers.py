"""Which number a call is made from: the same for the same person, else one near by, least recently used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from campaigns.calling_rules.places import area_code, state_of_number
from campaigns.dialling import waiting
from campaigns.models import Attempt
from telephony.models import PhoneNumber
from telephony.number_health import cap_on

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

_LIVE = (Attempt.Status.DIALLING, Attempt.Status.PLACED, Attempt.Status.UNKNOWN)


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
                self._is_capped()
            return None
        chosen = preferred if preferred in self.usable else self._nearest(near)
        self.usable.remove(chosen)
        left = self._left.get(chosen)
        if left is not None:
            self._left[chosen] = left - 1
        if left is None or left > 1:
            self.usable.append(chosen)
        if not self.usable:
            self._is_capped()
        return chosen

    def may_still_use(self, number: str) -> bool:
        """Tell whether a number that was chosen before is the client's and doesn't rest, caps aside."""
        return number in self._awake

    def _is_capped(self) -> None:
        self.code, self.until = waiting.NUMBERS_CAPPED, self._day_ends

    def _nearest(self, near: str) -> str:
        area, state = area_code(near), state_of_number(near)

        def distance(number: str) -> tuple[bool, int]:
            is_near = bool(area) and area_code(number) == area
            is_of_state = bool(state) and state_of_number(number) == state
            return number in self._at_risk, 0 if is_near else 1 if is_of_state else 2

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
    numbers = list(PhoneNumber.objects.filter(client_id=client_id, released_at=None))
    numbers = [one for one in numbers if not only or one.phone_number in only]
    numbers.sort(key=lambda one: (one.last_used_at is not None, one.last_used_at, one.pk))
    if not numbers:
        return NumberPool(code=waiting.NO_NUMBER)
    awake = [one for one in numbers if one.resting_until is None or one.resting_until <= now]
    if not awake:
        return NumberPool(code=waiting.NUMBERS_RESTING, until=_wakes_at(numbers))
    left = {} if left is None else left
    capped = _fill(left, awake, now)
    usable = [one.phone_number for one in awake if left.get(one.phone_number, 1) > 0]
    all_capped = len(capped) == len(awake)
    code = waiting.NUMBERS_CAPPED if all_capped else waiting.NUMBER_LINES_FULL
    day_ends = _day_ends(now)
    return NumberPool(
        usable=usable,
        code="" if usable else code,
        until=day_ends if all_capped and not usable else None,
        _left=left,
        _awake=frozenset(one.phone_number for one in awake),
        _day_ends=day_ends,
        _at_risk=frozenset(
            one.phone_number for one in awake if one.health == PhoneNumber.Health.AT_RISK
        ),
    )


def _fill(left: dict[str, int], awake: Sequence[PhoneNumber], now: datetime) -> set[str]:
    """Write what each number may still do; return those at their cap of the day."""
    capped = set()
    live = _live_calls([one.phone_number for one in awake if one.concurrency_limit])
    for one in awake:
        limits = []
        if cap := cap_on(now.date(), daily_cap=one.daily_cap, warming_from=one.warming_from):
            limits.append(cap - _used(one, now))
            if limits[0] <= 0:
                capped.add(one.phone_number)
        if one.concurrency_limit:
            limits.append(one.concurrency_limit - live[one.phone_number])
        if limits:
            left.setdefault(one.phone_number, min(limits))
    return capped


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
    if number == preferred:
        return "same"
    if area_code(near) and area_code(number) == area_code(near):
        return "area"
    state = state_of_number(near)
    return "state" if state and state_of_number(number) == state else "turn"


def _wakes_at(numbers: Sequence[PhoneNumber]) -> datetime:
    return min(one.resting_until for one in numbers if one.resting_until is not None)


def _used(number: PhoneNumber, now: datetime) -> int:
    return number.used_count if number.used_on == now.date() else 0
