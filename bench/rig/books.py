"""Fills a ledger with charges of calls, audits it, and compares its calls with Retell's."""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

if TYPE_CHECKING:
    from collections.abc import Sequence

django.setup()

from django.core.management import call_command
from django.db import connection

from accounts.models import Client
from audit.services import System
from bench.rig.copies import an_id, copy
from billing import services
from billing.chain import seal
from billing.models import CallHold, Difference, Reconciliation, Reservation, Transaction, Wallet
from billing.triggers import add_triggers, drop_triggers
from convomono.lib.ids import uuid7
from telephony.models import Call
from telephony.provider import CallPage, ProviderCall

BENCH = System("bench")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
DAY = timedelta(days=1)
SECONDS, PAGE, KB = 60, 1000, 1024


def fill(lines: int) -> None:
    """Bring the ledger to so many charges, each with its dial and its call, from one that was made."""
    call_command("migrate", verbosity=0)
    if not Wallet.objects.exists():
        begin()
    there = Transaction.objects.filter(type="consume").count()
    added = lines - there
    if added <= 0:
        return
    first = Transaction.objects.get(key__startswith="consume:", seq=3)
    at = f"strftime('%Y-%m-%d %H:%M:%S', '{NOW:%Y-%m-%d}', (n % 86000) || ' seconds')"
    numbers = range(there + 1, lines + 1)
    dashed = "substr({0},1,8)||'-'||substr({0},9,4)||'-'||substr({0},13,4)||'-'||substr({0},17,4)||'-'||substr({0},21)"
    attempt, call = f"({an_id('a')})", f"({an_id('c')})"
    copy(
        Transaction,
        first.pk.hex,
        numbers,
        _id=an_id("e"),
        seq="n + 2",
        key=f"'consume:' || {dashed.format(call)}",
        call_id=call,
        reference_id=dashed.format(attempt),
    )
    seal_lines()
    hold = CallHold.objects.get(attempt_id=first.reference_id)
    copy(CallHold, hold.pk.hex, numbers, _id=an_id("b"), attempt_id=attempt, call_id=call)
    assert first.call_id is not None
    copy(
        Call,
        first.call_id.hex,
        numbers,
        _id=call,
        attempt_id=attempt,
        provider_call_id="'call_' || n",
        created_at=at,
        started_at=at,
    )
    Reservation.objects.update(
        free_seconds=10**9 - lines * SECONDS,
        posted_seconds=lines * SECONDS,
        charged_seconds=lines * SECONDS,
        charged_micros=lines * first.amount_micros,
    )
    Wallet.objects.update(
        reserved_seconds=10**9 - lines * SECONDS, consumed_seconds=lines * SECONDS, seq=lines + 2
    )


def seal_lines() -> None:
    """Give the copies the seals that they would have."""
    before = ""
    with connection.schema_editor() as editor:
        drop_triggers(editor)
        mine = Transaction.objects.order_by("seq")
        for lines in batched(mine.iterator(chunk_size=PAGE), PAGE):
            values = []
            for line in lines:
                before = seal(line, before=before)
                values.append((before, line.pk.hex))
            with connection.cursor() as cursor:
                cursor.executemany(
                    "UPDATE billing_transaction SET seal = %s WHERE _id = %s", values
                )
        add_triggers(editor)


def begin() -> None:
    """Make one of everything by the services."""
    client = Client.objects.create(name="Bench", created_at=NOW)
    by: dict[str, Any] = {"actor": BENCH, "now": NOW}
    services.open_wallet(client=client, price_per_minute_micros=300_000, **by)
    services.purchase(
        client=client, seconds=10**9, amount_micros=0, method="grant", reference="bench", **by
    )
    launch, attempt, call = uuid7(), uuid7(), uuid7()
    services.reserve(
        client_id=client.pk, batch_call_id=launch, campaign_id=uuid7(), seconds=10**9, **by
    )
    services.hold(attempt_id=attempt, batch_call_id=launch, max_call_seconds=SECONDS, now=NOW)
    services.consume(attempt_id=attempt, call_id=call, duration_ms=SECONDS * 1000, now=NOW)
    Call.objects.create(
        pk=call,
        client=client,
        attempt_id=attempt,
        provider_call_id="call_1",
        status="ended",
        outcome_class="human",
        duration_ms=SECONDS * 1000,
        created_at=NOW,
        started_at=NOW,
    )


def audit(_lines: int) -> None:
    """Audit all of it, as the command does."""
    call_command("audit_ledger")


class Books:
    """Retell's list of the same calls, made page by page; one in ten thousand is a second longer."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def list_calls(
        self,
        *,
        started_from: datetime | None = None,
        started_until: datetime | None = None,
        call_ids: Sequence[str] = (),
        pagination_key: str | None = None,
    ) -> CallPage:
        assert started_from
        assert started_until
        assert not call_ids
        window = Call.objects.filter(started_at__gte=started_from, started_at__lte=started_until)
        mine = window.order_by("pk").values_list("pk", "provider_call_id", "attempt_id")
        if pagination_key:
            mine = mine.filter(pk__gt=pagination_key)
        rows = list(mine[:PAGE])
        return CallPage(
            calls=tuple(self._call(name, attempt, started_from) for _pk, name, attempt in rows),
            pagination_key=str(rows[-1][0]) if len(rows) == PAGE else None,
        )

    def _call(self, name: str, attempt: object, at: datetime) -> ProviderCall:
        longer = int(name.removeprefix("call_")) % 10_000 == 0
        return ProviderCall(
            call_id=name,
            call_status="ended",
            metadata={"attempt_id": str(attempt)},
            payload={
                "start_timestamp": at.timestamp() * 1000,
                "duration_ms": (SECONDS + longer) * 1000,
                "call_cost": {"combined_cost": 0},
            },
        )


def compare(calls: int) -> None:
    """Compare so many calls of one day; none but the longer ones may differ."""
    if Call.objects.count() > calls:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE telephony_call SET started_at = NULL WHERE CAST(substr(provider_call_id, 6)"
                f" AS INTEGER) > {calls}"
            )
    run = services.ask_reconciliation(since=NOW, until=NOW + DAY, actor=BENCH, now=NOW + DAY)
    while not services.compare_slice(run_id=run.pk, gateway=Books(calls), now=NOW + DAY):
        pass
    run.refresh_from_db()
    assert (run.status, run.compared_count) == ("done", calls), run.compared_count
    assert Difference.objects.filter(reconciliation=run).count() == calls // 10_000
    # The audit of more, days later, is to find nothing.
    for model in (Difference, Reconciliation):
        model.objects.all().delete()


def mapped_kb() -> int:
    """Return how much of this process is pages of files; it only grows while it reads."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"RssFile:\s+(\d+) kB", status)[0])


def main() -> None:
    task, size = sys.argv[1], int(sys.argv[2])
    started, cpu = time.perf_counter(), time.process_time()
    {"fill": fill, "audit": audit, "compare": compare}[task](size)
    # The file's own pages are the system's cache and go when others need them.
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - mapped_kb()) / KB
    figures = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    print(json.dumps({**{k: round(v, 1) for k, v in figures.items()}, "peak_mb": round(peak)}))


if __name__ == "__main__":
    main()
