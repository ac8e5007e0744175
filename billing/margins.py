"""What calls earned: the charge to the client, Retell's cost, and the numbers' rent. The agency's alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Count, Q, Sum

from accounts.models import Client
from billing.models import Transaction
from billing.usage import campaign_labels
from convomono.lib import money
from convomono.lib.keys import beside
from telephony.models import Call, CallDetail, NumberLease, PhoneNumber

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    type _Key = tuple[UUID, UUID | None]

Type = Transaction.Type


@dataclass(frozen=True)
class CallMargin:
    """One call: charged less what was refunded, Retell's cost by product, and its part of the rent."""

    call: Call
    charged_micros: int
    rent_micros: int
    products: dict[str, int] = field(default_factory=dict)

    @property
    def margin_micros(self) -> int:
        return self.charged_micros - self.call.retell_cost_micros - self.rent_micros


@dataclass(frozen=True)
class ClientMargin:
    """A client's month, in micros; `seconds` is what Retell counted as connected."""

    client_id: UUID | None
    name: str
    charged_micros: int
    cost_micros: int
    rent_micros: int
    seconds: int

    @property
    def margin_micros(self) -> int:
        return self.charged_micros - self.cost_micros - self.rent_micros


def clients_in(month: date) -> list[ClientMargin]:
    """Return what each client's calls of a UTC month earned, the least first; five queries."""
    since, until = bounds_of(month)
    charged = _charged(since, until)
    costs: dict[UUID, tuple[int, int]] = {
        row["client_id"]: (row["cost"] or 0, row["talk_ms"] or 0)
        for row in Call.objects.filter(
            status__in=sorted(Call.OVER), created_at__gte=since, created_at__lt=until
        )
        .order_by()
        .values("client_id")
        .annotate(cost=Sum("retell_cost_micros"), talk_ms=Sum("duration_ms"))
    }
    rents = _rents(since, until)
    names = dict(Client.objects.values_list("pk", "name"))
    found = [
        ClientMargin(
            client_id=pk,
            name=names.get(pk, ""),
            charged_micros=charged.get(pk, 0),
            cost_micros=costs.get(pk, (0, 0))[0],
            rent_micros=rents.get(pk, 0),
            seconds=costs.get(pk, (0, 0))[1] // 1000,
        )
        for pk in {*charged, *costs, *rents}
    ]
    return sorted(found, key=lambda row: (row.margin_micros, row.name))


@dataclass(frozen=True)
class CampaignMargin:
    """A campaign's month, in micros; the rent of numbers is the client's and no campaign's."""

    client_id: UUID
    client_name: str
    campaign_id: UUID | None
    name: str
    calls: int
    seconds: int
    charged_micros: int
    cost_micros: int

    @property
    def margin_micros(self) -> int:
        return self.charged_micros - self.cost_micros


def campaigns_in(month: date, *, client: Client | None = None) -> list[CampaignMargin]:
    """
    Return what each campaign's calls of a UTC month earned, the least first; five queries at most.

    Of one client, or of all. Calls of no campaign (inbound, tests) are one row of their client.
    """
    since, until = bounds_of(month)
    clients = [client] if client else list(Client.objects.only("pk", "name"))
    names = {row.pk: row.name for row in clients}
    charged: Counter[_Key] = Counter()
    for row in (
        Transaction.objects.filter(
            client__in=list(names),
            type__in=(Type.CONSUME, Type.REFUND),
            created_at__gte=since,
            created_at__lt=until,
        )
        .order_by()
        .values("client_id", "campaign_id", "type")
        .annotate(total=Sum("amount_micros"))
    ):
        sign = 1 if row["type"] == Type.CONSUME else -1
        charged[row["client_id"], row["campaign_id"]] += sign * row["total"]
    talked = {
        (row["client_id"], row["campaign_id"]): row
        for row in Call.objects.filter(
            client__in=list(names),
            status__in=sorted(Call.OVER),
            created_at__gte=since,
            created_at__lt=until,
        )
        .order_by()
        .values("client_id", "campaign_id")
        .annotate(calls=Count("pk"), cost=Sum("retell_cost_micros"), talk_ms=Sum("duration_ms"))
    }
    keys = {*charged, *talked}
    labels = campaign_labels(campaign_id for _client, campaign_id in keys if campaign_id)
    none: dict[str, int] = {}
    found = [
        CampaignMargin(
            client_id=client_id,
            client_name=names[client_id],
            campaign_id=campaign_id,
            name=labels.get(campaign_id, ""),
            calls=talked.get((client_id, campaign_id), none).get("calls") or 0,
            seconds=(talked.get((client_id, campaign_id), none).get("talk_ms") or 0) // 1000,
            charged_micros=charged[client_id, campaign_id],
            cost_micros=talked.get((client_id, campaign_id), none).get("cost") or 0,
        )
        for client_id, campaign_id in keys
    ]
    return sorted(found, key=lambda row: (row.margin_micros, row.client_name, row.name))


def margin_lines(rows: Iterable[CampaignMargin]) -> Iterator[list[object]]:
    """Yield the heading and a line for each campaign, in minutes and dollars."""
    yield ["client", "campaign", "calls", "minutes", "charged_usd", "retell_cost_usd", "margin_usd"]
    for row in rows:
        amounts = (row.charged_micros, row.cost_micros, row.margin_micros)
        yield [
            row.client_name,
            row.name,
            row.calls,
            money.minutes(row.seconds),
            *(money.dollars(micros) for micros in amounts),
        ]


