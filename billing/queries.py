"""Reads of wallets, prices and the ledger, for pages and exports."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from django.core.paginator import Paginator

from billing.hours import Use, recent_use
from billing.models import (
    CreditLot,
    Difference,
    Payment,
    Rate,
    Reconciliation,
    Transaction,
    Wallet,
)
from billing.rules import runway_hours
from billing.sentences import line_sentence, terms_words
from billing.usage import campaign_labels
from convomono.lib import money
from convomono.lib.keys import beside
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import Client

RECENT_PAYMENTS = 5
COUNTED_AT_MOST = 10_000
SORTS = {
    "low": ("available_seconds", "client__name"),
    "name": ("client__name",),
    "used": ("-consumed_seconds", "client__name"),
    "debt": ("-debt_seconds", "available_seconds"),
}
USE_SORTS = ("runway", "burn")
"""Orders by what was used of late, which no column says (`ranked`)."""


@dataclass(frozen=True)
class BooksLight:
    """How our books stand against Retell's: the latest comparison, and what nobody has resolved of any."""

    run: Reconciliation | None
    open_count: int

    @property
    def tone(self) -> str:
        """`ok`, `warn` or `bad` as components take it; empty before the first comparison."""
        if self.run is None:
            return ""
        if self.run.status == Reconciliation.Status.FAILED:
            return "bad"
        return "warn" if self.open_count else "ok"


def books_light() -> BooksLight:
    """Return whether our books and Retell's agree; two queries."""
    runs = Reconciliation.objects.order_by("-window_from", "-asked_at", "-pk")
    return BooksLight(
        run=runs.first(),
        open_count=Difference.objects.filter(status=Difference.Status.OPEN).count(),
    )


@dataclass(frozen=True)
class LedgerFilter:
    """Which lines of a ledger are wanted; empty means any. `until` is excluded."""

    type: str = ""
    campaign_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_active(self) -> bool:
        return self != LedgerFilter()


@dataclass(frozen=True)
class WalletOverview:
    """What a wallet's page shows above the ledger; `runway` is in hours, None without any use."""

    wallet: Wallet
    rate: Rate
    runway: float | None
    payments: list[Payment]
    expiring: list[CreditLot]

    @property
    def terms(self) -> str:
        """What the price bills, in words."""
        return terms_words(self.rate)


@dataclass(frozen=True)
class WalletRow:
    """A wallet in the agency's list, with what it used in the last 24 hours and how long it lasts."""

    wallet: Wallet
    used_seconds: int
    runway: float | None


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # not generic at run time
    """Counts no further than 10,000 rows: the pages beyond are reached by narrower filters."""

    @cached_property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows[:COUNTED_AT_MOST].count()

    @property
    def is_capped(self) -> bool:
        return self.count == COUNTED_AT_MOST


def ledger_lines(*, client: Client, chosen: LedgerFilter) -> QuerySet[Transaction]:
    """Return a client's lines, the newest first."""
    rows = Transaction.objects.of(client)
    if chosen.type:
        rows = rows.filter(type=chosen.type)
    if chosen.campaign_id:
        rows = rows.filter(campaign_id=chosen.campaign_id)
    if chosen.since:
        rows = rows.filter(created_at__gte=chosen.since)
    if chosen.until:
        rows = rows.filter(created_at__lt=chosen.until)
    return rows.order_by("-seq")


@dataclass(frozen=True)
class LedgerRow:
    """
    A line with what explains it: its call or campaign, the line it corrects, and what people corrected it by.

    A refund stands by its call.
    """

    line: Transaction
    corrects: Transaction | None = None
    corrected_by: list[Transaction] = field(default_factory=list)
    call: Call | None = None
    campaign: str = ""

    @property
    def sentence(self) -> str:
        """How a charge came about: talk, rounding, price; empty for other lines."""
        return line_sentence(self.line, self.call)


def explained(lines: Iterable[Transaction], *, client: Client) -> list[LedgerRow]:
    """Add to a page of a client's lines what they are for and what corrects them; four queries at most."""
    found = list(lines)
    mine = Transaction.objects.of(client)
    named = Transaction.objects.filter(beside(client_id=client.pk)).in_bulk(
        [line.corrects_id for line in found if line.corrects_id]
    )
    by_people = mine.filter(
        type__in=(Transaction.Type.ADJUST, Transaction.Type.REVERSE),
        corrects_id__in=[line.pk for line in found],
    )
    later: dict[UUID | None, list[Transaction]] = {}
    for one in by_people.order_by("seq"):
        later.setdefault(one.corrects_id, []).append(one)
    call_ids = {line.call_id for line in found if line.call_id}
    calls: dict[UUID | None, Call] = (
        {
            call.pk: call
            for call in Call.objects.filter(beside(client_id=client.pk), pk__in=call_ids)
        }
        if call_ids
        else {}
    )
    campaign_ids = {line.campaign_id for line in found if line.campaign_id}
    labels = campaign_labels(campaign_ids) if campaign_ids else {}
    return [
        LedgerRow(
            line=line,
            corrects=named.get(line.corrects_id) if line.corrects_id else None,
            corrected_by=later.get(line.pk, []),
            call=calls.get(line.call_id),
            campaign=labels.get(line.campaign_id, ""),
        )
        for line in found
    ]


