"""Measures the ledger on one SQLite file: a launch, a dial and a charge, by the services and by hand."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

django.setup()

from django.core.management import call_command
from django.db import connection

from accounts.models import Client
from audit.services import System
from bench.rig.copies import copy
from billing import services
from billing.models import Transaction, Wallet
from convomono.lib import clock
from convomono.lib.ids import uuid7

BENCH = System("bench")
NOW = clock.real_now()
SECONDS = 60
HEX, DASHED = 32, 36  # how ids are written


@dataclass
class Cycle:
    """One launch of one call: reserved, held, charged."""

    client: Client
    ids: dict[str, UUID] = field(
        default_factory=lambda: {
            name: uuid7() for name in ("launch", "campaign", "attempt", "call")
        }
    )

    def run(self) -> None:
        services.reserve(
            client_id=self.client.pk,
            batch_call_id=self.ids["launch"],
            campaign_id=self.ids["campaign"],
            seconds=SECONDS,
            actor=BENCH,
            now=NOW,
        )
        services.hold(
            attempt_id=self.ids["attempt"],
            batch_call_id=self.ids["launch"],
            max_call_seconds=SECONDS,
            now=NOW,
        )
        services.consume(
            attempt_id=self.ids["attempt"],
            call_id=self.ids["call"],
            duration_ms=SECONDS * 1000,
            now=NOW,
        )


class ByHand:
    """The statements of one cycle, reads included, repeated by sqlite3 with other ids and numbers."""

    def __init__(self, client: Client) -> None:
        # Each with its rows of values: one, or those of an executemany.
        self._statements: list[tuple[str, list[list[Any]]]] = []
        Cycle(client).run()  # the first one begins the hour's sum, each after it adds to it
        cycle = Cycle(client)
        with connection.execute_wrapper(self._keep):
            cycle.run()
        self._client = client.pk.hex
        self._raw = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
        self._raw.executescript("PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;")

    def run(self) -> None:
        fresh: dict[str, str] = {}
        seq = self._raw.execute("SELECT seq FROM billing_wallet").fetchone()[0]
        is_open = False
        for sql, rows in self._statements:
            if sql.startswith("BEGIN"):  # Django commits by itself, not by a statement
                if is_open:
                    self._raw.execute("COMMIT")
                is_open = True
            for row in rows:
                values = [self._other(value, fresh) for value in row]
                if sql.startswith('UPDATE "billing_transaction" SET "seq"'):
                    seq += 1
                    values[0] = seq
                cursor = self._raw.execute(sql, values)
                if sql.startswith("SELECT"):
                    cursor.fetchall()
        if is_open:
            self._raw.execute("COMMIT")

    def _keep(self, run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        rows = [list(row) for row in params] if many else [list(params or ())]
        self._statements.append((sql.replace("%s", "?"), rows))
        params = rows if many else params
        return run(sql, params, many, context)

    def _other(self, value: Any, fresh: dict[str, str]) -> Any:
        """Exchange what names this cycle: its ids, and the keys that hold them."""
        if not isinstance(value, str):
            return value
        for kept in self._ids():
            if kept in value:
                value = value.replace(kept, fresh.setdefault(kept, uuid7().hex))
        return value

    def _ids(self) -> list[str]:
        if not hasattr(self, "_found"):
            known = {self._client, *Wallet.objects.values_list("pk", flat=True)}
            names = {str(one.hex if hasattr(one, "hex") else one) for one in known}
            told = (v for _s, rows in self._statements for values in rows for v in values)
            texts = {value for value in told if isinstance(value, str)}
            rates = {row.pk.hex for row in services.price_book(client=Client.objects.get())}
            ids = {v for v in texts if len(v) == HEX and v not in names | rates}
            dashed = {p for v in texts for p in v.split(":") if len(p) == DASHED}
            self._found = sorted(ids | dashed)
        return self._found


def rate(work: Callable[[], None], seconds: float) -> float:
    """
    Return how often a second of this thread's CPU it is done, working for so many.

    Others may use the machine, a driver's own threads and a server beside it among them.
    """
    done, started = 0, time.thread_time()
    while time.thread_time() - started < seconds:
        work()
        done += 1
    return done / (time.thread_time() - started)


def fill(client: Client, lines: int) -> None:
    """Bring the ledger to so many lines, by copies of its last one."""
    count = lines - Transaction.objects.count()
    if count <= 0:
        return
    last = Transaction.objects.order_by("-seq")[0]
    copy(
        Transaction,
        last.pk.hex,
        range(1, count + 1),
        _id="lower(hex(randomblob(16)))",
        key="'fill:' || lower(hex(randomblob(16)))",
        seq=f"{last.seq} + n",
        call_id="lower(hex(randomblob(16)))",
    )
    Wallet.objects.filter(client=client).update(seq=(last.seq or 0) + count)


def open_client() -> Client:
    """Make the tables, and a client with minutes enough."""
    call_command("migrate", verbosity=0)
    client = Client.objects.create(name="Bench", created_at=NOW)
    services.open_wallet(client=client, price_per_minute_micros=1, actor=BENCH, now=NOW)
    services.purchase(
        client=client,
        seconds=10**9,
        amount_micros=0,
        method="grant",
        reference="bench",
        actor=BENCH,
        now=NOW,
    )
    return client


def main() -> None:
    few, many, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    client = open_client()
    by_hand = ByHand(client)

    def by_services() -> None:
        Cycle(client).run()

    found: dict[str, float] = {}
    for name, lines in (("few", few), ("many", many)):
        fill(client, lines)
        rounds = [(rate(by_services, seconds), rate(by_hand.run, seconds)) for _ in range(3)]
        found[name] = max(services for services, _hand in rounds)
        found[f"{name}_by_hand"] = max(hand for _services, hand in rounds)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
