"""Who has how many lines at this moment, and what each client is granted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count

from accounts.models import Client
from campaigns.dialling.waiting import waiting_sentence
from campaigns.models import Attempt, BatchCall, ClientShare
from convomono.lib.display import brief_instant

if TYPE_CHECKING:
    from uuid import UUID

MOST_CLIENTS = 500


@dataclass(frozen=True)
class LineRow:
    """A client's lines in use, its limit and its part of what all share; `waits` is why it has no more."""

    client: Client
    used: int
    weight: int
    least_lines: int
    launches: int
    waits: str

    @property
    def limit(self) -> int:
        return self.client.concurrency_limit


def line_rows() -> list[LineRow]:
    """Return active clients, those with the most lines first; four queries."""
    clients = list(
        Client.objects.filter(status=Client.Status.ACTIVE).order_by("name")[:MOST_CLIENTS]
    )
    used = _used()
    shares = {row.client_id: row for row in ClientShare.objects.all()}
    running: Counter[UUID] = Counter()
    waits: dict[UUID, str] = {}
    for row in BatchCall.objects.filter(status=BatchCall.Status.RUNNING).order_by("created_at"):
        running[row.client_id] += 1
        until = brief_instant(row.waiting_until)
        waits[row.client_id] = waiting_sentence(
            row.waiting_reason, until=until, facts=row.waiting_facts
        )
    default = ClientShare()
    rows = [
        LineRow(
            client=one,
            used=used[one.pk],
            weight=shares.get(one.pk, default).weight,
            least_lines=shares.get(one.pk, default).least_lines,
            launches=running[one.pk],
            waits=waits.get(one.pk, ""),
        )
        for one in clients
    ]
    return sorted(rows, key=lambda row: (-row.used, -row.launches, row.client.name))


def _used() -> Counter[UUID]:
    live = Attempt.objects.filter(status__in=(Attempt.Status.PLACED, Attempt.Status.UNKNOWN))
    counted = live.order_by().values_list("client_id").annotate(number=Count("pk"))
    return Counter(dict(counted))
