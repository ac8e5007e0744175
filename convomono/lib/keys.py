"""
Rows that are named by their keys: found by these, whatever else is asked of them.

Without statistics SQLite takes any equality for ten rows. Of nine keys and a status it looks through
everybody who has the status, a hundred thousand at times, and for each slice anew.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import F, Func, Q
from django.db.models.lookups import Exact, In, IsNull


class _Unindexed(Func):
    """A column as SQLite looks it up in no index. Source: its query planner, "unary + operators"."""

    template = "+%(expressions)s"
    arity = 1


def beside(**columns: Any) -> Q:
    """
    Return the condition that local columns have these values, for rows that are named by keys.

    None: empty; `status__in`: one of these.

    `filter(beside(status="queued"), pk__in=keys)` is `filter(status="queued", pk__in=keys)`, found by the keys.
    """
    if connection.vendor != "sqlite":
        return Q(**columns)  # others find out by themselves
    return Q(*(_has(name, value) for name, value in columns.items()))


def _has(name: str, value: Any) -> Q:
    column = _Unindexed(F(name.removesuffix("__in")))
    if name.endswith("__in"):
        return Q(In(column, list(value)))
    return Q(IsNull(column, True) if value is None else Exact(column, value))
