"""Fills a table of a SQLite file with copies of one row, by one statement."""

from __future__ import annotations

from typing import Any

from django.db import connection

COPY = """
WITH RECURSIVE counted(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM counted WHERE n < {last})
INSERT INTO {table} ({columns}) SELECT {values} FROM counted, {table} AS t WHERE t._id = '{model}'
"""


def an_id(letter: str) -> str:
    """Return the expression of an id that begins with this hexadecimal letter and ends with `n`."""
    return f"'{letter}' || printf('%031x', n)"


def copy(model: type[Any], row: str, numbers: range, **other: str) -> None:
    """
    Copy one row, once for each number `n`.

    `other` has the SQL of the columns that differ; `row` is the id as the table has it.
    """
    names = [str(column.column) for column in model._meta.concrete_fields]
    sql = COPY.format(
        table=model._meta.db_table,
        columns=", ".join(f'"{name}"' for name in names),
        values=", ".join(other.get(name, f't."{name}"') for name in names),
        model=row,
        first=numbers[0],
        last=numbers[-1],
    )
    with connection.cursor() as cursor:
        cursor.execute(sql)
        # What was written must not be copied into the file while others are measured.
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
