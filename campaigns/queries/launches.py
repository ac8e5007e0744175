"""The launches of campaigns with their minutes, added up by the database: a campaign may have had thousands."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db.models import Count, Max, Q, Sum

from campaigns.models import BatchCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.models import Campaign

LIVE = (BatchCall.Status.SCHEDULED, BatchCall.Status.RUNNING, BatchCall.Status.PAUSED)
ENDS = ("done", "exhausted", "suppressed", "invalid", "cancelled")
IN_PROGRESS = ("queued", "dialling", "in_call")
STATUSES = (*ENDS, *IN_PROGRESS)
# Of a launch that was stopped people may still be called, or wait in lists at Retell.
MOVING = Q(status__in=LIVE) | Q(dialling_count__gt=0) | Q(in_call_count__gt=0)


# What a launch reserved, and what became of it: Minutes' field -> the reservation's column.
_MINUTES = {
    "granted": "granted_seconds",
    "held": "held_seconds",
    "charged": "charged_seconds",
    "free": "free_seconds",
    "cost_micros": "charged_micros",
}


@dataclass(frozen=True)
class Minutes:
    """
    What launches reserved and what became of it, in seconds; test calls have minutes of their own.

    `charged` and `cost_micros` are what the client was billed less what was given back.
    """

    granted: int = 0
    held: int = 0
    charged: int = 0
    free: int = 0
    cost_micros: int = 0

    @property
    def left(self) -> int:
        """Reserved and not used yet."""
        return self.free + self.held


def minutes_of(launches: Iterable[BatchCall]) -> Minutes:
    """Add up the minutes of launches that were read together with their reservations."""
    mine = [row.reservation for row in launches if row.reservation]
    return Minutes(
        **{name: sum(getattr(row, column) for row in mine) for name, column in _MINUTES.items()}
    )


@dataclass(frozen=True)
class Totals:
    """All launches of a campaign added up by the database; the two instants are of the newest."""

    enrolled: int = 0
    by_status: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    converted: int = 0
    moving: int = 0  # launches in which something may still happen
    newest_at: datetime | None = None
    last_dialled_at: datetime | None = None
    minutes: Minutes = field(default_factory=Minutes)


def totals_of(campaigns: Iterable[Campaign]) -> dict[UUID, Totals]:
    """Return the sums over every launch these campaigns ever had; one query."""
    rows = _launches(campaigns)
    summed = (
        rows.order_by()
        .values_list("campaign_id")
        .annotate(
            enrolled=Sum("tasks_count"),
            converted=Sum("converted_count"),
            moving=Count("pk", filter=MOVING),
            newest_at=Max("created_at"),
            dialled_at=Max("last_dialled_at"),
            **{f"{name}_sum": Sum(f"{name}_count") for name in STATUSES},
            **{name: Sum(f"reservation__{column}") for name, column in _MINUTES.items()},
        )
    )
    return {
        key: Totals(
            enrolled=enrolled,
            by_status=dict(zip(STATUSES, sums[: len(STATUSES)], strict=True)),
            converted=converted,
            moving=moving,
            newest_at=newest_at,
            last_dialled_at=dialled_at,
            minutes=Minutes(*(number or 0 for number in sums[len(STATUSES) :])),
        )
        for key, enrolled, converted, moving, newest_at, dialled_at, *sums in summed
    }


def launches_of(
    campaigns: Iterable[Campaign], totals: Mapping[UUID, Totals]
) -> dict[UUID, list[BatchCall]]:
    """
    Return the launches of these campaigns that aren't over, and the newest of each, oldest first.

    One query, however many launches there ever were: a campaign may launch its new leads each hour.
    """
    found: dict[UUID, list[BatchCall]] = defaultdict(list)
    newest = [one.newest_at for one in totals.values() if one.newest_at]
    for row in (
        _launches(campaigns).filter(MOVING | Q(created_at__in=newest)).order_by("created_at", "pk")
    ):
        found[row.campaign_id].append(row)
    return found


def _launches(campaigns: Iterable[Campaign]) -> QuerySet[BatchCall]:
    rows = list(campaigns)
    return BatchCall.objects.filter(
        client_id__in={row.client_id for row in rows}, campaign_id__in=[row.pk for row in rows]
    )
