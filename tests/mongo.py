"""What the test suite does differently on MongoDB: what it leaves out, and how it cleans up."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import bson
import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from pymongo import MongoClient, monitoring

from convomono.lib import env

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

MOST_CASES = 3  # of one table
CASES_LEFT = (
    "{} cases of {} long tables, of which three each were tried: the test server is slow; "
    "SQLite tries them all, and so does MongoDB with --long, a part by name or TEST_MONGODB_URL"
)
TESTS_LEFT = "{} tests of {} files, of which --fast takes three each"
LEFT_OUT = pytest.StashKey[list[str]]()
KEPT = {"auth_permission", "django_content_type", "django_migrations", "django_sequences"}


def on_test_server() -> bool:
    """Tell whether the tests run on MongoDB's slow stand-in, which `dev.py` starts."""
    return settings.ON_MONGODB and bool(env.names("TEST_MONGODB_URLS"))


def fewer(on_sqlite: int, few: int) -> int:
    """Say how many examples to try: SQLite and a real server try the combinations, the test server some."""
    return few if on_test_server() else on_sqlite


def is_write(statement: str) -> bool:
    """Tell what changes rows from what reads them, as an execute wrapper sees it on either engine."""
    return statement.startswith(("INSERT", "UPDATE", "DELETE")) or statement.endswith(
        (".insert_many", ".update_many", ".update_one", ".delete_many")
    )


