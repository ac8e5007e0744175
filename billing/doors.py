"""What a corrected charge asks of the counters above; reporting registers itself, billing knows none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from telephony.models import Call


class CounterDoor(Protocol):
    """The counters of days, as a correction of the ledger sees them."""

    def __call__(self, *, call: Call) -> dict[str, Any] | None:
        """
        Bring the call's day up to what the call says now, inside the caller's transaction.

        Return what the call has then added, to be kept on it (`counted`); None: nothing changed.
        """
        ...


_doors: list[CounterDoor] = []


def register(door: CounterDoor) -> None:
    """Make this the door to the counters; the reporting room calls it at start-up."""
    _doors[:] = [door]


def counters() -> CounterDoor:
    """Return the registered door."""
    return _doors[0]
