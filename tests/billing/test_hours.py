"""What clients used hour by hour: counted line by line, equal to the plain sum, read without any line."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from billing import hours, jobs, notices, queries, services
from billing.models import Transaction, UsedHour, Wallet
from billing.services.settling import Ended, HoldBook
from convomono.lib import clock
from convomono.lib.db import run_atomic
from tests.factories.billing import NOW, TESTS, Launch, know_call, open_wallet

HOUR = timedelta(hours=1)


@pytest.fixture
def launches(acme, rival):
    for client in (acme, rival):
        open_wallet(client, seconds=100_000)
    return [Launch(acme, 50_000), Launch(rival, 50_000)]


def plain_sums(client, *, since: datetime, until: datetime) -> list[int]:
    """Add up the lines themselves, hour by hour; hours without any left out."""
    starts = [since + number * HOUR for number in range(int((until - since) / HOUR) + 1)]
    found = []
    for start, end in pairwise([*starts, starts[-1] + HOUR]):
        lines = Transaction.objects.filter(
            client=client, type="consume", created_at__gte=start, created_at__lt=end
        )
        found.append(lines.aggregate(total=Sum("seconds"))["total"])
    return [total for total in found if total]


def ends_together(launch: Launch, *, calls: int, now: datetime) -> None:
    """Bill calls as the drain does, many at once."""
    dials = [launch.dial(60, now=now) for _ in range(calls)]
    book = HoldBook(dial.attempt_id for dial in dials)
    for dial in dials:
        know_call(dial, 20)
        ended = Ended(
            attempt_id=dial.attempt_id,
            call_id=dial.call_id,
            duration_ms=20_000,
            is_machine=False,
            was_placed=True,
        )
        charge = book.charge(ended)
        assert charge
        book.settle(ended, charge)
    run_atomic(lambda: book.write(now=now))


def test_comes_to_the_plain_sum_of_the_lines(launches, acme, rival):
    dice = random.Random(4)  # noqa: S311  # not for secrets
    for _call in range(60):
        launch = dice.choice(launches)
        at = NOW + timedelta(minutes=dice.randrange(60 * 40))
        dial = launch.dial(60, now=at)
        dial.end(dice.randrange(1, 90), now=at)  # some of them longer than they may be
        if dice.random() < 0.2:
            services.refund_call(
                client_id=launch.client.pk,
                call_id=dial.call_id,
                seconds=1,
                reason="x",
                actor=TESTS,
                now=at,
            )
    ends_together(launches[0], calls=5, now=NOW + 39 * HOUR)
    now = NOW + timedelta(hours=39, minutes=59)
    first = datetime(2026, 11, 24, 7, tzinfo=UTC)  # the 24th hour, counted back from now

    used = hours.recent_use([acme.pk, rival.pk], now=now)

    for client in (acme, rival):
        assert used[client.pk].today_seconds == sum(plain_sums(client, since=first, until=now))
        latest = plain_sums(client, since=now.replace(minute=0) - 6 * 24 * HOUR, until=now)[-24:]
        assert used[client.pk].running == latest[::-1]


def test_reads_no_line_of_the_ledger_however_many_there_are(launches, acme):
    """Each minute, and at each look at the wallets, it added up a day of everybody's lines."""
    for minute in range(8):
        launches[0].dial(60).end(30, now=NOW + timedelta(minutes=minute))
    rate = services.current_rate(client=acme, now=NOW)

    with CaptureQueriesContext(connection) as asked:
        notices.watch_runways(now=NOW + HOUR)
        queries.with_use(Wallet.objects.all(), now=NOW + HOUR)
        queries.wallet_overview(client=acme, rate=rate, now=NOW + HOUR)

    assert not [one["sql"] for one in asked if "billing_transaction" in one["sql"]]
    assert UsedHour.objects.count() == 1


@pytest.mark.sqlite_only("reads SQLite's plans")
def test_finds_the_hours_by_their_index(launches, acme):
    mine = UsedHour.objects.filter(client_id__in=[acme.pk], hour_at__gte=NOW)

    assert "SEARCH" in mine.explain()
    assert "client_id=? AND hour_at>?" in mine.explain()


def test_leaves_no_hour_behind_when_the_block_is_undone(launches):
    dial = launches[0].dial(60)
    know_call(dial, 30)

    class Undone(Exception):
        pass

    def block() -> None:
        services.consume(
            attempt_id=dial.attempt_id, call_id=dial.call_id, duration_ms=30_000, now=NOW
        )
        raise Undone

    with pytest.raises(Undone):
        run_atomic(block)
    assert not UsedHour.objects.exists()
    for _twice in range(2):
        dial.end(30)
    assert UsedHour.objects.get().seconds == 30


def test_takes_an_hour_by_the_clock_of_the_world(launches):
    half_past = NOW.replace(hour=15, minute=10)
    kolkata = half_past.astimezone(ZoneInfo("Asia/Kolkata"))  # 20:40

    assert hours.hour_of(kolkata) == half_past.replace(minute=0)


def test_forgets_hours_that_nobody_looks_back_to(launches, acme, monkeypatch):
    monkeypatch.setattr(hours, "AT_ONCE", 2)
    for day in range(5):
        launches[0].dial(60, now=NOW + day * 24 * HOUR).end(30, now=NOW + day * 24 * HOUR)

    assert hours.purge_hours(now=NOW + 11 * 24 * HOUR) == 3
    assert UsedHour.objects.count() == 2
    monkeypatch.setattr(clock, "now", lambda: NOW + 30 * 24 * HOUR)
    assert jobs.purge_hours() == 2
