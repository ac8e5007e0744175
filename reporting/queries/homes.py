"""What the two home pages show, in a constant number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db.models import Count
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.models import Client, Notification
from billing.queries import wallet_overview
from billing.services import current_rate
from campaigns.models import BatchCall, Campaign
from campaigns.queries.launches import LIVE as RUNNING
from campaigns.queries.progress import Progress, add_up, shown_status, status_label, why
from convomono.lib.display import MISSING
from reporting.metrics import Figures
from reporting.queries.figures import (
    agency_days,
    client_days,
    client_totals,
    daily_figures,
)
from telephony.models import Call

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from billing.models import Wallet

WEEK = timedelta(days=7)
HISTORY_DAYS = 30
HOURS_PER_DAY = 24
LIVE = (Call.Status.REGISTERED, Call.Status.ONGOING)
NOTIFICATIONS = 5
READY_SHOWN = 3


@dataclass(frozen=True)
class RunningCampaign:
    """A campaign with launches that aren't over: how far these have come, and the sentence that says why."""

    campaign: Campaign
    status: str
    label: str
    progress: Progress
    sentence: str
    converted: int


@dataclass(frozen=True)
class Day:
    """One day of the history, for the chart."""

    day: date
    figures: Figures


@dataclass(frozen=True)
class ClientHome:
    """A client's home page; `runway` is in hours."""

    wallet: Wallet
    runway: float | None
    running: list[RunningCampaign]
    ready: list[Campaign]
    today: Figures
    week_ago: Figures
    history: list[Day]
    notifications: list[Notification]
    has_campaigns: bool

    @property
    def runway_text(self) -> str:
        """How many hours of calling the balance lasts; a dash when nothing was used yet."""
        if self.runway is None:
            return MISSING
        return _("%(hours)s h") % {"hours": number_format(self.runway, 1)}


def client_home(*, client: Client, now: datetime) -> ClientHome:
    """Gather a client's home page; six queries."""
    today = now.astimezone(ZoneInfo(client.time_zone)).date()
    first = today - timedelta(days=HISTORY_DAYS - 1)
    per_day = daily_figures(client_id=client.pk, first=first, last=today)
    money = wallet_overview(client=client, rate=current_rate(client=client, now=now), now=now)
    return ClientHome(
        wallet=money.wallet,
        runway=money.runway,
        running=running_campaigns(client_id=client.pk),
        ready=ready_campaigns(client_id=client.pk),
        today=per_day.get(today, Figures()),
        week_ago=per_day.get(today - WEEK, Figures()),
        history=_days(per_day, first, today),
        notifications=list(
            Notification.objects.filter(client=client).order_by("-created_at", "pk")[:NOTIFICATIONS]
        ),
        has_campaigns=Campaign.objects.filter(client=client).exists(),
    )


def running_campaigns(*, client_id: UUID) -> list[RunningCampaign]:
    """Return a client's campaigns with launches that aren't over, the newest launched first; one query."""
    rows = BatchCall.objects.filter(client_id=client_id, status__in=RUNNING)
    launches: dict[UUID, list[BatchCall]] = {}
    for row in rows.select_related("campaign").order_by("-created_at", "pk"):
        launches.setdefault(row.campaign_id, []).insert(0, row)
    return [_running(found) for found in launches.values()]


def _running(launches: list[BatchCall]) -> RunningCampaign:
    campaign, progress = launches[0].campaign, add_up(launches)
    status = shown_status(campaign, launches)
    return RunningCampaign(
        campaign=campaign,
        status=status,
        label=status_label(status),
        progress=progress,
        sentence=why(campaign, launches, progress),
        converted=sum(row.converted_count for row in launches),
    )


def ready_campaigns(*, client_id: UUID) -> list[Campaign]:
    """Return the newest campaigns that were never launched since they became ready; at most three."""
    return list(
        Campaign.objects.filter(client_id=client_id, status=Campaign.Status.READY)
        .filter(batch_calls__isnull=True)
        .order_by("-created_at", "pk")[:READY_SHOWN]
    )


def _days(per_day: dict[date, Figures], first: date, last: date) -> list[Day]:
    span = (last - first).days + 1
    days = [first + timedelta(days=offset) for offset in range(span)]
    return [Day(day, per_day.get(day, Figures())) for day in days]


@dataclass(frozen=True)
class ClientRow:
    """A client on the agency's home."""

    client: Client
    live_calls: int
    today: Figures
    month: Figures


@dataclass(frozen=True)
class AgencyHome:
    """The agency's home page."""

    today: Figures
    week: Figures
    month: Figures
    live_calls: int
    clients: list[ClientRow]
    history: list[Day]
    notifications: list[Notification]


def agency_home(*, now: datetime) -> AgencyHome:
    """Gather the agency's home page; "today" is each client's own day. Seven queries."""
    # The calendar is a day ahead east of Greenwich, so tomorrow's rows may exist already.
    last = now.date() + timedelta(days=1)
    clients = list(Client.objects.select_related("wallet").order_by("name", "pk"))
    today = _own_today(clients, now)
    month = client_totals(first=now.date() - timedelta(days=HISTORY_DAYS - 1), last=last)
    live = live_calls_by_client()
    nothing = Figures()
    return AgencyHome(
        today=_total(today),
        week=_total(client_totals(first=now.date() - timedelta(days=6), last=last)),
        month=_total(month),
        live_calls=sum(live.values()),
        clients=[
            ClientRow(
                client=client,
                live_calls=live.get(client.pk, 0),
                today=today.get(client.pk, nothing),
                month=month.get(client.pk, nothing),
            )
            for client in clients
        ],
        history=_days(
            agency_days(first=now.date() - timedelta(days=HISTORY_DAYS - 1), last=now.date()),
            now.date() - timedelta(days=HISTORY_DAYS - 1),
            now.date(),
        ),
        notifications=list(
            Notification.objects.filter(client=None).order_by("-created_at", "pk")[:NOTIFICATIONS]
        ),
    )


def _own_today(clients: list[Client], now: datetime) -> dict[UUID, Figures]:
    """Return each client's figures of the day that it is where the client is; one query."""
    day = timedelta(days=1)
    per_day = client_days(first=now.date() - day, last=now.date() + day)
    nothing = Figures()
    return {
        client.pk: per_day.get(client.pk, {}).get(
            now.astimezone(ZoneInfo(client.time_zone)).date(), nothing
        )
        for client in clients
    }


def live_calls_by_client() -> dict[UUID, int]:
    """Return how many calls each client has right now; clients without one are left out."""
    rows = Call.objects.filter(status__in=LIVE).values("client_id").annotate(total=Count("pk"))
    return {row["client_id"]: row["total"] for row in rows}


def _total(figures: dict[UUID, Figures]) -> Figures:
    return sum(figures.values(), Figures())
