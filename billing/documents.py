"""The lines of a statement as people read them, the same on the page, in the PDF and in the CSV."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.db.models import Sum as Added

from billing.free_calls import PREFIX, list_free_calls
from billing.models import Reservation, Transaction
from convomono.lib import money
from convomono.lib.csvio import csv_lines
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import Client
    from billing.free_calls import FreeCall
    from billing.models import Statement

CHUNK = 500
COLUMNS = (
    "line",
    "time",
    "type",
    "campaign",
    "call_id",
    "talked_seconds",
    "billed_seconds",
    "rounding",
    "price_per_minute_usd",
    "amount_usd",
    "amount_micros",
    "minutes",
    "seconds",
    "balance_before_minutes",
    "balance_after_minutes",
    "credit_before_minutes",
    "credit_after_minutes",
    "credit_before_seconds",
    "credit_change_seconds",
    "credit_after_seconds",
    "reference_id",
    "reason",
    "tx_id",
)


@dataclass(frozen=True)
class StatementRow:
    """
    One line of the ledger with its call, in seconds and micros; `at` is in the client's zone.

    `credit_…` is what was available or reserved less what was owed: a call moves it also where the launch pays.
    It names the call and not the person: papers outlive who is erased.
    """

    line: Transaction
    at: datetime
    campaign: str
    talked_seconds: int | None
    credit_before_seconds: int

    @property
    def credit_after_seconds(self) -> int:
        return self.credit_before_seconds + self.line.credit_delta

    @property
    def is_charge(self) -> bool:
        return self.line.type == Transaction.Type.CONSUME

    @property
    def rounding(self) -> str:
        """The steps in which talk is billed, and the least of a call."""
        if not self.line.increment_seconds:
            return ""
        return f"{self.line.increment_seconds} s / {self.line.minimum_seconds} s"

    def cells(self) -> tuple[object, ...]:
        line = self.line
        available_before = (line.balance_after_seconds or 0) - line.available_delta
        priced = bool(line.price_per_minute_micros)
        return (
            line.seq,
            self.at.isoformat(timespec="seconds"),
            line.type,
            self.campaign,
            line.call_id or "",
            "" if self.talked_seconds is None else self.talked_seconds,
            line.seconds if self.is_charge else "",
            self.rounding,
            money.dollars(line.price_per_minute_micros) if priced else "",
            money.dollars(line.amount_micros),
            line.amount_micros,
            line.minutes,
            line.seconds,
            money.minutes(available_before),
            line.balance_after_minutes,
            money.minutes(self.credit_before_seconds),
            money.minutes(self.credit_after_seconds),
            self.credit_before_seconds,
            line.credit_delta,
            self.credit_after_seconds,
            "" if self.is_charge else line.reference_id,
            line.reason,
            line.pk,
        )


@dataclass(frozen=True)
class Standing:
    """What a client had at one moment of its ledger, in seconds."""

    available_seconds: int = 0
    reserved_seconds: int = 0
    debt_seconds: int = 0

    @property
    def credit_seconds(self) -> int:
        return self.available_seconds + self.reserved_seconds - self.debt_seconds


def standing_before(client: Client, seq: int) -> Standing:
    """Add a client's lines before this number up; one query, over all of them."""
    lines = Transaction.objects.of(client).filter(seq__lt=seq).order_by()
    return Standing(*_moved(lines))


def _moved(lines: QuerySet[Transaction]) -> tuple[int, int, int]:
    found = lines.aggregate(*(Added(f"{name}_delta") for name in ACCOUNTS))
    available, reserved, debt = (found[f"{name}_delta__sum"] or 0 for name in ACCOUNTS)
    return available, reserved, debt


ACCOUNTS = ("available", "reserved", "debt")
SUMS = ("lines", "seconds", "amount_micros", *(f"{name}_seconds" for name in ACCOUNTS))


@dataclass
class Totals:
    """Sums while the rows of a statement pass by."""

    opening: Standing
    by_type: dict[str, dict[str, int]] = field(default_factory=dict)
    free: dict[str, dict[str, int]] = field(default_factory=dict)

    def counted(self, rows: Iterable[StatementRow]) -> Iterator[StatementRow]:
        """Yield the rows, and keep their sums."""
        for row in rows:
            line = row.line
            mine = self.by_type.setdefault(line.type, dict.fromkeys(SUMS, 0))
            moved = (getattr(line, f"{name}_delta") for name in ACCOUNTS)
            for name, value in zip(
                SUMS, (1, line.seconds, line.amount_micros, *moved), strict=True
            ):
                mine[name] += value
            yield row

    def counted_free(self, calls: Iterable[FreeCall]) -> Iterator[FreeCall]:
        """Yield the calls that cost nothing, and count them by outcome."""
        for free in calls:
            mine = self.free.setdefault(
                f"{PREFIX}{free.call.outcome_class}", {"lines": 0, "seconds": 0, "amount_micros": 0}
            )
            mine["lines"] += 1
            yield free

    @property
    def closing(self) -> Standing:
        """What is left after the rows that have passed."""
        return Standing(
            *(
                getattr(self.opening, f"{name}_seconds")
                + sum(mine[f"{name}_seconds"] for mine in self.by_type.values())
                for name in ACCOUNTS
            )
        )


