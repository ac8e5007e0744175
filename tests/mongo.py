"""What the test suite does differently on MongoDB: what it leaves out, and how it cleans up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import TestCase, TransactionTestCase
from pymongo import monitoring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEPT = {"auth_permission", "django_content_type", "django_migrations", "django_sequences"}


def touches_data(item: pytest.Item) -> bool:
    """Tell whether a test uses the database at all."""
    return bool(
        item.get_closest_marker("django_db")
        or {"db", "transactional_db"} & set(getattr(item, "fixturenames", ()))
    )


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what touches no data: it has run on SQLite."""
    without = [item for item in items if not touches_data(item)]
    items[:] = [item for item in items if touches_data(item)]
    config.hook.pytest_deselected(items=without)


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


def quick_cleanup() -> Iterator[None]:
    """
    Empty only what was written to between tests, for as long as the generator is open.

    MongoDB has no test transaction to roll back, so Django would flush every collection and make
    the content types and permissions anew each time. Tests with other processes are marked
    `transaction=True`, as on SQLite; after them every collection is looked at.
    """
    written = WrittenCollections()
    monitoring.register(written)

    def empty(case: object) -> None:
        names = _all_collections() if not isinstance(case, TestCase) else list(written.names)
        written.names.clear()
        _empty(names)

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
