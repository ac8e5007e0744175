"""The drain: everything that is due, in short transactions, and no event in another's way."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections

from accounts.models import Notification
from billing.invariants import audit_ledger
from campaigns.models import BatchCall
from convomono.lib import live
from convomono.lib.db import in_transaction
from telephony.models import Call
from tests.factories.webhooks import delivery
from tests.webhooks.conftest import Ringing, deliver, without
from webhooks import drain
from webhooks.drain import BACKOFF_SECONDS, Drain, step
from webhooks.handlers.retell import conclude, handle
from webhooks.handlers.together import Together
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from accounts.models import Client
    from telephony.events import CallEvent
    from tests.campaigns.dialling.conftest import Rig

OVER: dict[str, Any] = {
    "call_status": "ended",
    "disconnection_reason": "user_hangup",
    "duration_ms": 30_000,
}


def statuses() -> list[str]:
    return list(WebhookEvent.objects.order_by("created_at", "pk").values_list("status", flat=True))


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find no event plain: each is handled by itself."""
    monkeypatch.setattr(Together, "take", lambda *_args, **_more: False)


def poison(monkeypatch: pytest.MonkeyPatch, call_id: str) -> list[str]:
    """Make the events of one call fail; return the list of calls that were handled alone."""
    handled: list[str] = []
    take = Together.take

    def poisoned_take(self: Together, event: CallEvent, *, now: datetime) -> bool:
        if event.provider_call_id == call_id:
            raise ValueError("no antidote")
        return take(self, event, now=now)

    monkeypatch.setattr(Together, "take", poisoned_take)

    def poisoned(*, event: CallEvent, now: datetime) -> Any:
        if event.provider_call_id == call_id:
            raise ValueError("no antidote")
        change = handle(event=event, now=now)
        handled.append(event.provider_call_id)
        return change

    monkeypatch.setattr(drain, "handle", poisoned)
    return handled


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What open pages are told; [] is for the agency's alone."""
    messages: list[list[str]] = []
    monkeypatch.setattr(live, "publish", lambda _channel, text: messages.append(json.loads(text)))
    return messages