def statement_rows(
    statement: Statement, *, first: int = 0, most: int | None = None
) -> Iterator[StatementRow]:
    """
    Yield a statement's lines in order, from the number `first` on; three queries per 500.

    One more adds up what was before them, where they aren't the first.
    """
    first = max(first, statement.first_seq)
    mine = Transaction.objects.of(statement.client)
    lines = mine.filter(seq__gte=first, seq__lte=statement.last_seq).order_by("seq")
    if most is not None:
        lines = lines[:most]
    credit = statement.opening_credit_seconds
    if first > statement.first_seq:
        skipped = mine.filter(seq__gte=statement.first_seq, seq__lt=first).order_by()
        credit += Standing(*_moved(skipped)).credit_seconds
    zone = ZoneInfo(statement.time_zone)
    for some in batched(lines.iterator(chunk_size=CHUNK), CHUNK):
        yield from _with_calls(some, zone, credit)
        credit += sum(line.credit_delta for line in some)


def csv_of(statement: Statement, totals: Totals) -> Iterator[str]:
    """
    Yield a statement as CSV, every cell safe for spreadsheets: a heading, its lines, a closing row.

    Before that stands a row for each call of the month that cost nothing. `totals` has the sums
    once all was taken. The closing row names the statement, so no two have the same bytes, not even
    of months without lines.
    """

    def table() -> Iterator[Iterable[object]]:
        yield COLUMNS
        for row in totals.counted(statement_rows(statement)):
            yield row.cells()
        for free in totals.counted_free(list_free_calls(statement)):
            yield _cells(_told(free))
        yield _cells(
            {
                "time": f"{statement.month:%Y-%m}",
                "type": "closing",
                "balance_after_minutes": money.minutes(totals.closing.available_seconds),
                "credit_after_minutes": money.minutes(totals.closing.credit_seconds),
                "credit_after_seconds": totals.closing.credit_seconds,
                "reference_id": statement.pk,
            }
        )

    return csv_lines(table())


def _told(free: FreeCall) -> dict[str, object]:
    talked = free.call.duration_seconds
    return {
        "time": free.at.isoformat(timespec="seconds"),
        "type": "free",
        "campaign": free.campaign,
        "call_id": free.call.pk,
        "talked_seconds": 0 if talked is None else talked,
        "billed_seconds": 0,
        "amount_usd": money.dollars(0),
        "amount_micros": 0,
        "minutes": money.minutes(0),
        "seconds": 0,
        "reference_id": free.call.outcome_class,
        "reason": "Costs nothing",
    }


def _cells(told: dict[str, object]) -> list[object]:
    return [told.get(column, "") for column in COLUMNS]


def _with_calls(
    lines: tuple[Transaction, ...], zone: ZoneInfo, credit: int
) -> Iterator[StatementRow]:
    calls = Call.objects.filter(pk__in={line.call_id for line in lines if line.call_id})
    lengths: dict[UUID | None, int | None] = dict(calls.values_list("pk", "duration_ms"))
    launches = Reservation.objects.filter(
        pk__in={line.reservation_id for line in lines if line.reservation_id}
    )
    labels: dict[UUID | None, str] = dict(launches.values_list("pk", "label"))
    for line in lines:
        duration_ms = lengths.get(line.call_id)
        yield StatementRow(
            line=line,
            at=line.created_at.astimezone(zone),
            campaign=labels.get(line.reservation_id, ""),
            talked_seconds=None if duration_ms is None else -(-duration_ms // 1000),
            credit_before_seconds=credit,
        )
        credit += line.credit_delta


@dataclass(frozen=True)
class Sum:
    """What the lines of one type in a statement come to; with what they moved on each account, signed."""

    type: str
    label: str
    lines: int
    seconds: int
    amount_micros: int
    available_seconds: int
    reserved_seconds: int
    debt_seconds: int

    @property
    def credit_seconds(self) -> int:
        return self.available_seconds + self.reserved_seconds - self.debt_seconds


def sums_of(statement: Statement) -> list[Sum]:
    """Return a statement's sums by type, in the order of the types."""
    return [
        Sum(type=value, label=str(label), **statement.totals[value])
        for value, label in Transaction.Type.choices
        if value in statement.totals
    ]
