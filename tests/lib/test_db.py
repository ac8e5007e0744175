"""What may be run again, what is inserted once, and what the database is asked before all that."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection

from accounts.models import Client, Notification
from convomono.lib import db
from tests.factories.accounts import NOW, ClientFactory


class DriverError(Exception):
    """What a driver raises; Django's error has it as its cause."""

    def __init__(self, **said):
        super().__init__("driver")
        vars(self).update(said)


class MongoError(Exception):
    """What MongoDB's driver raises, with its labels."""

    def __init__(self, *labels):
        super().__init__("mongodb")
        self.labels = labels

    def has_error_label(self, label):
        return label in self.labels


def wrapped(cause):
    error = OperationalError("from the driver")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "is_transient", "was_undone"),
    [
        (DriverError(sqlite_errorcode=sqlite3.SQLITE_BUSY), True, True),
        (DriverError(sqlite_errorcode=sqlite3.SQLITE_BUSY_SNAPSHOT), True, True),
        (DriverError(sqlite_errorcode=sqlite3.SQLITE_FULL), False, False),
        (MongoError("TransientTransactionError"), True, True),
        (MongoError("UnknownTransactionCommitResult"), True, False),
        (MongoError(), False, False),
        (ValueError("ours"), False, False),
    ],
)
def test_knows_what_may_be_run_again(error, is_transient, was_undone):
    for seen in (error, wrapped(error)):
        assert db.is_transient(seen) == is_transient
        assert db.was_undone(seen) == was_undone


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DriverError(sqlite_errorcode=sqlite3.SQLITE_BUSY_SNAPSHOT), "The database is busy"),
        (DriverError(sqlite_errorcode=sqlite3.SQLITE_FULL), "is full"),
        (DriverError(sqlite_errorcode=sqlite3.SQLITE_IOERR_READ), "can't be read"),
        (db.Unavailable("MongoDB is on holiday."), "MongoDB is on holiday."),
        (DriverError(sqlite_errorcode=sqlite3.SQLITE_ERROR), None),  # such as: no such column
        (DriverError(sqlite_errorcode=sqlite3.SQLITE_CONSTRAINT), None),
        (ValueError("ours"), None),
        (None, None),
    ],
)
def test_tells_a_database_that_is_away_from_an_error_of_ours(error, sentence):
    twice = ValueError("in other words")
    twice.__cause__ = error and wrapped(error)

    for seen in (error, wrapped(error), twice):
        assert (sentence or "") in (db.outage(seen) or "")
        assert bool(db.outage(seen)) == bool(sentence)


BUSY = wrapped(DriverError(sqlite_errorcode=sqlite3.SQLITE_BUSY))
UNKNOWN = wrapped(MongoError("UnknownTransactionCommitResult"))


