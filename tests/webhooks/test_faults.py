"""Faults, each with what must hold: nothing acknowledged is lost, nothing takes effect twice."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import repeat
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from django.db import OperationalError, connection

from accounts.models import Notification
from billing.invariants import audit_ledger
from billing.models import CallHold, Transaction
from convomono.lib import clock
from convomono.lib.redis import redis_connection
from telephony.models import Call
from telephony.rules import OUTCOMES
from tests.factories.webhooks import WebhookEventFactory, delivery, now_ms, signature
from tests.mongo import is_write
from tests.webhooks.conftest import Ringing, deliver
from tests.webhooks.test_intake import post_asgi, post_wsgi
from webhooks import inbox, jobs
from webhooks.drain import Drain
from webhooks.models import WebhookEvent
from webhooks.sweeper import sweep_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from accounts.models import User
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db(transaction=True)
CONNECTED = "user_hangup"
REASONS = (CONNECTED, "dial_busy", "voicemail_reached", "dial_no_answer", "invalid_destination")


@pytest.fixture(autouse=True)
def fresh_connection() -> Iterator[None]:
    inbox.close()
    yield
    inbox.close()


class Killed(BaseException):
    """What kill -9 is to a transaction: it ends here, and nobody handles it."""


class KillAt:
    """Dies at the n-th statement that writes."""

    def __init__(self, statement: int) -> None:
        self.left = statement

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if is_write(sql):
            self.left -= 1
            if self.left < 0:
                raise Killed
        return execute(sql, params, many, context)


def test_a_drain_killed_at_any_statement_has_no_effect_or_all_of_it(
    launched: Callable[[int], list[Ringing]], now: datetime
):
    """Twenty deaths, each at a later statement of a call's end; then the drain runs on."""
    calls = launched(20)
    undone = 0
    for number, call in enumerate(calls):
        deliver(call.says(CONNECTED)["ended"], created_at=now)
        try:
            with connection.execute_wrapper(KillAt(number)):
                Drain().step(now=now)
        except Killed:
            row = Call.objects.get(provider_call_id=call.call_id)
            event = WebhookEvent.objects.get(provider_call_id=call.call_id)
            if event.status == "applied":  # it died of what follows the commit
                assert (row.status, row.billed_seconds) == ("ended", 30)
                continue
            assert (row.status, row.billed_seconds, row.counted) == ("registered", 0, {})
            undone += 1
            assert list(audit_ledger()) == []
        while Drain().step(now=now):
            pass
    assert undone >= 8
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}
    assert set(Call.objects.values_list("billed_seconds", flat=True)) == {30}
    assert Transaction.objects.filter(type="consume").count() == len(calls)
    assert list(audit_ledger()) == []


@pytest.mark.sqlite_only("is about SQLite's file")
def test_a_full_disk_is_answered_503_and_recovers_by_itself():
    """`max_page_count` is the end of the disk; what was acknowledged before it stays."""
    assert post_wsgi(delivery("call_ended", call_id="call_first")).status == 204
    (pages,) = inbox._sqlite().execute("PRAGMA page_count").fetchone()
    answers: list[int] = []
    bodies = [
        delivery("call_ended", call_id=f"call_{n}", transcript="x" * 100_000) for n in range(20)
    ]
    kept: set[str] = set()
    for number, body in enumerate(bodies):
        # Each connection has the limit for itself, and a failure closes it.
        inbox._sqlite().execute(f"PRAGMA max_page_count={pages + 100}")
        answers.append(post_wsgi(body).status)
        if answers[-1] == 204:
            kept.add(f"call_{number}:call_ended")
    assert Counter(answers)[503] > 0
    assert set(answers) == {204, 503}
    stored = set(WebhookEvent.objects.values_list("key", flat=True)) - {"call_first:call_ended"}
    assert stored == kept
    inbox.close()
    assert [post_wsgi(body).status for body in bodies] == [204] * 20
    assert WebhookEvent.objects.count() == 21
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA integrity_check")
        assert cursor.fetchone() == ("ok",)


def fill_with(size: int) -> None:
    with suppress(OperationalError):
        while True:
            WebhookEventFactory.create(body="x" * size, status="ignored")


@contextmanager
def full_disk() -> Iterator[None]:
    """Let this connection's disk be full meanwhile: no page more fits."""
    with connection.cursor() as cursor:
        (pages,) = cursor.execute("PRAGMA page_count").fetchone()
        cursor.execute(f"PRAGMA max_page_count={pages}")
        try:
            for size in (100_000, 2_000):  # what is free inside the file is used up too
                fill_with(size)
            yield
        finally:
            cursor.execute(f"PRAGMA max_page_count={2**32 - 2}")


