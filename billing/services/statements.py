"""Monthly statements: asked for, made by a worker, and known again by their digest."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing.documents import Totals, csv_of, standing_before
from billing.models import Invoice, Statement, Transaction, Wallet
from convomono.lib import files
from convomono.lib.db import insert_once, run_atomic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accounts.models import Client
    from billing.documents import Standing

Status = Statement.Status
AT_ONCE = 100
LATE = timedelta(hours=1)
"""A line bears the time at which its work began; it is in the ledger long before this has passed."""


class MonthNotOver(Exception):
    """A statement was asked for of a month in which lines may still be written."""


class MonthTooEarly(Exception):
    """A statement was asked for of a month before the account was opened."""


def month_of(day: date) -> date:
    """Return the first day of its month."""
    return day.replace(day=1)


def next_month(month: date) -> date:
    """Return the first day of the month after it."""
    return month_of(month + timedelta(days=31))


def last_month(*, client: Client, now: datetime) -> date:
    """Return the latest month that is over in the client's zone, and whose last lines are written."""
    today = (now - LATE).astimezone(ZoneInfo(client.time_zone)).date()
    return month_of(month_of(today) - timedelta(days=1))


def first_month(*, client: Client) -> date:
    """Return the month in which the account was opened, or its first line was written."""
    lines = Transaction.objects.of(client).order_by("seq")
    written = lines.values_list("created_at", flat=True).first() or client.created_at
    opened = min(written, client.created_at)
    return month_of(opened.astimezone(ZoneInfo(client.time_zone)).date())


def ask_statement(*, client: Client, month: date, now: datetime) -> Statement:
    """
    Note that a month's statement is wanted; a worker makes it. The second time return the first.

    :raises MonthNotOver: if lines may still be written in it
    :raises MonthTooEarly: if the account was opened after it
    """
    if month > last_month(client=client, now=now):
        raise MonthNotOver
    if month < first_month(client=client):
        raise MonthTooEarly
    row = Statement(client=client, month=month, time_zone=client.time_zone, asked_at=now)
    if not insert_once(row, "client", "month"):
        return Statement.objects.get(client=client, month=month)
    return row


def make_statement(*, statement: Statement, now: datetime) -> bool:
    """
    Write the month's CSV and its digest, in bounded memory; False if it was made before.

    What was issued stays as it is and is never made again. Earlier months that wait are made first: a
    month begins after the last line of the one before.
    """
    if statement.issued_at is not None:
        return False
    mine = Statement.objects.select_related("client__wallet").filter(client=statement.client_id)
    for earlier in mine.filter(month__lt=statement.month, status=Status.QUEUED).order_by("month"):
        _make(earlier, now)
    return _make(statement, now)


def _make(statement: Statement, now: datetime) -> bool:
    first, last = _bounds(statement)
    statement.first_seq, statement.last_seq = first, last
    opening = standing_before(statement.client, first)
    for name, seconds in _standing("opening", opening).items():
        setattr(statement, name, seconds)
    totals = Totals(opening=opening)
    digest = hashlib.sha256()
    with tempfile.TemporaryFile("w+b") as target:
        for part in csv_of(statement, totals):
            encoded = part.encode()
            digest.update(encoded)
            target.write(encoded)
        target.seek(0)
        stored = files.store(
            room="statements", client_id=statement.client_id, suffix=".csv", content=target
        )
    changes = {
        "status": Status.DONE,
        "first_seq": first,
        "last_seq": last,
        **_standing("opening", opening),
        **_standing("closing", totals.closing),
        "totals": totals.by_type | dict(sorted(totals.free.items())),
        "lists_free_calls": True,
        "csv_name": stored,
        "digest": digest.hexdigest(),
        "issued_at": now,
    }

    def block() -> bool:
        if _bounds(statement) != (first, last):
            return False  # a neighbour was made meanwhile: this one is made again
        mine = Statement.objects.filter(pk=statement.pk, issued_at=None)
        return bool(mine.update(**changes))

    made = run_atomic(block)
    if not made:
        files.delete_stored(stored)  # or another worker was quicker
    return made


def due_statements(*, now: datetime) -> Iterable[Statement]:
    """Yield the statements that are wanted: of months that are over, and those left behind."""
    wallets = Wallet.objects.select_related("client").order_by("pk")
    for wallet in wallets.iterator(chunk_size=AT_ONCE):
        month = last_month(client=wallet.client, now=now)
        if Statement.objects.filter(client_id=wallet.client_id, month=month).exists():
            continue
        try:
            ask_statement(client=wallet.client, month=month, now=now)
        except MonthTooEarly:
            continue  # its first month isn't over
    yield from Statement.objects.filter(status=Status.QUEUED).order_by("asked_at")[:AT_ONCE]


@dataclass(frozen=True)
class Genuine:
    """A file of ours: whose paper it is, and whether it is its CSV or its PDF."""

    paper: Statement | Invoice
    kind: str

    @property
    def is_statement(self) -> bool:
        return isinstance(self.paper, Statement)


def find_genuine(*, digest: str) -> Genuine | None:
    """
    Return the paper of which a file has this SHA-256, in hexadecimal: a statement's CSV, or any PDF.

    None if several have: once a month without lines was a heading alone, the same for every client,
    and nobody may learn from it who is one.
    """
    wanted = digest.strip().lower()
    if len(wanted) != hashlib.sha256().digest_size * 2:
        return None
    found = [
        Genuine(paper=row, kind=kind)
        for kind, rows in (
            ("csv", Statement.objects.filter(digest=wanted)),
            ("pdf", Statement.objects.filter(pdf_digest=wanted)),
            ("pdf", Invoice.objects.filter(pdf_digest=wanted)),
        )
        for row in rows.select_related("client")[:2]
    ]
    return found[0] if len(found) == 1 else None


def _bounds(statement: Statement) -> tuple[int, int]:
    """
    Return the month's first and last line: what earlier and later months don't have.

    It begins where the month before ends, and ends where the next one begins, if those are made:
    the client's zone may have changed between them.
    """
    zone = ZoneInfo(statement.time_zone)
    lines = Transaction.objects.of(statement.client)
    made = Statement.objects.filter(client=statement.client_id, status=Status.DONE)
    before = made.filter(month=month_of(statement.month - timedelta(days=1))).first()
    after = made.filter(month=next_month(statement.month)).first()

    def last_before(day: date) -> int:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        earlier = lines.filter(created_at__lt=midnight).order_by("-seq")
        return earlier.values_list("seq", flat=True).first() or 0

    first = before.last_seq if before else last_before(statement.month)
    last = after.first_seq - 1 if after else last_before(next_month(statement.month))
    return first + 1, max(first, last)


def _standing(when: str, standing: Standing) -> dict[str, int]:
    """Return the columns that keep it: `opening_seconds`, `opening_reserved_seconds`, …"""
    return {
        f"{when}_seconds": standing.available_seconds,
        f"{when}_reserved_seconds": standing.reserved_seconds,
        f"{when}_debt_seconds": standing.debt_seconds,
    }
