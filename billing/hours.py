"""
What each client used hour by hour: counted as lines are written, so that nobody adds up lines.

Everything that writes runs inside the block of a line of the ledger, which has written the wallet
before: two blocks of one wallet never run side by side.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from django.db.models import F

from billing.models import Transaction, UsedHour

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

RUNNING_HOURS = 24
RUNNING_WITHIN = timedelta(days=7)
AT_ONCE = 200
KEPT = timedelta(days=8)
"""Longer than anybody looks back."""


def hour_of(instant: datetime) -> datetime:
    """Return the beginning of its hour, in UTC."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def count_use(lines: Sequence[Transaction]) -> None:
    """Add what lines of one client bill to their hours; the lines were written at one instant."""
    used = sum(line.seconds for line in lines if line.type == Transaction.Type.CONSUME)
    if not used:
        return
    client_id, hour = lines[0].client_id, hour_of(lines[0].created_at)
    mine = UsedHour.objects.filter(client_id=client_id, hour_at=hour)
    if not mine.update(seconds=F("seconds") + used):
        UsedHour.objects.create(client_id=client_id, hour_at=hour, seconds=used)


def used_today(client_ids: Iterable[UUID], *, now: datetime) -> dict[UUID, list[int]]:
    """Return the seconds that clients used in each hour that had any: this one and the 23 before it."""
    since = hour_of(now) - timedelta(hours=RUNNING_HOURS - 1)
    rows = UsedHour.objects.filter(client_id__in=list(client_ids), hour_at__gte=since)
    found: dict[UUID, list[int]] = {}
    for client_id, seconds in rows.values_list("client_id", "seconds"):
        found.setdefault(client_id, []).append(seconds)
    return found


def running_hours(client_id: UUID, *, now: datetime) -> list[int]:
    """Return the seconds of the latest 24 hours in which a client used any, within a week."""
    mine = UsedHour.objects.filter(client_id=client_id, hour_at__gt=hour_of(now - RUNNING_WITHIN))
    return list(mine.order_by("-hour_at").values_list("seconds", flat=True)[:RUNNING_HOURS])


def purge_hours(*, now: datetime) -> int:
    """Delete hours that nobody looks back to, some at a time; return how many."""
    old = UsedHour.objects.filter(hour_at__lt=hour_of(now - KEPT)).order_by("hour_at", "pk")
    gone = 0
    while some := list(old.values_list("pk", flat=True)[:AT_ONCE]):
        gone += UsedHour.objects.filter(pk__in=some).delete()[0]
    return gone
