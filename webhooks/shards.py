"""Which of several drains applies an event: all events of one call go to the same one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zlib import crc32

from django.conf import settings
from django.db.models import Q

if TYPE_CHECKING:
    from collections.abc import Iterable

SLOTS: Final = 256
_BELL: Final = "drain"


def slot_of(provider_call_id: str) -> int:
    """Return the slot of a call, from 0 to 255: always the same, and spread evenly."""
    return crc32(provider_call_id.encode(errors="replace")) % SLOTS


@dataclass(frozen=True, slots=True)
class Shard:
    """One drain's part of the inbox: the `index`-th of `count`; without anything all of it."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count <= SLOTS:
            raise ValueError(f"There is no shard {self.index} of {self.count}.")

    @property
    def bell(self) -> str:
        """What wakes this drain."""
        return _BELL if self.count == 1 else f"{_BELL}:{self.index}"

    def events(self) -> Q:
        """Return what keeps the events of this shard; rows of before there were slots are the first's."""
        if self.count == 1:
            return Q()
        mine = Q(slot__in=range(self.index, SLOTS, self.count))
        return mine | Q(slot=None) if not self.index else mine


def bells() -> Iterable[str]:
    """Return the bells of all drains there are: `DRAIN_SHARDS`."""
    count = settings.DRAIN_SHARDS
    return [Shard(index, count).bell for index in range(count)]
