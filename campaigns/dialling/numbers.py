"""Which number a call is made from: least recently used, the same for the same person if it can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from campaigns.dialling import waiting
from telephony.models import PhoneNumber

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID


@dataclass
class NumberPool:
    """
    Numbers of a client at one moment, the least recently used first.

    Pools of one client share what is left of each number's cap: campaigns may use the same number.
    Without a usable one `code` says why, and `until` when that ends, if it ends by itself.
    """

    usable: list[str] = field(default_factory=list)
    code: str = ""
    until: datetime | None = None
    _left: dict[str, int] = field(default_factory=dict)

    def choose(self, *, preferred: str = "") -> str | None:
        """Take a number for one call; None if none is left."""
        self.usable = [one for one in self.usable if self._left.get(one, 1) > 0]
        if not self.usable:
            self.code = self.code or waiting.NUMBERS_CAPPED
            return None
        chosen = preferred if preferred in self.usable else self.usable[0]
        self.usable.remove(chosen)
        left = self._left.get(chosen)
        if left is not None:
            self._left[chosen] = left - 1
        if left is None or left > 1:
            self.usable.append(chosen)
        if not self.usable:
            self.code = waiting.NUMBERS_CAPPED
        return chosen


def number_pool(
    *, client_id: UUID, now: datetime, only: Sequence[str] = (), left: dict[str, int] | None = None
) -> NumberPool:
    """
    Read a client's numbers; a resting one and one at its cap of the UTC day are left out.

    `only` are the ones a campaign may use (none: all), `left` what another pool of the same moment
    has left of their caps.
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
    for one in awake:
        if one.daily_cap:
            left.setdefault(one.phone_number, _calls_left(one, now))
    usable = [one.phone_number for one in awake if left.get(one.phone_number, 1) > 0]
    return NumberPool(usable=usable, code="" if usable else waiting.NUMBERS_CAPPED, _left=left)


def _wakes_at(numbers: Sequence[PhoneNumber]) -> datetime:
    return min(one.resting_until for one in numbers if one.resting_until is not None)


def _calls_left(number: PhoneNumber, now: datetime) -> int:
    used = number.used_count if number.used_on == now.date() else 0
    return number.daily_cap - used
