"""Periodic work of the room that sees all others: news that never came, money and dials left open."""

from __future__ import annotations

from typing import Any

from billing.services import expire_holds
from campaigns.services.dialling import resolve_unknown_attempts
from convomono.lib import clock
from telephony.retell import retell_gateway
from webhooks import sweeper


def sweep_calls(**_later: Any) -> int:
    """Fetch calls that have been silent for too long."""
    return sweeper.sweep_calls(gateway=retell_gateway(), now=clock.now())


def sweep_parked(**_later: Any) -> int:
    """Fetch the calls of events that nobody claims."""
    return sweeper.sweep_parked(gateway=retell_gateway(), now=clock.now())


def expire_lost_holds(**_later: Any) -> int:
    """Give back the minutes of dials that nobody ever heard of again."""
    return expire_holds(now=clock.now())


def resolve_lost_answers(**_later: Any) -> None:
    """Find out what became of dials whose answer was lost."""
    resolve_unknown_attempts(now=clock.now())
