"""Spoils the books of calls that are over, so that comparing them with ours finds something."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from telephony.sandbox.agents import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.sandbox.calls import Call, Switchboard

LONGER_MS = 30_000
DEARER = 1.5


def lose(call: Call, board: Switchboard) -> None:
    board.delete(call)


def invent(call: Call, board: Switchboard) -> None:
    """Add a call that nobody asked for and that no event tells of."""
    board.add(replace(call, call_id=new_id("call_", 27), metadata=None, idempotency_key=None))


def lengthen(call: Call, _board: Switchboard) -> None:
    if call.ended_ms is not None:
        call.ended_ms += LONGER_MS


def raise_cost(call: Call, _board: Switchboard) -> None:
    call.cost_factor *= DEARER


def double(call: Call, board: Switchboard) -> None:
    """Tell the end once more, under another id of the same attempt."""
    twin = replace(call, call_id=new_id("call_", 27), idempotency_key=None)
    board.add(twin)
    board.tell_end(twin)


SPOILERS: dict[str, Callable[[Call, Switchboard], None]] = {
    "books_cost": raise_cost,
    "books_longer": lengthen,
    "books_extra": invent,
    "books_double": double,
    "books_lost": lose,  # the last: what is lost can't be spoilt further
}