LEDGER_COLUMNS = (
    "tx_id",
    "client_id",
    "created_at",
    "type",
    "minutes",
    "seconds",
    "amount_usd",
    "amount_micros",
    "price_per_minute_usd",
    "increment_seconds",
    "minimum_seconds",
    "balance_after_minutes",
    "campaign_id",
    "call_id",
    "corrects_tx_id",
    "reference_id",
    "reason",
    "status",
)


def ledger_table(lines: QuerySet[Transaction]) -> Iterator[Iterable[object]]:
    """Yield a heading and the lines as rows of an export, in bounded memory."""
    yield LEDGER_COLUMNS
    for line in lines.iterator(chunk_size=500):
        yield (
            line.pk,
            line.client_id,
            line.created_at.isoformat(timespec="seconds"),
            line.type,
            line.minutes,
            line.seconds,
            line.amount_usd,
            line.amount_micros,
            line.price_per_minute_usd or "",
            line.increment_seconds or "",
            line.minimum_seconds if line.increment_seconds else "",
            line.balance_after_minutes,
            line.campaign_id or "",
            line.call_id or "",
            line.corrects_id or "",
            line.reference_id,
            line.reason,
            line.status,
        )


def wallet_overview(*, client: Client, rate: Rate, now: datetime) -> WalletOverview:
    """Return balances, price, latest payments and how many hours the balance lasts."""
    wallet = Wallet.of(client)
    payments = Payment.objects.filter(client=client).order_by("-created_at", "-pk")
    return WalletOverview(
        wallet=wallet,
        rate=rate,
        runway=_runway(wallet, recent_use([client.pk], now=now).get(client.pk, Use())),
        payments=list(payments[:RECENT_PAYMENTS]),
        expiring=list(expiring_lots(client_id=client.pk)) if wallet.expiring_seconds else [],
    )


def expiring_lots(*, client_id: UUID) -> QuerySet[CreditLot]:
    """Return the lots of which something is available, the soonest to expire first."""
    lots = CreditLot.objects.filter(client_id=client_id, available_seconds__gt=0)
    return lots.select_related("payment").order_by("expires_at", "pk")


def wallets(*, search: str = "", sort: str = "low") -> QuerySet[Wallet]:
    """Return wallets with their clients; the lowest first unless another order is asked for."""
    rows = Wallet.objects.select_related("client")
    if search:
        rows = rows.filter(client__name__icontains=search)
    return rows.order_by(*SORTS.get(sort, SORTS["low"]), "pk")


WALLET_COLUMNS = (
    "client_id",
    "client",
    "credits_total_minutes",
    "credits_available_minutes",
    "credits_reserved_minutes",
    "credits_consumed_minutes",
    "owed_minutes",
    "billing_rate",
)


def wallet_table(rows: QuerySet[Wallet]) -> Iterator[Iterable[object]]:
    """Yield a heading and the wallets as rows of an export, in bounded memory."""
    yield WALLET_COLUMNS
    for wallet in rows.iterator(chunk_size=500):
        yield (
            wallet.client_id,
            wallet.client.name,
            wallet.total_minutes,
            wallet.available_minutes,
            wallet.reserved_minutes,
            wallet.consumed_minutes,
            money.minutes(wallet.debt_seconds),
            wallet.billing_rate,
        )


def with_use(rows: Iterable[Wallet], *, now: datetime) -> list[WalletRow]:
    """Add what each wallet used in the last 24 hours and how long it lasts, in one query for all."""
    found = list(rows)
    used = recent_use((wallet.client_id for wallet in found), now=now)
    rows_ = [(wallet, used.get(wallet.client_id, Use())) for wallet in found]
    return [
        WalletRow(wallet=wallet, used_seconds=use.today_seconds, runway=_runway(wallet, use))
        for wallet, use in rows_
    ]


def ranked(rows: Iterable[Wallet], *, sort: str, now: datetime) -> list[WalletRow]:
    """
    Return all wallets with their use, in one of `USE_SORTS`, in as many queries as a page of them.

    Who runs out next comes first, and last who has used nothing for a week.
    """
    found = with_use(rows, now=now)
    if sort == "burn":
        return sorted(found, key=lambda row: -row.used_seconds)
    return sorted(found, key=lambda row: math.inf if row.runway is None else row.runway)


def _runway(wallet: Wallet, use: Use) -> float | None:
    """Return for how many hours of calling a wallet lasts (KPI 23): on all pages the same."""
    return runway_hours(usable_seconds=wallet.usable_seconds, hourly_seconds=use.running)
