"""The lines of a statement as people read them, the same on the page, in the PDF and in the CSV."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing.free_calls import free_calls_of
from billing.models import Invoice, Reservation, Transaction
from convomono.lib import money
from convomono.lib.csvio import csv_lines
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

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
    "reference_id",
    "reason",
    "tx_id",
)


@dataclass(frozen=True)
class StatementRow:
    """
    One line of the ledger with its call, in seconds and micros; `at` is in the client's zone.

    It names the call and not the person: papers outlive who is erased.
    """

    line: Transaction
    at: datetime
    campaign: str
    talked_seconds: int | None

    @property
    def is_charge(self) -> bool:
        return self.line.type == Transaction.Type.CONSUME

    @property
    def rounding(self) -> str:
        """The steps in which talk is billed, and the least of a call."""
        if not self.line.increment_seconds:
            return ""
        return f"{self.line.increment_seconds} s / {self.line.minimum_seconds} s"

    @property
    def before_seconds(self) -> int:
        return (self.line.balance_after_seconds or 0) - self.line.available_delta

    def cells(self) -> tuple[object, ...]:
        line = self.line
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
            money.minutes(self.before_seconds),
            line.balance_after_minutes,
            "" if self.is_charge else line.reference_id,
            line.reason,
            line.pk,
        )


@dataclass
class Totals:
    """Sums while the rows of a statement pass by."""

    opening_seconds: int
    closing_seconds: int = 0
    by_type: dict[str, dict[str, int]] = field(default_factory=dict)

    def counted(self, rows: Iterable[StatementRow]) -> Iterator[StatementRow]:
        """Yield the rows, and keep their sums."""
        self.closing_seconds = self.opening_seconds
        for row in rows:
            line = row.line
            mine = self.by_type.setdefault(line.type, dict.fromkeys(SUMS, 0))
            for name, value in zip(SUMS, (1, line.seconds, line.amount_micros), strict=True):
                mine[name] += value
            self.closing_seconds = line.balance_after_seconds or 0
            yield row


SUMS = ("lines", "seconds", "amount_micros")


def statement_rows(
    statement: Statement, *, first: int = 0, most: int | None = None
) -> Iterator[StatementRow]:
    """Yield a statement's lines in order, from the number `first` on; three queries per 500."""
    lines = (
        Transaction.objects.of(statement.client)
        .filter(seq__gte=max(first, statement.first_seq), seq__lte=statement.last_seq)
        .order_by("seq")
    )
    if most is not None:
        lines = lines[:most]
    zone = ZoneInfo(statement.time_zone)
    for some in batched(lines.iterator(chunk_size=CHUNK), CHUNK):
        yield from _with_calls(some, zone)


def csv_of(statement: Statement, totals: Totals) -> Iterator[str]:
    """
    Yield a statement as CSV, every cell safe for spreadsheets: a heading, its lines, a closing row.

    Before that stands a row for each outcome of calls that cost nothing, as `statement` counted them.
    `totals` has the sums once all was taken. The closing row names the statement, so no two have
    the same bytes, not even of months without lines.
    """

    def table() -> Iterator[Iterable[object]]:
        yield COLUMNS
        for row in totals.counted(statement_rows(statement)):
            yield row.cells()
        month = f"{statement.month:%Y-%m}"
        for free in free_calls_of(statement):
            told = {"time": month, "type": "free", "reference_id": free.outcome}
            told["reason"] = f"Calls that cost nothing: {free.calls}"
            yield [told.get(column, "") for column in COLUMNS]
        closing = {
            "time": month,
            "type": "closing",
            "balance_after_minutes": money.minutes(totals.closing_seconds),
            "reference_id": statement.pk,
        }
        yield [closing.get(column, "") for column in COLUMNS]

    return csv_lines(table())


def _with_calls(lines: tuple[Transaction, ...], zone: ZoneInfo) -> Iterator[StatementRow]:
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
        )


PAPER_LINES = 2000
"""A PDF has no more lines than this; it says so, and that the CSV has them all."""


def paper(document: Invoice | Statement) -> tuple[str, dict[str, object]]:
    """Return the template of a document on paper, and what it shows."""
    if isinstance(document, Invoice):
        return "billing/pdf/invoice.html", {"invoice": document}
    rows = list(statement_rows(document, most=PAPER_LINES))
    return "billing/pdf/statement.html", {
        "statement": document,
        "sums": sums_of(document),
        "free_calls": free_calls_of(document),
        "rows": rows,
        "lines_count": document.last_seq - document.first_seq + 1,  # numbers have no gap
    }


@dataclass(frozen=True)
class Sum:
    """What the lines of one type in a statement come to."""

    type: str
    label: str
    lines: int
    seconds: int
    amount_micros: int


def sums_of(statement: Statement) -> list[Sum]:
    """Return a statement's sums by type, in the order of the types."""
    return [
        Sum(type=value, label=str(label), **statement.totals[value])
        for value, label in Transaction.Type.choices
        if value in statement.totals
    ]
