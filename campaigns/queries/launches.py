"""The launches of campaigns, added up by the database: a campaign may have had thousands."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db.models import Max, Q, Sum

from billing.models import Reservation
from campaigns.models import BatchCall, TrialCall

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.models import Campaign

LIVE = (BatchCall.Status.SCHEDULED, BatchCall.Status.RUNNING, BatchCall.Status.PAUSED)
ENDS = ("done", "exhausted", "suppressed", "invalid", "cancelled")
IN_PROGRESS = ("queued", "dialling", "in_call")
STATUSES = (*ENDS, *IN_PROGRESS)


@dataclass(frozen=True)
class Totals:
    """All launches of a campaign added up by the database; the two instants are of the newest."""

    enrolled: int = 0
    by_status: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    converted: int = 0
    newest_at: datetime | None = None
    last_dialled_at: datetime | None = None


def totals_of(campaigns: Iterable[Campaign]) -> dict[UUID, Totals]:
    """Return the sums over every launch these campaigns ever had; one query."""
    rows = BatchCall.objects.filter(campaign_id__in=[row.pk for row in campaigns])
    summed = (
        rows.order_by()
        .values_list("campaign_id")
        .annotate(
            enrolled=Sum("tasks_count"),
            converted=Sum("converted_count"),
            newest_at=Max("created_at"),
            dialled_at=Max("last_dialled_at"),
            **{f"{name}_sum": Sum(f"{name}_count") for name in STATUSES},
        )
    )
    return {
        key: Totals(
            enrolled=enrolled,
            by_status=dict(zip(STATUSES, counts, strict=True)),
            converted=converted,
            newest_at=newest_at,
            last_dialled_at=dialled_at,
        )
        for key, enrolled, converted, newest_at, dialled_at, *counts in summed
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
    # Of a launch that was stopped people may still be called, or wait in lists at Retell.
    called = Q(dialling_count__gt=0) | Q(in_call_count__gt=0)
    shown = Q(status__in=LIVE) | Q(created_at__in=newest) | called
    rows = BatchCall.objects.filter(shown, campaign_id__in=[row.pk for row in campaigns])
    for row in rows.order_by("created_at", "pk"):
        found[row.campaign_id].append(row)
    return found


def reservations_of(campaigns: Collection[Campaign]) -> QuerySet[Reservation]:
    """Return what the launches of these campaigns reserved; test calls have reservations of their own."""
    mine = {
        "client_id__in": {row.client_id for row in campaigns},
        "campaign_id__in": [row.pk for row in campaigns],
    }
    trials = list(TrialCall.objects.filter(**mine).values_list("pk", flat=True))
    return Reservation.objects.filter(**mine).exclude(batch_call_id__in=trials)


@dataclass
class Used:
    """What the calls of a campaign cost the client: billed less given back, in whole seconds and in micros."""

    seconds: int = 0
    micros: int = 0


def used_by(campaigns: Collection[Campaign]) -> dict[UUID, Used]:
    """
    Return what each campaign's launches used so far; two queries, however many launches there were.

    Test calls have reservations of their own, and aren't counted.
    """
    rows = reservations_of(campaigns)
    found: dict[UUID, Used] = defaultdict(Used)
    summed = rows.order_by().values_list("campaign_id")
    sums = {"seconds": Sum("charged_seconds"), "micros": Sum("charged_micros")}
    for campaign_id, seconds, micros in summed.annotate(**sums):
        found[campaign_id] = Used(seconds, micros)
    return found