def touches_data(item: pytest.Item) -> bool:
    """Tell whether a test uses the database at all."""
    return bool(
        item.get_closest_marker("django_db")
        or {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    )


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """
    Deselect what touches no data, and on the test server most cases of a long table; say so in sentences.

    All of it runs on SQLite. Which cases a table has is a matter of rules; that they reach the database,
    a few of them show. What is asked for by name, and a run with `--long`, leaves no case out, nor does a
    real server. `--fast` takes as few of each file.
    """
    chosen = [item for item in items if touches_data(item)]
    said = [_count(len(items) - len(chosen), "tests that touch no data: they run on SQLite")]
    if on_test_server() and not _is_thorough(config):
        chosen = _some_of_each(chosen, _table, said, CASES_LEFT)
    if config.option.fast:
        chosen = _some_of_each(chosen, _file, said, TESTS_LEFT)
    kept = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = chosen
    if on_test_server():
        said.append(
            "most examples of histories, permutations and kills (mongo.fewer): SQLite tries them"
        )
    return [sentence for sentence in said if sentence]


def _table(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count else ""


def _is_thorough(config: pytest.Config) -> bool:
    is_part = bool(config.option.keyword or config.option.file_or_dir or config.option.lf)
    return is_part or not config.option.markexpr  # `--long` takes every mark


def _some_of_each(
    items: list[pytest.Item], group_of: Callable[[pytest.Item], str], said: list[str], sentence: str
) -> list[pytest.Item]:
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(group_of(item), []).append(item)
    some = {item for cases in groups.values() for item in _some_of(cases)}
    if len(some) < len(items):
        long = sum(len(cases) > MOST_CASES for cases in groups.values())
        said.append(sentence.format(len(items) - len(some), long))
    return [item for item in items if item in some]


def _some_of(cases: list[pytest.Item]) -> list[pytest.Item]:
    """Return a group's cases, of a long one the first, the last and some between."""
    if len(cases) <= MOST_CASES:
        return cases
    step = (len(cases) - 1) / (MOST_CASES - 1)
    return [cases[round(number * step)] for number in range(MOST_CASES)]


def skip_what_belongs_elsewhere(items: list[pytest.Item]) -> None:
    """Skip what is marked for the other engine, with the reason that the mark gives."""
    mark_name = "sqlite_only" if settings.ON_MONGODB else "mongodb_only"
    for item in items:
        if mark := item.get_closest_marker(mark_name):
            item.add_marker(pytest.mark.skip(reason=f"{mark_name}: {mark.args[0]}"))


def list_exceptions(reporter: pytest.TerminalReporter) -> None:
    """Print in one list what was skipped because it belongs to the other engine, and why."""
    reasons: Counter[str] = Counter()
    for report in reporter.stats.get("skipped", []):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if reason.startswith(("sqlite_only: ", "mongodb_only: ")):
            reasons[reason] += 1
    if reasons:
        reporter.section("only on the other database")
        for reason, count in sorted(reasons.items()):
            reporter.line(f"{count:>4}  {reason}")


def remember_left_out(config: pytest.Config, sentences: list[str]) -> None:
    """Keep what this process has left out; a worker of pytest-xdist hands it to the process that prints."""
    config.stash[LEFT_OUT] = sentences
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = sentences


def hear_left_out(config: pytest.Config, workeroutput: dict[str, Any]) -> None:
    """Take a worker's word for all: each chooses from the whole suite, before it is divided."""
    config.stash.setdefault(LEFT_OUT, workeroutput.get("left_out", []))


def list_left_out(reporter: pytest.TerminalReporter) -> None:
    """Print in one list what was left to SQLite or, with `--fast`, to a run without it."""
    if sentences := reporter.config.stash.get(LEFT_OUT, []):
        reporter.section("left out of this run")
        for sentence in sentences:
            reporter.line(sentence)


def may_have_template() -> bool:
    """Tell whether a test database may be a copy: yes, but on a real server each run migrates its own."""
    return not settings.ON_MONGODB or on_test_server()


def dump(path: Path) -> None:
    """Write the migrated database: each collection with its indexes and the rows that migrations made."""
    database = connection.database  # type: ignore[attr-defined]  # MongoDB's wrapper has it
    collections = [
        {
            "name": name,
            "indexes": [one for one in database[name].list_indexes() if one["name"] != "_id_"],
            "rows": list(database[name].find()),
        }
        for name in database.list_collection_names()
        if not name.startswith("system.")
    ]
    path.write_bytes(bson.encode({"collections": collections}))


def fill(path: Path) -> None:
    """Make the test database of what `dump` has written."""
    wrapper: Any = connection
    with MongoClient[dict[str, Any]](wrapper.settings_dict["HOST"]) as client:
        database = client[wrapper.creation._get_test_db_name()]
        for one in bson.decode(path.read_bytes())["collections"]:
            database.create_collection(one["name"])
            if one["indexes"]:
                database.command("createIndexes", one["name"], indexes=one["indexes"])
            if one["rows"]:
                database[one["name"]].insert_many(one["rows"])


class WrittenCollections(monitoring.CommandListener):
    """Remembers which collections this process has written to."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in {"insert", "update", "findAndModify"}:
            self.names.add(event.command[event.command_name])

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing more to learn."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """What failed has nothing to clean up."""


class ChildProcesses:
    """Remembers whether this process has started others, whose writes it can't see."""

    STARTS = frozenset({"os.fork", "os.posix_spawn", "subprocess.Popen"})

    def __init__(self) -> None:
        self.started = False

    def __call__(self, event: str, _arguments: tuple[Any, ...]) -> None:
        if event in self.STARTS:
            self.started = True


def quick_cleanup() -> Iterator[None]:
    """
    Empty only what was written to between tests, for as long as the generator is open.

    MongoDB has no test transaction to roll back, so Django would flush every collection and make
    the content types and permissions anew each time. After a test that started other processes
    every collection is looked at.
    """
    written, children = WrittenCollections(), ChildProcesses()
    monitoring.register(written)
    sys.addaudithook(children)

    def empty(_case: object) -> None:
        _empty(_all_collections() if children.started else list(written.names))
        written.names.clear()
        children.started = False

    cases: Any = TransactionTestCase  # the method is Django's own
    original = cases._fixture_teardown
    cases._fixture_teardown = empty
    yield
    cases._fixture_teardown = original


def _all_collections() -> Iterable[str]:
    database = connection.database  # type: ignore[attr-defined]  # MongoDB's wrapper has it
    names: list[str] = database.list_collection_names()
    return [name for name in names if database[name].find_one({}, {"_id": 1}) is not None]


def _empty(names: Iterable[str]) -> None:
    database = connection.database  # type: ignore[attr-defined]  # MongoDB's wrapper has it
    for name in names:
        if name not in KEPT and not name.startswith("system."):
            database[name].delete_many({})
