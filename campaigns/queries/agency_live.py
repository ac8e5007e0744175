"""The agency's live page: every call in progress by client, the lines in use, what is stopped."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Min

from accounts.models import Client
from campaigns.dialling.waiting import PAUSED_KEY, PAUSED_PAYMENT
from campaigns.models import BatchCall, Campaign, DialGate
from campaigns.queries.live import CallRow, call_rows
from campaigns.rules import waiting_sentence
from convomono.lib.pages import keyset_page
from telephony.models import Call

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from convomono.lib.pages import KeysetPage

ROWS = 50
# Who has been on the line longest comes first: new calls are added behind, so that pages stay as they were.
BY_AGE = ("created_at", "pk")


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
class LiveCalls:
    """A page of the calls in progress, and how many there are of them."""

    page: KeysetPage[Call]
    calls: list[AgencyCall]
    total: int


@dataclass(frozen=True)
class Halted:
    """Launches that one refusal of the agency's account at the voice platform paused."""

    reason: str
    sentence: str
    launches: int
    clients: int
    since: datetime


@dataclass(frozen=True)
class AgencyLive:
    """What the page shows; eight queries however many clients and calls there are."""

    gate: DialGate | None  # for everything; None while it is open
    halted: list[Halted]
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
    return AgencyLive(
        gate=gates.get(None),
        halted=_halted(),
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
        calls=_with_names(newest, {pk: row.name for pk, row in clients.items()}, now),
    )


def live_calls(
    *, client_id: UUID | None, status: str, token: str | None, now: datetime
) -> LiveCalls:
    """Read a page of all calls in progress, of one client's or status's if asked; six queries at most."""
    rows = Call.objects.filter(status__in=[status] if status in Call.LIVE else Call.LIVE)
    if client_id is not None:
        rows = rows.filter(client_id=client_id)
    page = keyset_page(rows, order=BY_AGE, token=token, size=ROWS)
    ids = {call.client_id for call in page.rows}
    names = dict(Client.objects.filter(pk__in=ids).values_list("pk", "name"))
    return LiveCalls(page=page, calls=_with_names(page.rows, names, now), total=rows.count())


def _with_names(calls: list[Call], clients: dict[UUID, str], now: datetime) -> list[AgencyCall]:
    """Say whose each call is; two queries."""
    names = _campaign_names(calls)
    return [
        AgencyCall(
            row=row,
            client=clients.get(row.call.client_id, ""),
            campaign=names.get(row.call.campaign_id, "") if row.call.campaign_id else "",
        )
        for row in call_rows(calls, now=now)
    ]


def _counts() -> dict[UUID, dict[str, int]]:
    found: dict[UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    rows = Call.objects.filter(status__in=Call.LIVE).order_by()
    counted = rows.values_list("client_id", "status").annotate(number=Count("pk"))
    for client_id, status, number in counted:
        found[client_id][status] = number
    return found


def _halted() -> list[Halted]:
    rows = BatchCall.objects.filter(
        status=BatchCall.Status.PAUSED, pause_reason__in=(PAUSED_KEY, PAUSED_PAYMENT)
    )
    counted = rows.order_by("pause_reason").values_list("pause_reason", "client_id")
    found: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
    for reason, _client, launches, since in counted.annotate(
        number=Count("pk"), since=Min("paused_at")
    ):
        found[reason].append((launches, since))
    return [
        Halted(
            reason=reason,
            sentence=waiting_sentence(reason, facts={}),
            launches=sum(launches for launches, _since in of_clients),
            clients=len(of_clients),
            since=min(since for _launches, since in of_clients),
        )
        for reason, of_clients in found.items()
    ]


def _running() -> dict[UUID, int]:
    rows = BatchCall.objects.filter(status=BatchCall.Status.RUNNING).order_by()
    return dict(rows.values_list("client_id").annotate(number=Count("pk")))


def _campaign_names(calls: list[Call]) -> dict[UUID, str]:
    ids = {call.campaign_id for call in calls if call.campaign_id}
    return dict(Campaign.objects.filter(pk__in=ids).values_list("pk", "name"))
