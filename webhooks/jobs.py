"""Periodic work of the room that sees all others: news that never came, money and dials left open."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.conf import settings

from billing.services import expire_holds
from campaigns.services.dialling import resolve_unknown_attempts
from convomono.lib import clock
from telephony.retell import retell_gateway
from webhooks import alerts, retention, sweeper

_PURGE_PAUSE_SECONDS = 0.01


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


def give_up_parked(**_later: Any) -> int:
    """Stop trying events of nobody's calls."""
    return retention.give_up_parked(now=clock.now())


def purge_events(**_later: Any) -> int:
    """Delete events older than WEBHOOK_RETENTION_DAYS."""
    before = clock.now() - timedelta(days=settings.WEBHOOK_RETENTION_DAYS)
    return retention.purge_events(before=before, pause=lambda: time.sleep(_PURGE_PAUSE_SECONDS))


def watch_webhooks(**_later: Any) -> list[str]:
    """Tell the agency if events don't come, aren't taken or aren't applied."""
    now, real_now = clock.now(), clock.real_now()
    signals = alerts.read_signals(now=now, real_now=real_now, factor=clock.CLOCK.factor)
    return alerts.raise_alerts(
        signals, now=now, real_now=real_now, base_url=settings.PUBLIC_BASE_URL
    )
