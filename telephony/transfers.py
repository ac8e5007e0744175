"""Transfers to somebody else: how what events tell of them adds up, in whatever order they come."""

from __future__ import annotations

from typing import Final

STARTED: Final = "started"
CANCELLED: Final = "cancelled"
BRIDGED: Final = "bridged"

# Of several transfers in one call the one that got furthest counts.
ORDER: Final = {"": 0, STARTED: 1, CANCELLED: 2, BRIDGED: 3}
# Retell says how some calls were handed over by how they ended, cold or after a word with somebody.
BRIDGED_REASONS: Final = ("call_transfer", "transfer_bridged")
CANCELLED_REASON: Final = "transfer_cancelled"
REASONS: Final = {**dict.fromkeys(BRIDGED_REASONS, BRIDGED), CANCELLED_REASON: CANCELLED}


def furthest(*told: str) -> str:
    """Return which of these statuses of a transfer is furthest; empty where none was tried."""
    return max(told, key=ORDER.__getitem__)
