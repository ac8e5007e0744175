"""No page, process or periodic job looks through a whole table that grows: SQLite says how it finds the rows."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from inspect import isfunction
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.urls import reverse

from convomono import schedule
from tests.architecture.routes import ROUTES
from tests.architecture.test_isolation import OURS, cast, ids
from tests.plans import GROW
from webhooks.drain import step

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["cast", "ids"]
pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only("reads SQLite's plans")]


class Watch:
    """An execute wrapper that remembers every statement."""

    def __init__(self):
        self.statements = {}

    def __call__(self, execute, sql, params, many, context):
        if not many and sql.startswith(("SELECT", "UPDATE", "DELETE")):
            self.statements.setdefault(sql, params)
        return execute(sql, params, many, context)

    def whole_tables(self):
        """Yield what looks through a growing table from its first row to its last."""
        for sql, params in self.statements.items():
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
                plan = [row[3] for row in cursor.fetchall()]
            for line in plan:
                if table := scanned(line, sql):
                    yield f"{table}: {sql[:2000]} -- {plan}"


def scanned(line: str, sql: str) -> str | None:
    """Return the growing table that a line of a plan scans without an index."""
    if not (found := re.match(r"SCAN (\w+)(?! USING)", line)):
        return None
    name = found[1]
    if alias := re.search(rf'"(\w+)" {name}\b', sql):
        name = alias[1]
    return name if name in GROW and "USING" not in line else None


PAGES = sorted(name for name, gate in ROUTES.items() if name in OURS and gate != "public")


def asked_by(gate: str) -> str:
    return "alice" if gate in {"anyone", "viewer", "manager", "launcher", "owner"} else "root"


@pytest.mark.slow
def test_no_page_looks_through_a_whole_table(ids, cast, browse):
    browsers = {who: browse(cast[who]) for who in ("alice", "root")}
    found: dict[str, str] = {}
    for name in PAGES:
        names = OURS[name].pattern.converters
        browser, watch = browsers[asked_by(ROUTES[name])], Watch()
        browser.raise_request_exception = False
        with connection.execute_wrapper(watch):
            browser.get(reverse(name, kwargs={key: ids[key] for key in names}))
        for line in watch.whole_tables():
            found.setdefault(line, name)

    assert not found, "\n".join(f"{name}: {line}" for line, name in found.items())


def test_no_periodic_job_looks_through_a_whole_table(ids, now):
    works: dict[str, Callable[..., object]] = {
        name: job for name, job in vars(schedule).items() if isfunction(job)
    }
    del works["call_command"], works["periodic"]
    works["drain"] = partial(step, now=now)
    found: dict[str, str] = {}
    asked = 0
    for name, work in works.items():
        watch = Watch()
        with connection.execute_wrapper(watch), suppress(Exception):  # Retell isn't there
            work()
        asked += len(watch.statements)
        for line in watch.whole_tables():
            found.setdefault(line, name)

    assert asked > len(works) > 25

    assert not found, "\n".join(f"{name}: {line}" for line, name in found.items())


@pytest.mark.parametrize(
    ("line", "sql", "table"),
    [
        ("SCAN leads_lead", 'SELECT 1 FROM "leads_lead"', "leads_lead"),
        ("SCAN U0", 'SELECT 1 FROM "leads_lead" U0', "leads_lead"),
        ("SCAN leads_lead USING COVERING INDEX lead_scan", "", None),
        ("SEARCH leads_lead USING INDEX lead_by_age (client_id=?)", "", None),
        ("SCAN accounts_client", 'SELECT 1 FROM "accounts_client"', None),
    ],
)
def test_reads_a_plan(line, sql, table):
    assert scanned(line, sql) == table