@pytest.mark.django_db(transaction=True)
class TestRunningAgain:
    def test_runs_a_block_again_after_a_conflict(self):
        runs: list[str] = []

        def block():
            runs.append(ClientFactory.create(name=f"Run {len(runs)}").name)
            if len(runs) < 3:
                raise BUSY
            return "done"

        assert db.run_atomic(block) == "done"
        assert runs == ["Run 0", "Run 1", "Run 2"]
        assert Client.objects.get().name == "Run 2"

    def test_lets_losers_try_again_one_after_the_other(self):
        """Side by side they would undo each other, and who has lost most often would starve."""
        inside: set[int] = set()
        side_by_side = threading.Event()

        def lose_twice(number):
            runs = []

            def block():
                runs.append(1)
                if len(runs) == 1:
                    raise BUSY
                inside.add(number)
                if len(inside) > 1:
                    side_by_side.set()
                side_by_side.wait(0.1)
                inside.remove(number)
                if len(runs) == 2:
                    raise BUSY

            try:
                db.run_atomic(block)
            finally:
                connection.close()
            return len(runs)

        with ThreadPoolExecutor(4) as pool:
            runs = list(pool.map(lose_twice, range(4)))

        assert runs == [3] * 4
        assert not side_by_side.is_set()

    @pytest.mark.parametrize(("longest_wait", "waited"), [(20.0, True), (0.01, False)])
    def test_begins_after_those_who_try_again_but_waits_for_them_a_moment_only(
        self, monkeypatch, longest_wait, waited
    ):
        monkeypatch.setattr(db, "LONGEST_WAIT_FOR_OTHERS_SECONDS", longest_wait)
        ran = threading.Event()

        def begin():
            try:
                db.run_atomic(ran.set)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            with db._turns.one(timeout=1):
                beginning = pool.submit(begin)
                assert ran.wait(0.2 if waited else 20) is not waited
            beginning.result(20)

        assert ran.is_set()

    def test_asks_for_nobodys_turn_in_what_follows_its_commit(self):
        runs: list[str] = []

        def lose_once(name, then):
            def block():
                runs.append(name)
                if runs.count(name) == 1:
                    raise BUSY
                db.on_commit(then)

            return block

        after = lose_once("after", lambda: None)
        db.run_atomic(lose_once("first", lambda: db.run_atomic(after, patience=1)))

        assert runs == ["first", "first", "after", "after"]

    def test_gives_up_when_its_patience_ends(self):
        runs = []

        def block():
            runs.append(1)
            raise BUSY

        with pytest.raises(OperationalError):
            db.run_atomic(block, patience=0)
        assert runs == [1]

    def test_runs_nothing_again_for_an_error_of_a_hook(self):
        runs = []

        def hook():
            raise BUSY

        def block():
            runs.append(ClientFactory.create().pk)
            db.on_commit(hook)

        with pytest.raises(OperationalError):
            db.run_atomic(block)
        assert len(runs) == 1
        assert Client.objects.get().pk == runs[0]

    def test_leaves_repeating_to_the_outermost_block(self):
        runs = []

        def inner():
            runs.append(1)
            if len(runs) == 1:
                raise BUSY

        db.run_atomic(lambda: db.run_atomic(inner))

        assert len(runs) == 2

    @pytest.mark.parametrize(("error", "times"), [(BUSY, 2), (UNKNOWN, 1)])
    def test_repeats_a_decorated_function_only_if_it_had_no_effect(self, error, times):
        runs = []

        @db.atomic
        def work():
            runs.append(1)
            if len(runs) == 1:
                raise error

        if times == 1:
            with pytest.raises(OperationalError):
                work()
        else:
            work()
        assert len(runs) == times


@pytest.mark.django_db(transaction=True)
class TestInsertingOnce:
    def notice(self, key="low"):
        return Notification(title="Low", key=key, created_at=NOW)

    def test_tells_whether_it_was_the_first(self):
        assert db.insert_once(self.notice(), "key")
        assert not db.insert_once(self.notice(), "key")
        assert Notification.objects.count() == 1

    def test_raises_for_another_constraint(self):
        db.insert_once(self.notice(), "key")
        twin = self.notice(key="other")
        twin.pk = Notification.objects.get().pk

        with pytest.raises(IntegrityError):
            db.insert_once(twin, "key")

    @pytest.mark.sqlite_only("MongoDB has no savepoints")
    def test_leaves_the_callers_block_alone(self):
        db.insert_once(self.notice(), "key")

        with db.atomic():
            assert not db.insert_once(self.notice(), "key")
            ClientFactory.create(name="After")

        assert Client.objects.filter(name="After").exists()


@pytest.mark.django_db
class TestComparingAndSetting:
    def test_writes_what_nobody_changed_since_it_was_read(self):
        client = ClientFactory.create(name="Before")

        assert db.compare_and_set(client, "name", name="After")

        assert client.name == "Before"
        client.refresh_from_db()
        assert client.name == "After"

    def test_writes_nothing_over_what_somebody_else_wrote(self):
        client = ClientFactory.create(name="Before")
        Client.objects.filter(pk=client.pk).update(name="Theirs")

        assert not db.compare_and_set(client, "name", name="Mine")

        client.refresh_from_db()
        assert client.name == "Theirs"

    def test_leaves_other_rows_alone(self):
        first, second = (ClientFactory.create(name=name) for name in ("First", "Second"))

        db.compare_and_set(first, "status", name="Other")

        assert Client.objects.filter(name=second.name).count() == 1


@pytest.mark.django_db
def test_says_in_a_sentence_why_the_database_can_not_be_used(monkeypatch):
    def broken():
        raise DatabaseError("disk I/O error")

    assert db.database_problem() is None
    if connection.vendor == "sqlite":
        monkeypatch.setattr(connection, "cursor", broken)
        assert db.database_problem() == "The database does not answer: disk I/O error."


@pytest.mark.django_db
def test_asks_for_transactions_and_time_limits_on_either_engine():
    db.require_transactions()
    with db.deadline(1):
        assert not Client.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_opens_a_connection_anew_after_it_was_forgotten():
    ClientFactory.create(name="Before")
    had = connection.connection

    db.forget_connection()

    assert connection.connection is None
    assert Client.objects.get().name == "Before"
    assert connection.connection is not had
