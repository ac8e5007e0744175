"""What operators are alarmed by, of everything below the inbox: figures of this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count, Min

from accounts.models import Client
from billing.models import Wallet
from campaigns.models import Attempt, BatchCall, DispatcherLease
from convomono.lib import redis
from convomono.lib.gauges import Gauge
from convomono.lib.jobs import failed_counts, queue_lengths
from reporting.queries.health import DRAIN, JOBS
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from django.db.models import QuerySet

_LAUNCHES = (BatchCall.Status.SCHEDULED, BatchCall.Status.RUNNING, BatchCall.Status.PAUSED)


def gauges(*, now: datetime, real_now: datetime) -> Iterator[Gauge]:
    """
    Yield the figures; five queries, whatever there is. What only Redis knows is left out while it is away.

    Ages are in seconds. A part that never gave a sign of life has no age.
    """
    yield Gauge(
        "calls_live",
        "Calls being dialled or talking.",
        label="status",
        values=counted(Call.objects.all(), Call.LIVE),
    )
    yield Gauge(
        "launches",
        "Launches of campaigns that aren't over.",
        label="status",
        values=counted(BatchCall.objects.all(), _LAUNCHES),
    )
    yield from _unknown_attempts(now)
    yield Gauge(
        "wallets_empty",
        "Active clients that have no minute left, available or reserved.",
        Wallet.objects.filter(
            available_seconds__lte=0, reserved_seconds__lte=0, client__status=Client.Status.ACTIVE
        ).count(),
    )
    yield Gauge(
        "heartbeat_age_seconds",
        "How long ago a part of the system gave its last sign of life.",
        label="part",
        values=_heartbeats(real_now),
    )
    yield from _queues()


def counted(rows: QuerySet[Any], statuses: Iterable[str]) -> dict[str, float]:
    """Return how many rows are in each of these statuses, 0 among them; one query."""
    asked = list(statuses)
    found = rows.filter(status__in=asked).order_by().values_list("status")
    numbers = dict(found.annotate(number=Count("pk")))
    return {str(status): numbers.get(str(status), 0) for status in asked}


def _unknown_attempts(now: datetime) -> Iterator[Gauge]:
    lost = Attempt.objects.filter(status=Attempt.Status.UNKNOWN)
    found = lost.aggregate(number=Count("pk"), first=Min("created_at"))
    age = (now - found["first"]).total_seconds() if found["first"] else 0
    yield Gauge("attempts_unknown", "Dials that nobody knows the fate of yet.", found["number"])
    yield Gauge("attempts_unknown_oldest_seconds", "How old the oldest of them is.", max(0, age))


def _heartbeats(real_now: datetime) -> dict[str, float]:
    ages: dict[str, float | None] = {
        part: redis.seconds_since_beat(part, now=real_now) for part in (DRAIN, JOBS)
    }
    lease = DispatcherLease.objects.order_by("-renewed_at").first()
    if lease is not None:
        ages["dispatcher"] = max(0, (real_now - lease.renewed_at).total_seconds())
    return {part: age for part, age in ages.items() if age is not None}


def _queues() -> Iterator[Gauge]:
    waiting, failed = queue_lengths(), failed_counts()
    is_up = waiting is not None and failed is not None
    yield Gauge("redis_up", "1 when Redis answers.", int(is_up))
    if waiting is not None and failed is not None:
        yield Gauge("queue_jobs", "Jobs that wait on a queue.", label="queue", values=waiting)
        yield Gauge(
            "queue_failed_jobs", "Jobs of a queue that failed.", label="queue", values=failed
        )
