"""The agency's live page: every call in progress by client, the lines in use, what is stopped."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count

from accounts.models import Client
from campaigns.models import BatchCall, Campaign, DialGate
from campaigns.queries.live import CallRow, call_rows
from telephony.models import Call

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

ROWS = 50


@dataclass(frozen=True)
class ClientLines:
    """One client's calls in progress against its limit; `gate` is set while it is stopped."""

    client: Client
    ringing: int
    talking: int
    running: int  # launches
    gate: DialGate | None

    @property
    def live(self) -> int:
        return self.ringing + self.talking


@dataclass(frozen=True)
class AgencyCall:
    """A call in progress, with whose it is."""

    row: CallRow
    client: str
    campaign: str


@dataclass(frozen=True)
class AgencyLive:
    """What the page shows; seven queries however many clients and calls there are."""

    gate: DialGate | None  # for everything; None while it is open
    clients: list[ClientLines]
    calls: list[AgencyCall]

    @property
    def live(self) -> int:
        return sum(row.live for row in self.clients)

    @property
    def talking(self) -> int:
        return sum(row.talking for row in self.clients)

    @property
    def running(self) -> int:
        return sum(row.running for row in self.clients)

    @property
    def limit(self) -> int:
        """How many calls the clients may have together."""
        return sum(row.client.concurrency_limit for row in self.clients if row.client.is_active)


def agency_live(*, now: datetime) -> AgencyLive:
    """Read every call in progress: counts of all, the newest ROWS of them with their names."""
    gates = {gate.client_id: gate for gate in DialGate.objects.filter(is_open=False)}
    counts, running = _counts(), _running()
    clients = {row.pk: row for row in Client.objects.order_by("name", "pk")}
    # "ongoing" comes before "registered": who talks stands above who is being rung.
    newest = list(
        Call.objects.filter(status__in=Call.LIVE).order_by("status", "-created_at", "-pk")[:ROWS]
    )
    names = _campaign_names(newest)
    return AgencyLive(
        gate=gates.get(None),
        clients=[
            ClientLines(
                client=client,
                ringing=counts[pk][Call.Status.REGISTERED],
                talking=counts[pk][Call.Status.ONGOING],
                running=running.get(pk, 0),
                gate=gates.get(pk),
            )
            for pk, client in clients.items()
        ],
        calls=[
            AgencyCall(
                row=row,
                client=clients[row.call.client_id].name,
                campaign=names.get(row.call.campaign_id, "") if row.call.campaign_id else "",
            )
            for row in call_rows(newest, now=now)
        ],
    )


def _counts() -> dict[UUID, dict[str, int]]:
    found: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    rows = Call.objects.filter(status__in=Call.LIVE).order_by()
    counted = rows.values_list("client_id", "status").annotate(number=Count("pk"))
    for client_id, status, number in counted:
        found[client_id][status] = number
    return found


def _running() -> dict[UUID, int]:
    rows = BatchCall.objects.filter(status=BatchCall.Status.RUNNING).order_by()
    return dict(rows.values_list("client_id").annotate(number=Count("pk")))


def _campaign_names(calls: list[Call]) -> dict[UUID, str]:
    ids = {call.campaign_id for call in calls if call.campaign_id}
    return dict(Campaign.objects.filter(pk__in=ids).values_list("pk", "name"))