def total(rows: Sequence[ClientMargin]) -> ClientMargin:
    """Add the clients of a month up."""
    return ClientMargin(
        client_id=None,
        name="",
        charged_micros=sum(row.charged_micros for row in rows),
        cost_micros=sum(row.cost_micros for row in rows),
        rent_micros=sum(row.rent_micros for row in rows),
        seconds=sum(row.seconds for row in rows),
    )


def of_calls(*, client: Client, calls: Sequence[Call]) -> list[CallMargin]:
    """Return what these calls of a client earned; their months' rent is spread by the second."""
    keys = [call.pk for call in calls]
    charged: dict[UUID | None, int] = {}
    lines = Transaction.objects.filter(
        beside(type__in=(Type.CONSUME, Type.REFUND)), client=client, call_id__in=keys
    )
    for call_id, type_, micros in lines.values_list("call_id", "type", "amount_micros"):
        sign = 1 if type_ == Type.CONSUME else -1
        charged[call_id] = charged.get(call_id, 0) + sign * micros
    details = CallDetail.objects.filter(call_id__in=keys)
    costs = dict(details.values_list("call_id", "product_costs"))
    rent = _rent_per_ms(client, {call.created_at.astimezone(UTC).date() for call in calls})
    return [
        CallMargin(
            call=call,
            charged_micros=charged.get(call.pk, 0),
            rent_micros=_share(call, rent),
            products={one["product"]: one["micros"] for one in costs.get(call.pk, [])},
        )
        for call in calls
    ]


def _share(call: Call, rent: dict[date, tuple[int, int]]) -> int:
    micros, talk_ms = rent[call.created_at.astimezone(UTC).date().replace(day=1)]
    return micros * (call.duration_ms or 0) // talk_ms if talk_ms else 0


def _rent_per_ms(client: Client, days: set[date]) -> dict[date, tuple[int, int]]:
    """Return of each month its rent and the talk it is spread over."""
    found = {}
    for month in {day.replace(day=1) for day in days}:
        since, until = bounds_of(month)
        mine = Call.objects.filter(client=client, created_at__gte=since, created_at__lt=until)
        talk_ms = mine.aggregate(talk_ms=Sum("duration_ms"))["talk_ms"] or 0
        found[month] = (_rents(since, until).get(client.pk, 0), talk_ms)
    return found


def _rents(since: datetime, until: datetime) -> dict[UUID, int]:
    """
    Return each client's part of the month's rent for the numbers lent to it; two queries.

    A number's rent is spread over those it was lent to, by how long each had it in the month and at
    which rent.
    """
    held: defaultdict[UUID, Counter[UUID]] = defaultdict(Counter)  # its rent times milliseconds
    times: Counter[UUID] = Counter()
    leases = NumberLease.objects.filter(Q(until_at=None) | Q(until_at__gt=since))
    for lease in leases.filter(from_at__lt=until).select_related("number"):
        lent = min(lease.until_at or until, until) - max(lease.from_at, since)
        lent_ms = lent // timedelta(milliseconds=1) or 1
        rent = lease.number.rent_micros if lease.rent_micros is None else lease.rent_micros
        held[lease.number_id][lease.client_id] += rent * lent_ms
        times[lease.number_id] += lent_ms
    # Lent before leases were kept: until it is lent to somebody else, it was theirs from the first.
    unleased = PhoneNumber.objects.filter(client__isnull=False, created_at__lt=until)
    for pk, client_id, micros in unleased.exclude(
        pk__in=NumberLease.objects.values("number_id")
    ).values_list("pk", "client_id", "rent_micros"):
        if client_id is not None:
            held[pk][client_id], times[pk] = micros, 1
    found: Counter[UUID] = Counter()
    for pk, parts in held.items():
        left = parts.total() // times[pk]
        for client_id, part in parts.most_common()[:0:-1]:
            mine = part // times[pk]
            found[client_id] += mine
            left -= mine
        found[parts.most_common(1)[0][0]] += left  # to the micro: what rounding leaves over, too
    return dict(found)


def _charged(since: datetime, until: datetime) -> dict[UUID, int]:
    rows = (
        Transaction.objects.filter(
            client__in=list(Client.objects.values_list("pk", flat=True)),  # it leads the index
            type__in=(Type.CONSUME, Type.REFUND),
            created_at__gte=since,
            created_at__lt=until,
        )
        .order_by()
        .values("client_id", "type")
        .annotate(total=Sum("amount_micros"))
    )
    found: dict[UUID, int] = {}
    for row in rows:
        sign = 1 if row["type"] == Type.CONSUME else -1
        found[row["client_id"]] = found.get(row["client_id"], 0) + sign * row["total"]
    return found


def bounds_of(month: date) -> tuple[datetime, datetime]:
    """Return a UTC month's first instant and the one after its last."""
    since = datetime(month.year, month.month, 1, tzinfo=UTC)
    following = (month.replace(day=1) + timedelta(days=31)).replace(day=1)
    return since, datetime(following.year, following.month, 1, tzinfo=UTC)
