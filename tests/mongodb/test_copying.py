"""Moving a trial to another database: everything, once, and on from where it stopped."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from accounts.models import Client, User
from audit.models import AuditLog
from billing.invariants import audit_ledger
from billing.models import Transaction
from billing.triggers import drop_triggers
from convomono.lib import copying
from convomono.lib.copying import Copied, CountsDiffer, copy_database
from convomono.lib.db import forget_connection, run_atomic
from tests.factories.accounts import ClientFactory, UserFactory
from tests.factories.billing import Launch, open_wallet

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture
def books():
    """Two clients with people, money and a launch."""
    for name in ("One", "Two"):
        client = ClientFactory.create(name=name)
        UserFactory.create(email=f"owner@{name}.test", client=client, client_role="owner")
        open_wallet(client, seconds=600)
        Launch(client, 300).dial(60)


@pytest.fixture(scope="module", autouse=True)
def second_database(django_db_setup, django_db_blocker, tmp_path_factory):
    """Have an empty database besides: SQLite, which can be had without a server."""
    path = tmp_path_factory.mktemp("copy") / "copy.sqlite3"
    with copying.lent_database("target", f"sqlite:///{path}"):
        with django_db_blocker.unblock():
            call_command("migrate", database="target", verbosity=0)
            with connections["target"].schema_editor() as editor:
                drop_triggers(editor, ["transaction_never_deleted"])  # the runner empties it
        yield


@pytest.fixture
def target():
    yield "target"
    if connection.vendor == "mongodb":  # there the runner empties only the default one
        call_command("flush", database="target", interactive=False, verbosity=0)


def rows(model, using):
    return {row["id"]: row for row in model.objects.using(using).values()}


def test_copies_every_row_as_it_is(books, target):
    told: list[Copied] = []

    new = copy_database("default", target, tell=told.append)

    assert new == sum(copied.new for copied in told) > 10
    for model in (Client, User, Transaction, AuditLog):
        there, here = rows(model, target), rows(model, "default")
        assert {
            (name, row[name], there[key][name])
            for key, row in here.items()
            for name in row
            if row[name] != there[key][name]
        } == set()
        assert there.keys() == here.keys()
    assert audit_ledger() == []


def test_copies_nothing_a_second_time(books, target):
    copy_database("default", target)

    assert copy_database("default", target) == 0


def test_goes_on_where_it_was_stopped(books, target, monkeypatch):
    monkeypatch.setattr(copying, "CHUNK", 3)
    seen = []

    def stop(copied):
        seen.append(copied)
        if sum(one.new for one in seen) >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_database("default", target, tell=stop)
    rest = copy_database("default", target)

    assert rest > 0
    assert rows(Transaction, target) == rows(Transaction, "default")


def total(using):
    return sum(model._base_manager.using(using).count() for model in copying.tables())


def throw_everything_away():
    with connection.constraint_checks_disabled():
        for model in copying.tables():
            model._base_manager.all()._raw_delete("default")


def kill_in_a_block(number, source, target):
    """Copy in this process, and kill it with rows of that block written and not yet committed."""
    blocks = []
    run_block = run_atomic

    def run(block, **options):
        def written():
            block()
            blocks.append(1)
            if len(blocks) == number:
                os.kill(os.getpid(), signal.SIGKILL)

        return run_block(written, **options)

    copying.run_atomic = run  # type: ignore[attr-defined]  # what it imported
    copy_database(source, target)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
@pytest.mark.parametrize("block", [1, 7])
def test_goes_on_after_it_was_killed_in_the_middle_of_a_block(
    books, target, block, back, monkeypatch
):
    monkeypatch.setattr(copying, "CHUNK", 3)
    before = {model: rows(model, "default") for model in (Client, User, Transaction, AuditLog)}
    ways = ("default", target)
    if back:
        copy_database(*ways)
        throw_everything_away()
        ways = (target, "default")
    connections.close_all()
    forget_connection()  # a fork must not inherit it
    copier = multiprocessing.get_context("fork").Process(
        target=kill_in_a_block, args=(block, *ways)
    )
    copier.start()
    copier.join(60)
    assert copier.exitcode == -signal.SIGKILL
    stored = total(ways[1])
    assert block - 1 <= stored <= 3 * (block - 1)  # nothing of the block that was killed

    assert copy_database(*ways) == total(ways[0]) - stored

    assert {model: rows(model, ways[1]) for model in before} == before


def test_brings_everything_back_into_the_database_it_came_from(books, target):
    copy_database("default", target)
    before = {model: rows(model, "default") for model in (Client, User, Transaction, AuditLog)}
    throw_everything_away()
    assert not Client.objects.exists()

    copy_database(target, "default")

    assert {model: rows(model, "default") for model in before} == before
    assert audit_ledger() == []
    Launch(Client.objects.order_by("pk")[0], 60).dial(30)  # money moves on
    assert audit_ledger() == []


def test_says_which_table_differs(books, target):
    ClientFactory.create(name="Only here")
    copy_database("default", target)
    stray = Client.objects.get(name="Only here")
    Client.objects.filter(pk=stray.pk).delete()

    with pytest.raises(CountsDiffer, match="accounts_client: 2 rows there, 3 here"):
        copy_database("default", target)


def test_names_an_address_it_does_not_understand():
    with pytest.raises(CommandError, match="source must begin with"):
        call_command("copy_database", "postgres://host/x", "sqlite:///x")
    assert connection.alias == "default"