class TestStep:
    def test_applies_what_is_due(self, ringing: Ringing, now: datetime):
        said = ringing.says("user_hangup")
        for body in said.values():
            deliver(body)
        assert step(now=now) == 3
        assert statuses() == ["applied"] * 3
        assert Call.objects.get().billed_seconds == 30
        assert WebhookEvent.objects.filter(processed_at=now).count() == 3

    def test_finds_nothing_the_second_time(self, ringing: Ringing, now: datetime):
        deliver(ringing.says("user_hangup")["ended"])
        assert [step(now=now), step(now=now)] == [1, 0]

    def test_leaves_what_is_not_due(self, ringing: Ringing, now: datetime):
        deliver(ringing.says("user_hangup")["ended"], next_try_at=now + timedelta(seconds=1))
        assert step(now=now) == 0
        assert step(now=now + timedelta(seconds=1)) == 1

    def test_takes_at_most_200_at_once(
        self, db: None, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(drain, "BATCH", 5)
        for number in range(7):
            deliver(delivery("call_started", call_id=f"call_{number}"))
        assert step(now=now) == 5

    def test_applies_an_event_again_without_effect(self, ringing: Ringing, now: datetime):
        """What a killed drain had applied and not marked comes again: nothing moves."""
        deliver(ringing.says("user_hangup")["ended"])
        step(now=now)
        before = Call.objects.values().get()
        WebhookEvent.objects.update(status="pending", processed_at=None)
        step(now=now)
        assert Call.objects.values().get() == before
        assert list(audit_ledger()) == []

    def test_writes_each_slice_in_its_own_transaction(
        self,
        launched: Callable[[int], list[Ringing]],
        now: datetime,
        monkeypatch: pytest.MonkeyPatch,
    ):
        for call in launched(6):
            deliver(call.says("dial_busy")["ended"])
        slices: list[int] = []
        write = Drain._write

        def counted(self: Drain, plain: Any, together: Any, now: datetime) -> Any:
            slices.append(len(plain))
            return write(self, plain, together, now)

        monkeypatch.setattr(Drain, "_write", counted)
        slow = Drain()
        slow._fitting = 2.0
        monkeypatch.setattr(slow, "_learn", lambda *_: None)
        slow.step(now=now)
        assert slices == [2, 2, 2]

    def test_finishes_a_launch_once_its_last_events_are_committed(
        self,
        launched: Callable[[int], list[Ringing]],
        now: datetime,
        monkeypatch: pytest.MonkeyPatch,
    ):
        for call in launched(2):
            deliver(call.says("user_hangup", seconds=30)["ended"])
        applied: list[list[str]] = []

        def concluded(*, changes: Any, now: datetime) -> None:
            applied.append(statuses())
            conclude(changes=changes, now=now)

        monkeypatch.setattr(drain, "conclude", concluded)
        Drain().step(now=now)
        assert applied[-1] == ["applied", "applied"]
        assert BatchCall.objects.get().status == BatchCall.Status.FINISHED

    def test_makes_slices_larger_when_they_are_quick_and_smaller_when_not(self):
        learning = Drain()
        for _ in range(40):
            learning._learn(int(learning._fitting), 0.001)
        assert learning._fitting == 16
        learning._learn(3, 0.001)  # a part of one says nothing
        assert learning._fitting == 16
        learning._learn(16, 0.010)
        assert learning._fitting == pytest.approx(16 * 0.7)
        for _ in range(10):
            learning._learn(int(learning._fitting), 1.0)
        assert int(learning._fitting) == 8  # smaller ones cost more than they let others write


class TestPoison:
    def test_keeps_one_event_from_the_others(
        self,
        launched: Callable[[int], list[Ringing]],
        now: datetime,
        monkeypatch: pytest.MonkeyPatch,
    ):
        calls = launched(5)
        handled = poison(monkeypatch, calls[2].call_id)
        for call in calls:
            deliver(call.says("dial_busy")["ended"])
        step(now=now)
        assert sorted(statuses()) == ["applied"] * 4 + ["pending"]
        assert calls[2].call_id not in handled
        bad = WebhookEvent.objects.get(status="pending")
        assert bad.provider_call_id == calls[2].call_id
        assert (bad.attempts, bad.error) == (1, "ValueError: no antidote")
        assert bad.next_try_at == now + timedelta(seconds=1)

    def test_is_dead_after_five_tries_and_tells_the_agency(
        self, ringing: Ringing, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        poison(monkeypatch, ringing.call_id)
        deliver(ringing.says("dial_busy")["ended"])
        for seconds in (*BACKOFF_SECONDS, 0):
            assert step(now=now) == 1
            assert step(now=now) == 0 or not seconds
            now += timedelta(seconds=seconds)
        event = WebhookEvent.objects.get()
        assert (event.status, event.attempts) == ("dead", 5)
        assert step(now=now + timedelta(days=1)) == 0
        assert Notification.objects.get().client_id is None

    def test_leaves_nothing_half_done(
        self, ringing: Ringing, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        deliver(ringing.says("user_hangup")["ended"])

        def broken(*_: object, **_more: object) -> None:
            raise ValueError("counters are away")

        monkeypatch.setattr("webhooks.handlers.retell.count_outcome", broken)
        monkeypatch.setattr("webhooks.handlers.together.Tally.write", broken)
        step(now=now)
        call = Call.objects.get()
        assert (call.status, call.billed_seconds, call.outcome_class) == ("registered", 0, "")
        assert list(audit_ledger()) == []
        monkeypatch.undo()
        step(now=now + timedelta(seconds=1))
        assert Call.objects.get().billed_seconds == 30

    @pytest.mark.django_db(transaction=True)
    def test_is_told_to_open_pages(
        self,
        ringing: Ringing,
        now: datetime,
        monkeypatch: pytest.MonkeyPatch,
        told: list[list[str]],
    ):
        poison(monkeypatch, ringing.call_id)
        deliver(ringing.says("dial_busy")["ended"])
        told.clear()
        step(now=now)
        assert [] in told

    def test_counts_a_body_that_nobody_can_read(self, db: None, now: datetime):
        event = deliver(delivery("call_ended"))
        WebhookEvent.objects.update(body="{")
        step(now=now)
        event.refresh_from_db()
        assert (event.status, event.attempts) == ("pending", 1)

    def test_blames_no_event_for_a_database_that_is_away(
        self, ringing: Ringing, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        deliver(ringing.says("dial_busy")["ended"])

        def away(**_: object) -> None:
            raise OperationalError("unable to open database file")

        one_by_one(monkeypatch)
        monkeypatch.setattr(drain, "handle", away)
        monkeypatch.setattr(drain, "_database_answers", lambda: False)
        with pytest.raises(OperationalError):
            step(now=now)
        assert WebhookEvent.objects.get().attempts == 0

    def test_blames_the_event_if_the_database_is_well(
        self, ringing: Ringing, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        deliver(ringing.says("dial_busy")["ended"])

        def odd(**_: object) -> None:
            raise OperationalError("too many SQL variables")

        one_by_one(monkeypatch)
        monkeypatch.setattr(drain, "handle", odd)
        step(now=now)
        assert WebhookEvent.objects.get().attempts == 1


class TestParking:
    def test_keeps_an_event_whose_call_nobody_knows(self, acme: Client, now: datetime):
        deliver(delivery("call_ended", **OVER))
        step(now=now)
        event = WebhookEvent.objects.get()
        assert (event.status, event.attempts) == ("parked", 0)
        assert event.next_try_at == now + timedelta(seconds=5)

    @pytest.mark.django_db(transaction=True)
    def test_is_told_to_open_pages(self, acme: Client, now: datetime, told: list[list[str]]):
        deliver(delivery("call_ended", **OVER))
        told.clear()
        step(now=now)
        assert [] in told

    def test_takes_it_up_as_soon_as_the_call_is_known(self, ringing: Ringing, now: datetime):
        Call.objects.update(provider_call_id="call_known_later")
        body = ringing.says("user_hangup")["ended"]
        deliver(without(body, "metadata"))
        step(now=now)
        assert statuses() == ["parked"]
        Call.objects.update(provider_call_id=ringing.call_id)
        assert step(now=now) == 1
        assert statuses() == ["applied"]

    def test_asks_again_less_and_less_often(self, acme: Client, now: datetime):
        deliver(delivery("call_ended", **OVER))
        waits = []
        for _ in range(12):
            step(now=now)
            event = WebhookEvent.objects.get()
            waits.append(event.next_try_at - now)
            now = event.next_try_at
        assert waits == sorted(waits)
        assert waits[-1] == timedelta(hours=1)
        assert WebhookEvent.objects.get().attempts == 0

    def test_blocks_nobody(self, ringing: Ringing, now: datetime):
        deliver(delivery("call_ended", call_id="call_of_nobody", **OVER))
        deliver(ringing.says("dial_busy")["ended"])
        step(now=now)
        assert sorted(statuses()) == ["applied", "parked"]


@pytest.mark.django_db(transaction=True)
class TestSideBySide:
    def test_two_drains_apply_everything_once(
        self, launched: Callable[[int], list[Ringing]], now: datetime
    ):
        for call in launched(8):
            for body in call.says("user_hangup").values():
                deliver(body)
        gate = threading.Barrier(3)
        errors: list[Exception] = []

        def run() -> None:
            gate.wait()
            try:
                while Drain().step(now=now + timedelta(minutes=5)):
                    pass
            except Exception as error:  # noqa: BLE001 - shown by the assertion
                errors.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert set(statuses()) == {"applied"}
        assert set(Call.objects.values_list("billed_seconds", flat=True)) == {30}
        assert list(audit_ledger()) == []

    @pytest.mark.sqlite_only("SQLite has one lock for all writers")
    def test_lets_the_intake_in_between_slices(
        self, launched: Callable[[int], list[Ringing]], now: datetime, rig: Rig
    ):
        """Another writer that waits no longer than the sender does gets its turn."""
        for call in launched(10):
            deliver(call.says("user_hangup")["ended"])
        slow = Drain()
        slow._fitting = 1.0
        waits: list[float] = []
        stop = threading.Event()

        def write() -> None:
            other = sqlite3.connect(
                connection.settings_dict["NAME"], timeout=5, isolation_level=None
            )
            while not stop.is_set():
                began = time.perf_counter()
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
                waits.append(time.perf_counter() - began)
                stop.wait(0.002)
            other.close()

        writer = threading.Thread(target=write)
        writer.start()
        slow.step(now=now)
        stop.set()
        writer.join()
        assert statuses() == ["applied"] * 10
        assert max(waits) < 1.0
        assert not in_transaction()


class TestCommand:
    def test_empties_the_inbox_once(self, ringing: Ringing):
        deliver(ringing.says("dial_busy")["ended"])
        assert call_command("drain", "--once") == "Applied 1 events."
        assert statuses() == ["applied"]

    def test_only_counts_on_a_dry_run(self, ringing: Ringing):
        deliver(ringing.says("dial_busy")["ended"])
        assert call_command("drain", "--dry-run") == "1 events wait."
        assert statuses() == ["pending"]


def test_marks_no_event_applied_that_somebody_set_aside_meanwhile(
    launched: Callable[[int], list[Ringing]], now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    (call,) = launched(1)
    deliver(call.says("user_hangup")["ended"], created_at=now)
    write = Together.write

    def set_aside(self: Together, **kwargs: Any) -> Any:
        WebhookEvent.objects.update(status="ignored")
        return write(self, **kwargs)

    monkeypatch.setattr(Together, "write", set_aside)
    Drain().step(now=now)

    assert statuses() == ["ignored"]
