"""Moving a trial to another database: everything, once, and on from where it stopped."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, connections

from accounts.models import Client, User
from audit.models import AuditLog
from billing.invariants import audit_ledger
from billing.models import Transaction
from billing.triggers import drop_triggers
from campaigns.models import DispatcherLease
from convomono.lib import copying
from convomono.lib.copying import Copied, CountsDiffer, TargetInUse, copy_database
from convomono.lib.db import forget_connection, run_atomic
from convomono.lib.ids import uuid7
from tests.factories.accounts import NOW, ClientFactory, UserFactory
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
            forget_connection("target")
            empty = shutil.copyfile(path, path.with_name("empty.sqlite3"))
            with connections["target"].schema_editor() as editor:
                drop_triggers(editor, ["transaction_never_deleted"])  # the runner empties it
        yield empty


@pytest.fixture
def target():
    yield "target"
    if connection.vendor == "mongodb":  # there the runner empties only the default one
        call_command("flush", database="target", interactive=False, verbosity=0)


def rows(model, using):
    return {row["id"]: row for row in model.objects.using(using).values()}


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_says_which_table_differs(books, target, monkeypatch):
    copy_chunk = copying._copy_chunk

    def copy_and_lose_one(model, rows, using):
        new = copy_chunk(model, rows, using)
        if model is Client:  # somebody writes to the source after all
            Client.objects.filter(pk=rows[0].pk)._raw_delete("default")
        return new

    monkeypatch.setattr(copying, "_copy_chunk", copy_and_lose_one)
    differs = pytest.raises(CountsDiffer, match="accounts_client: 1 rows there, 2 here")
    with connection.constraint_checks_disabled(), differs:
        copy_database("default", target)


def test_refuses_a_target_that_somebody_uses_and_writes_nothing_there(books, target):
    User.objects.using(target).create(email="root@there.test")

    with pytest.raises(TargetInUse, match="accounts_user: "):
        copy_database("default", target)

    assert total(target) == 1


def test_copies_into_a_target_whose_dispatcher_was_started(books, target):
    for using in (target, "default"):
        DispatcherLease.objects.using(using).create(
            name="dispatcher", expires_at=NOW, renewed_at=NOW
        )

    assert copy_database("default", target) == total("default")

    assert DispatcherLease.objects.using(target).count() == 1


@pytest.mark.slow
class TestCommand:
    """As somebody who leaves a trial calls it: in a process of its own, both by their addresses."""

    @pytest.fixture
    def copy_from_to(self, second_database, tmp_path):
        for name in ("source", "target"):
            shutil.copyfile(second_database, tmp_path / f"{name}.sqlite3")

        def run(source="source", target="target"):
            urls = [f"sqlite:///{tmp_path / name}.sqlite3" for name in (source, target)]
            own = f"sqlite:///{tmp_path}/target.sqlite3"
            env = {**os.environ, "DATABASE_URL": own, "TEST_MONGODB_URL": ""}
            command = [sys.executable, "manage.py", "copy_database", *urls]
            done = subprocess.run(
                command,
                cwd=settings.BASE_DIR,
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            return done.returncode, done.stdout, done.stderr

        def people(name, *emails):
            with closing(sqlite3.connect(tmp_path / f"{name}.sqlite3")) as opened, opened:
                for email in emails:
                    values = {**plain_user(), "_id": uuid7().hex, "email": email}
                    names, marks = ", ".join(values), ", ".join("?" * len(values))
                    opened.execute(
                        f"INSERT INTO accounts_user ({names}) VALUES ({marks})",  # noqa: S608 # our columns
                        list(values.values()),
                    )
                return opened.execute("SELECT count(*) FROM accounts_user").fetchone()[0]

        run.people = people  # type: ignore[attr-defined]  # for the tests of this class
        return run

    def test_copies_and_says_how_much(self, copy_from_to):
        copy_from_to.people("source", "a@there.test", "b@there.test")

        status, out, _ = copy_from_to()

        assert (status, copy_from_to.people("target")) == (0, 2)
        assert "accounts_user" in out
        assert "Copied 2 rows; both hold equally many." in out

    def test_says_what_to_do_with_a_target_in_use(self, copy_from_to):
        copy_from_to.people("source", "a@there.test")
        copy_from_to.people("target", "a@there.test")

        status, _, problem = copy_from_to()

        assert (status, copy_from_to.people("target")) == (1, 1)
        assert "Copy into an empty database.\naccounts_user: " in problem
        assert "Traceback" not in problem

    def test_leaves_a_target_in_use_of_an_older_version_as_it_is(self, copy_from_to, tmp_path):
        copy_from_to.people("target", "a@there.test")
        with closing(sqlite3.connect(tmp_path / "target.sqlite3")) as opened, opened:
            opened.execute("DROP TABLE reporting_report")
            opened.execute("ALTER TABLE accounts_user DROP COLUMN name")
            opened.execute("DELETE FROM django_migrations WHERE app = 'reporting'")
            before = list(opened.iterdump())

        status, _, problem = copy_from_to()

        assert status == 1
        assert "Copy into an empty database.\naccounts_user: " in problem
        with closing(sqlite3.connect(tmp_path / "target.sqlite3")) as opened:
            assert list(opened.iterdump()) == before

    @pytest.mark.parametrize("name", ["source", "target"])
    def test_says_which_of_both_does_not_answer(self, copy_from_to, name):
        status, _, problem = copy_from_to(**{name: "no/such/folder/file"})

        assert status == 1
        assert f"The {name} can't be used. " in problem
        assert "Traceback" not in problem

    def test_says_that_the_source_is_not_migrated(self, copy_from_to):
        status, _, problem = copy_from_to(source="nothing")

        assert status == 1
        assert "If the source isn't migrated" in problem
        assert "Traceback" not in problem


def plain_user():
    """What a column of a user holds if nobody says anything, for an insert without models."""
    user = User(created_at=NOW)
    return {
        field.column: field.get_db_prep_save(getattr(user, field.attname), connections["target"])
        for field in User._meta.local_fields
    }


def test_names_an_address_it_does_not_understand():
    with pytest.raises(CommandError, match="source must begin with"):
        call_command("copy_database", "postgres://host/x", "sqlite:///x")
    assert connection.alias == "default"
