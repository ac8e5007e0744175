"""Commits that fail or whose outcome nobody knows: one effect, and a connection that works on."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection
from pymongo.errors import OperationFailure
from pymongo.synchronous.client_session import ClientSession

from accounts.models import Client
from billing import services
from billing.invariants import audit_ledger
from billing.models import Transaction
from convomono.lib.db import IntegrityError, atomic, insert_once, on_commit, run_atomic
from convomono.lib.mongodb import base
from tests.factories.accounts import ClientFactory
from tests.factories.billing import NOW, TESTS, Launch, balances, open_wallet
from tests.mongodb.conftest import AFTER, BEFORE

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.mongodb_only("breaks a server or the line to it; SQLite has none"),
]


def sell(client, reference="INV-1"):
    return services.purchase(
        client=client,
        seconds=60,
        amount_micros=5,
        method="card",
        reference=reference,
        actor=TESTS,
        now=NOW,
    )


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_sells_once_when_the_line_breaks_at_the_commit(line, when):
    client = ClientFactory.create()
    open_wallet(client)
    line.cut("commitTransaction", when, times=2)  # the driver's own repetition too

    sell(client)

    assert line.cut_count == 2
    assert balances(client) == (60, 0, 0, 0)
    assert Transaction.objects.filter(client=client).count() == 1
    assert audit_ledger() == []


@pytest.mark.parametrize("word", ["billing_transaction", "billing_wallet", "audit_auditlog"])
def test_leaves_nothing_half_written_when_the_line_breaks_in_a_block(line, word):
    client = ClientFactory.create()
    open_wallet(client)
    line.cut(word, BEFORE, times=1)

    sell(client)

    assert line.cut_count == 1
    assert balances(client) == (60, 0, 0, 0)
    assert audit_ledger() == []


@pytest.fixture
def hasty(monkeypatch):
    """Ask for the outcome of a commit once only."""
    monkeypatch.setattr(base, "COMMIT_SECONDS", 0.0)


def test_reserves_once_when_nobody_can_say_what_became_of_the_commit(line, hasty):
    client = ClientFactory.create()
    open_wallet(client, seconds=100)
    line.cut("commitTransaction", AFTER, times=2)

    Launch(client, 60)

    assert balances(client) == (40, 60, 0, 0)
    assert audit_ledger() == []


def test_never_repeats_a_plain_block_whose_commit_may_have_taken_effect(line, hasty):
    ran = []
    line.cut("commitTransaction", AFTER, times=2)

    @atomic
    def change():
        ran.append(1)
        ClientFactory.create(name="Once")

    with pytest.raises(DatabaseError):
        change()

    assert len(ran) == 1
    assert Client.objects.filter(name="Once").count() == 1  # it had taken effect


def test_stores_an_event_once_when_its_answer_is_lost(line):
    client = Client(name="Once", created_at=NOW)
    line.cut("accounts_client", AFTER, times=1)

    insert_once(client, "name")

    assert line.cut_count == 1
    assert Client.objects.filter(name="Once").count() == 1


@atomic
def make(name, *, then):
    ClientFactory.create(name=name)
    then()


@pytest.fixture
def failing_commit(monkeypatch):
    """Let commits fail in a way that nothing repeats, as often as told."""
    left: list[bool] = []
    commit = ClientSession.commit_transaction

    def fail(session):
        if left and left.pop():
            session.abort_transaction()
            raise OperationFailure("injected", 50)
        commit(session)

    monkeypatch.setattr(ClientSession, "commit_transaction", fail)
    return left


def test_works_on_after_a_failed_commit(failing_commit):
    """Upstream keeps the dead session: the next block's rows would stand outside any transaction."""
    failing_commit.append(True)
    with pytest.raises(DatabaseError, match="injected"), atomic():
        ClientFactory.create(name="Lost")

    assert connection.session is None  # type: ignore[attr-defined]  # MongoDB's wrapper has it
    assert not Client.objects.filter(name="Lost").exists()
    with pytest.raises(ZeroDivisionError):
        make("Undone", then=lambda: 1 / 0)
    assert not Client.objects.filter(name="Undone").exists()
    with atomic():
        ClientFactory.create(name="Kept")
    assert Client.objects.filter(name="Kept").count() == 1


def test_forgets_what_waited_for_a_commit_that_failed(failing_commit):
    rung = []
    failing_commit.append(True)
    with pytest.raises(DatabaseError, match="injected"), atomic():
        on_commit(lambda: rung.append("lost"))

    with atomic():
        on_commit(lambda: rung.append("kept"))

    assert rung == ["kept"]


def test_never_repeats_a_block_for_the_failure_of_what_follows_it():
    ran = []

    def block():
        ran.append(1)
        on_commit(lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run_atomic(block)
    assert ran == [1]


def test_refuses_to_insert_once_where_a_duplicate_would_end_the_block():
    with pytest.raises(RuntimeError, match="inside a MongoDB transaction"):
        run_atomic(lambda: insert_once(ClientFactory.build(name="Beside"), "name"))

    assert not Client.objects.filter(name="Beside").exists()


def test_ends_the_block_at_a_duplicate():
    ClientFactory.create(name="Taken")

    with pytest.raises(IntegrityError):
        make("Beside", then=lambda: ClientFactory.create(name="Taken"))

    assert not Client.objects.filter(name="Beside").exists()


def test_runs_what_waited_inside_a_block_of_djangos_own():
    """The admin's views open such a block; it does nothing here and must not stand in the way."""
    from django.db import transaction

    rung = []
    with transaction.atomic():
        with atomic():
            on_commit(lambda: rung.append(1))
        assert rung == [1]
