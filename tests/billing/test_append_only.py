"""Lines of the ledger never change: refused in code on every engine, and by SQLite itself."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection

from billing.models import Reservation, Transaction, Wallet
from billing.triggers import TRIGGERS, add_triggers, drop_triggers
from convomono.lib.db import IntegrityError, atomic
from convomono.lib.models import RowsAreFixed
from tests.factories.billing import NOW, TESTS, Launch, open_wallet

on_sqlite = pytest.mark.sqlite_only("MongoDB has no triggers")


@pytest.fixture
def line(acme):
    open_wallet(acme, seconds=600)
    return Transaction.objects.get(client=acme)


def test_refuses_to_save_or_delete_a_line(line):
    line.seconds = 9
    with pytest.raises(RowsAreFixed):
        line.save()
    with pytest.raises(RowsAreFixed):
        line.delete()


def test_refuses_changes_in_bulk(line):
    rows = Transaction.objects.all()
    with pytest.raises(RowsAreFixed):
        rows.update(seconds=9)
    with pytest.raises(RowsAreFixed):
        rows.delete()
    with pytest.raises(RowsAreFixed):
        rows.bulk_update([line], ["seconds"])


def test_numbers_a_line_once(line):
    with pytest.raises(RowsAreFixed):
        Transaction.objects.number(line.pk, seq=7, balance_after_seconds=0, seal="")


def test_shows_people_of_a_client_its_own_lines(line, alice, charlie, root):
    assert list(Transaction.objects.all().visible_to(alice)) == [line]
    assert list(Transaction.objects.all().visible_to(charlie)) == []
    assert list(Transaction.objects.all().visible_to(root)) == [line]


@on_sqlite
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_transaction SET seconds = 9",
        "UPDATE billing_transaction SET seq = 9",
        "UPDATE billing_transaction SET balance_after_seconds = 9",
        "UPDATE billing_transaction SET seal = ''",
        "UPDATE billing_transaction SET amount_micros = 0, seq = 1",
    ],
)
def test_refuses_changes_by_sql(line, statement):
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="fixed"):
        cursor.execute(statement)


@on_sqlite
@pytest.mark.django_db(transaction=True)
def test_refuses_deletion_by_sql(acme):
    open_wallet(acme, seconds=600)
    with connection.schema_editor() as editor:
        add_triggers(editor, ["transaction_never_deleted"])
    try:
        with connection.cursor() as cursor, pytest.raises(DatabaseError, match="fixed"):
            cursor.execute("DELETE FROM billing_transaction")
    finally:
        with connection.schema_editor() as editor:
            drop_triggers(editor, ["transaction_never_deleted"])


@on_sqlite
@pytest.mark.django_db
def test_keeps_its_triggers_through_all_migrations():
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        names = {name for (name,) in cursor.fetchall()}

    # The third is taken away for the test runner alone (tests/conftest.py).
    assert names == TRIGGERS.keys() - {"transaction_never_deleted"}


@on_sqlite
def test_refuses_a_line_that_does_not_balance(line):
    wrong = Transaction(
        client_id=line.client_id,
        wallet_id=line.wallet_id,
        key="purchase:wrong",
        type="purchase",
        seconds=5,
        available_delta=5,
        actor_email=TESTS.actor_email,
        created_at=NOW,
    )
    with pytest.raises(DatabaseError):
        wrong.save()


@on_sqlite
def test_keeps_every_account_at_zero_or_more(acme):
    open_wallet(acme, seconds=100)
    launch = Launch(acme, 100)
    for rows, column in (
        (Wallet.objects, "available_seconds"),
        (Wallet.objects, "debt_seconds"),
        (Reservation.objects, "free_seconds"),
    ):
        with pytest.raises(IntegrityError), atomic():
            rows.update(**{column: -1})
    assert launch.reservation.free_seconds == 100