@pytest.mark.sqlite_only("is about SQLite's file")
def test_a_full_disk_is_no_events_fault_and_the_drain_goes_on_by_itself(
    launched: Callable[[int], list[Ringing]], now: datetime
):
    """A small change may still fit, such as counting a try: nobody is told to mend an event for that."""
    calls = launched(3)
    for call in calls:
        long = call.says(CONNECTED, transcript="Agent: Hi.\n" * 220)["ended"]
        deliver(long, created_at=now)
    mine = WebhookEvent.objects.filter(provider_call_id__in=[call.call_id for call in calls])
    with full_disk():
        for minutes in range(8):  # an event has five tries, within three minutes
            with pytest.raises(OperationalError, match="full"):
                Drain().step(now=now + timedelta(minutes=minutes))

    assert set(mine.values_list("attempts", "error")) == {(0, "")}
    assert "pending" in set(mine.values_list("status", flat=True))
    assert not Notification.objects.filter(key__startswith="webhook-dead").exists()

    Drain().step(now=now + timedelta(minutes=8))
    assert set(mine.values_list("status", flat=True)) == {"applied"}
    assert set(Call.objects.values_list("billed_seconds", flat=True)) == {30}
    assert list(audit_ledger()) == []


@pytest.mark.load
@pytest.mark.sqlite_only("SQLite has one lock for all writers")
@pytest.mark.parametrize("post", [post_wsgi, post_asgi])
class TestLongLock:
    @pytest.fixture
    def hold(self) -> Iterator[Callable[[float], None]]:
        """Hold the write lock for so long, from now on."""
        threads: list[threading.Thread] = []

        def start(seconds: float) -> None:
            ready = threading.Event()

            def run() -> None:
                other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
                other.execute("BEGIN IMMEDIATE")
                ready.set()
                time.sleep(seconds)
                other.execute("ROLLBACK")
                other.close()

            threads.append(threading.Thread(target=run))
            threads[-1].start()
            ready.wait(5)

        yield start
        for thread in threads:
            thread.join()

    def test_of_four_seconds_is_waited_for(self, post: Any, hold: Callable[[float], None]):
        hold(4)
        began = time.monotonic()
        assert post(delivery("call_ended", call_id="call_a")).status == 204
        assert time.monotonic() - began < 5.5
        assert WebhookEvent.objects.count() == 1

    def test_of_thirty_seconds_is_answered_503_within_five(
        self, post: Any, hold: Callable[[float], None]
    ):
        hold(30)
        for number in range(3):
            began = time.monotonic()
            assert post(delivery("call_ended", call_id=f"call_{number}")).status == 503
            assert time.monotonic() - began < 5.5
        assert WebhookEvent.objects.count() == 0

    def test_of_thirty_seconds_keeps_nobody_in_line_for_longer_than_five(
        self,
        post: Any,
        hold: Callable[[float], None],
        launched: Callable[[int], list[Ringing]],
    ):
        """Sixteen threads, as production's web has them, and four deliveries for each of them at once."""
        bodies = [call.says(CONNECTED)["ended"] for call in launched(64)]

        def deliver_one(body: bytes, due: float) -> tuple[int, str, float]:
            answer = post(body)
            return answer.status, answer.headers.get("Retry-After", ""), time.monotonic() - due

        with ThreadPoolExecutor(16) as threads:
            hold(30)
            locked_at = time.monotonic()
            for at in (0, 10, 20):
                time.sleep(max(0.0, locked_at + at - time.monotonic()))
                due = time.monotonic()
                answers = list(threads.map(deliver_one, bodies, repeat(due)))
                assert {(status, come_again) for status, come_again, _ in answers} == {(503, "5")}
                assert max(seconds for _, _, seconds in answers) < 5
            assert WebhookEvent.objects.count() == 0

            time.sleep(max(0.0, locked_at + 29.9 - time.monotonic()))
            waiting, lost_patience = list(bodies), time.monotonic() + 15
            while waiting and time.monotonic() < lost_patience:
                answers = list(threads.map(deliver_one, waiting, repeat(time.monotonic())))
                statuses = [status for status, _, _ in answers]
                assert set(statuses) <= {204, 503}
                waiting = [b for b, one in zip(waiting, statuses, strict=True) if one != 204]
                assert WebhookEvent.objects.count() == len(bodies) - len(waiting)
        assert not waiting
        while Drain().step(now=clock.now()):
            pass
        assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}
        assert set(Call.objects.values_list("billed_seconds", flat=True)) == {30}
        assert list(audit_ledger()) == []


