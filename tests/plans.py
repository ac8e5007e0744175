"""How SQLite would answer what is asked: by which index, and whether it sorts first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection
from django.test.utils import CaptureQueriesContext

if TYPE_CHECKING:
    from collections.abc import Callable


def plans(ask: Callable[[], object], *, of: str = "") -> list[str]:
    """Ask, and return the plan of each statement that was sent, or of those that name `of`."""
    with CaptureQueriesContext(connection) as asked:
        ask()
    return [plan_of(query["sql"]) for query in asked if of in query["sql"]]


def plan_of(sql: str) -> str:
    """Return the plan of one statement, its steps in one line."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return " ".join(row[-1] for row in cursor.fetchall())
