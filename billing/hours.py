"""
What each client used hour by hour: counted as lines are written, so that nobody adds up lines.

Everything that writes runs inside the block of a line of the ledger, which has written the wallet
before: two blocks of one wallet never run side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from billing.models import Transaction, UsedHour
from convomono.lib.bulk import update_row

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
    same = {"client_id": client_id, "hour_at": hour}
    if not update_row(UsedHour, same, {}, add={"seconds": used}):
        UsedHour.objects.create(client_id=client_id, hour_at=hour, seconds=used)


@dataclass
class Use:
    """
    What a client used of late, in seconds.

    `today_seconds` in this hour and the 23 before it; `running` in each of the latest 24 hours in
    which it used any, within a week, the latest first.
    """

    today_seconds: int = 0
    running: list[int] = field(default_factory=list)


def recent_use(client_ids: Iterable[UUID], *, now: datetime) -> dict[UUID, Use]:
    """Return what clients used of late; one query, and those who used nothing are left out."""
    rows = UsedHour.objects.filter(
        client_id__in=list(client_ids), hour_at__gt=hour_of(now - RUNNING_WITHIN)
    )
    today = hour_of(now) - timedelta(hours=RUNNING_HOURS - 1)
    found: dict[UUID, Use] = {}
    in_order = rows.order_by("client_id", "-hour_at")
    for client_id, hour_at, seconds in in_order.values_list("client_id", "hour_at", "seconds"):
        use = found.setdefault(client_id, Use())
        if hour_at >= today:
            use.today_seconds += seconds
        if len(use.running) < RUNNING_HOURS:
            use.running.append(seconds)
    return found


def purge_hours(*, now: datetime) -> int:
    """Delete hours that nobody looks back to, some at a time; return how many."""
    old = UsedHour.objects.filter(hour_at__lt=hour_of(now - KEPT)).order_by("hour_at", "pk")
    gone = 0
    while some := list(old.values_list("pk", flat=True)[:AT_ONCE]):
        gone += UsedHour.objects.filter(pk__in=some).delete()[0]
    return gone