def test_a_flushed_valkey_loses_no_event(ringing: Ringing, now: datetime):
    assert post_wsgi(ringing.says(CONNECTED)["ended"]).status == 204
    redis_connection().flushall()
    assert Drain().step(now=WebhookEvent.objects.get().next_try_at) == 1
    assert Call.objects.get().billed_seconds == 30


def test_a_clock_ten_minutes_off_refuses_everything_and_somebody_is_told(
    root: User, monkeypatch: pytest.MonkeyPatch
):
    bodies = [delivery("call_ended", call_id=f"call_{n}") for n in range(3)]
    signed = [signature(body) for body in bodies]
    later = time.time_ns() + 600 * 1_000_000_000
    with monkeypatch.context() as patch:
        patch.setattr("webhooks.intake.time.time_ns", lambda: later)
        answers = [
            post_wsgi(body, signed=sign).status for body, sign in zip(bodies, signed, strict=True)
        ]
    assert answers == [401] * 3
    deadline = time.monotonic() + 5
    while "skew" not in jobs.watch_webhooks() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Notification.objects.filter(client=None, key__startswith="webhook-alert:skew").exists()


def storm(calls: list[Ringing], rng: random.Random) -> tuple[list[bytes], set[str]]:
    """Return each event one to five times in random order, without a tenth; and whose were lost."""
    sent: list[bytes] = []
    lost: set[str] = set()
    for number, call in enumerate(calls):
        for body in call.says(REASONS[number % len(REASONS)]).values():
            if rng.random() < 0.1:
                lost.add(call.call_id)
            else:
                sent += [body] * rng.randint(1, 5)
    rng.shuffle(sent)
    return sent, lost


@pytest.mark.parametrize(
    ("leads", "seed"),
    [
        (15, 1),
        pytest.param(120, 2, marks=pytest.mark.load),
        pytest.param(120, 3, marks=pytest.mark.load),
    ],
)
@pytest.mark.usefixtures("at_that_time")
def test_a_storm_of_repeats_shuffles_losses_and_forgeries_ends_as_the_oracle_says(
    launched: Callable[[int], list[Ringing]], rig: Rig, now: datetime, leads: int, seed: int
):
    calls = launched(leads)
    rng = random.Random(seed)  # noqa: S311 - no secret: a story that can be told again
    sent, _lost = storm(calls, rng)
    drain, refused = Drain(), 0
    for number, body in enumerate(sent):
        if rng.random() < 0.01 or number == 7:
            forged = body.replace(b"false", b"true ", 1) if b"false" in body else body + b" "
            refused += post_wsgi(forged, signed=signature(body)).status == 401
        assert post_wsgi(body).status == 204
        if rng.random() < 0.05:
            drain.step(now=now + timedelta(days=3))
    assert refused
    for number, call in enumerate(calls):  # Retell's own books, which reconciliation asks
        said = call.says(REASONS[number % len(REASONS)])["analyzed"]
        told = orjson.loads(said)["call"]
        del told["call_id"]
        rig.retell.becomes(call.call_id, **told)
    late = now + timedelta(days=3)
    while drain.step(now=late):
        pass
    # Those that lost every ending are silent by now, those that lost only the analysis are settled.
    sweep_calls(gateway=rig.retell, now=late)
    while drain.step(now=late):
        pass

    for number, call in enumerate(calls):
        reason = REASONS[number % len(REASONS)]
        row = Call.objects.get(provider_call_id=call.call_id)
        outcome = OUTCOMES[reason]
        seconds = 30 if row.status == "ended" else 0
        assert (row.outcome_class, row.disconnection_reason) == (outcome.outcome_class, reason)
        assert row.billed_seconds == seconds
        hold = CallHold.objects.get(attempt_id=call.attempt.pk)
        assert hold.status == ("voided" if reason == "invalid_destination" else "posted")
    assert not WebhookEvent.objects.filter(status__in=("pending", "parked", "dead")).exists()
    assert list(audit_ledger()) == []


def test_duplicates_are_rows_once_whatever_is_repeated(ringing: Ringing):
    bodies = list(ringing.says(CONNECTED).values())
    stamp = now_ms()
    for _ in range(5):
        for body in bodies:
            assert post_wsgi(body, signed=signature(body, stamp_ms=stamp)).status == 204
    assert WebhookEvent.objects.count() == len(bodies)
