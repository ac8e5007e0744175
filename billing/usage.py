"""What each campaign used of a client's minutes, and what campaigns were called then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Count, Q, Sum

from billing.models import Reservation, Transaction
from convomono.lib.pages import number_or

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client

USAGE_DAYS = (7, 30, 90, 365)


@dataclass(frozen=True)
class Usage:
    """What one campaign's calls took over some days, refunds taken off; `share` in whole per cent."""

    campaign_id: UUID | None
    label: str
    calls: int
    seconds: int
    amount_micros: int
    share: int


def usage_days(typed: str) -> int:
    """Return the number of days that the query string asks for; 30 for what is none of them."""
    days = number_or(30, typed)
    return days if days in USAGE_DAYS else 30


def usage_by_campaign(*, client: Client, days: int, now: datetime) -> list[Usage]:
    """Return what each campaign used in the latest days, the most expensive first; two queries."""
    charges = Transaction.objects.filter(
        client=client,
        type__in=(Transaction.Type.CONSUME, Transaction.Type.REFUND),
        created_at__gt=now - timedelta(days=days),
    )
    sums: dict[UUID | None, dict[str, int]] = {}
    for row in (
        charges.order_by()
        .values("campaign_id", "type")
        .annotate(
            lines=Count("pk", filter=Q(corrects_id=None)),
            total=Sum("seconds"),
            micros=Sum("amount_micros"),
        )
    ):
        mine = sums.setdefault(row["campaign_id"], {"calls": 0, "seconds": 0, "amount_micros": 0})
        is_charge = row["type"] == Transaction.Type.CONSUME
        sign = 1 if is_charge else -1
        mine["calls"] += row["lines"] if is_charge else 0
        mine["seconds"] += sign * row["total"]
        mine["amount_micros"] += sign * row["micros"]
    labels = campaign_labels(key for key in sums if key)
    whole = sum(mine["seconds"] for mine in sums.values())
    found = [
        Usage(
            campaign_id=key,
            label=labels.get(key, ""),
            share=mine["seconds"] * 100 // whole if whole > 0 else 0,
            **mine,
        )
        for key, mine in sums.items()
    ]
    return sorted(found, key=lambda one: (-one.amount_micros, one.label))


def campaign_labels(campaign_ids: Iterable[UUID]) -> dict[UUID | None, str]:
    """Return the names under which campaigns last reserved minutes."""
    rows = Reservation.objects.filter(campaign_id__in=list(campaign_ids)).order_by("created_at")
    return dict(rows.values_list("campaign_id", "label"))


def campaign_label(*, client: Client, campaign_id: UUID) -> str:
    """Return what a campaign was called when it last reserved minutes of this client; empty if it never did."""
    launches = Reservation.objects.filter(client=client, campaign_id=campaign_id)
    return launches.order_by("-created_at").values_list("label", flat=True).first() or ""
