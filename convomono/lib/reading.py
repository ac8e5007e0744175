"""
Rows read without the ORM's price for each value: what it would read, at a third.

On SQL the statement is written once for each model and run by the driver; on MongoDB the ORM does it.
"""

from __future__ import annotations

import json
from datetime import UTC
from functools import cache
from itertools import batched
from typing import TYPE_CHECKING, Any

from django.db import connection, models
from django.db.models.base import ModelState

from convomono.lib.bulk import PLAIN, column_of, converts_of
from convomono.lib.ids import key_from

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    type Convert = Callable[[Any], Any]
    type Values = Mapping[str, Any]

_QUESTION = 900  # parameters of one query


def read_row(
    model: type[models.Model], same: Values, columns: Sequence[str]
) -> tuple[Any, ...] | None:
    """
    Return these columns of a row that is as given; None if there is none.

    `same` as in `update_row`, but nothing that is null. Texts, numbers, keys, instants, yes and no, and JSON alone.

    :raises TypeError: if a column holds anything else
    """
    reads = _reads(model, tuple(columns))
    if connection.vendor == "mongodb":
        rows = model._base_manager.filter(**same).values_list(*columns)
        return next(iter(rows[:1]), None)
    statement, converts = _select_one(model, tuple(same), tuple(columns), connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(statement, _given(same.values(), converts))
        found = cursor.fetchone()
    if found is None:
        return None
    return _taken(found, reads)


def rows_where_in(
    model: type[models.Model],
    column: str,
    values: Iterable[Any],
    columns: Sequence[str],
    **same: UUID,
) -> Iterator[tuple[Any, ...]]:
    """
    Yield these columns of the rows whose `column` has one of the values, and the `same` ids.

    Any number of values; columns as in `read_row`.

    :raises TypeError: if a column holds anything else
    """
    reads = _reads(model, tuple(columns))
    values = [one for one in values if one is not None]  # as the ORM does: nothing is in null
    if connection.vendor == "mongodb":
        rows = model._base_manager.filter(**{f"{column}__in": values}, **same)
        yield from rows.values_list(*columns)
        return
    start, end, convert, converts = _select(
        model, column, tuple(columns), tuple(same), connection.vendor
    )
    fixed = _given(same.values(), converts)
    wanted = map(convert, values) if convert else values
    with connection.cursor() as cursor:
        for some in batched(wanted, _QUESTION):
            marks = ", ".join(["%s"] * len(some))
            cursor.execute(f"{start} ({marks}){end}", [*some, *fixed])
            for row in cursor.fetchall():
                yield _taken(row, reads)


def is_any_between(model: type[models.Model], column: str, least: str, below: str) -> bool:
    """Tell whether a row's column holds a text from `least` on that is below `below`."""
    if connection.vendor == "mongodb":
        between = {f"{column}__gte": least, f"{column}__lt": below}
        return model._base_manager.filter(**between).exists()
    with connection.cursor() as cursor:
        cursor.execute(_any_between(model, column), [least, below])
        return cursor.fetchone() is not None


def known_rows[Row: models.Model](
    model: type[Row], column: str, values: Iterable[Any], columns: Sequence[str]
) -> list[Row]:
    """
    Return the rows whose `column` has one of the values, with these columns and their key alone ("client_id", not "client").

    As `only` does: whatever else is asked of a row is read when it is asked for. Two fifths of its price.

    :raises TypeError: if a column holds what `rows_where_in` doesn't read
    """
    wanted = list(values)
    if not wanted:
        return []
    if connection.vendor == "mongodb":
        return list(model._base_manager.filter(**{f"{column}__in": wanted}).only(*columns))
    key = model._meta.pk.attname
    names = columns if key in columns else (key, *columns)
    return [
        _known(model, dict(zip(names, row, strict=True)))
        for row in rows_where_in(model, column, wanted, names)
    ]


def columns_of(model: type[models.Model], *, without: Collection[str] = ()) -> tuple[str, ...]:
    """Return the columns of a model ("client_id", not "client") but for some."""
    names = (field.attname for field in model._meta.concrete_fields)
    return tuple(name for name in names if name not in without)


def _known[Row: models.Model](model: type[Row], values: dict[str, Any]) -> Row:
    row = model.__new__(model)
    state = ModelState()
    state.adding, state.db = False, connection.alias
    values["_state"] = state
    row.__dict__ = values
    return row


def _given(values: Iterable[Any], converts: Sequence[tuple[int, Convert]]) -> list[Any]:
    given = list(values)
    for place, convert in converts:
        given[place] = convert(given[place])
    return given


def _taken(found: tuple[Any, ...], reads: Sequence[tuple[int, Convert]]) -> tuple[Any, ...]:
    row = list(found)
    for place, read in reads:
        if (value := row[place]) is not None:
            row[place] = read(value)
    return tuple(row)


@cache
def _select(
    model: type[models.Model],
    column: str,
    columns: tuple[str, ...],
    same: tuple[str, ...],
    vendor: str,
) -> tuple[str, str, Convert | None, list[tuple[int, Convert]]]:
    quote, meta = connection.ops.quote_name, model._meta
    by_name = {field.attname: field for field in meta.concrete_fields}
    wanted = ", ".join(quote(column_of(by_name[name])) for name in columns)
    start = (
        f"SELECT {wanted} FROM {quote(meta.db_table)} WHERE {quote(column_of(by_name[column]))} IN"  # noqa: S608  # nosec B608 # the model's names
    )
    end = "".join(f" AND {quote(column_of(by_name[name]))} = %s" for name in same)
    converts = converts_of([by_name[name] for name in same], vendor)
    of_column = dict(converts_of([by_name[column]], vendor)).get(0)
    return start, end, of_column, converts


@cache
def _select_one(
    model: type[models.Model], guards: tuple[str, ...], columns: tuple[str, ...], vendor: str
) -> tuple[str, list[tuple[int, Convert]]]:
    quote, meta = connection.ops.quote_name, model._meta
    by_name = {field.attname: field for field in meta.concrete_fields}
    wanted = ", ".join(quote(column_of(by_name[name])) for name in columns)
    where = " AND ".join(f"{quote(column_of(by_name[name]))} = %s" for name in guards)
    statement = f"SELECT {wanted} FROM {quote(meta.db_table)} WHERE {where}"  # noqa: S608  # nosec B608 # the model's names
    return statement, converts_of([by_name[name] for name in guards], vendor)


@cache
def _any_between(model: type[models.Model], column: str) -> str:
    quote, meta = connection.ops.quote_name, model._meta
    name = quote(column_of(meta.get_field(column)))
    return f"SELECT 1 FROM {quote(meta.db_table)} WHERE {name} >= %s AND {name} < %s LIMIT 1"  # noqa: S608  # nosec B608 # the model's names


@cache
def _reads(model: type[models.Model], columns: tuple[str, ...]) -> list[tuple[int, Convert]]:
    by_name = {field.attname: field for field in model._meta.concrete_fields}
    reads = ((place, _read(by_name[name])) for place, name in enumerate(columns))
    return [(place, read) for place, read in reads if read is not None]


def _read(field: Any) -> Convert | None:
    """Return what makes of the driver's value what the model would hold; None if it is that."""
    if field.is_relation:
        return _read(field.target_field)
    if isinstance(field, models.UUIDField):
        return _as_uuid
    if isinstance(field, models.DateTimeField):
        return _as_instant
    if isinstance(field, models.JSONField):
        return _as_document
    if isinstance(field, models.BooleanField):
        return bool
    if isinstance(field, PLAIN) and not hasattr(field, "from_db_value"):
        return None
    raise TypeError(f"Nothing is known here of how to read {field}.")


def _as_uuid(value: Any) -> UUID:
    return key_from(int(value, 16)) if isinstance(value, str) else value


def _as_document(value: Any) -> Any:
    if isinstance(value, str):
        return [] if value == "[]" else json.loads(value)
    return value


def _as_instant(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)  # SQLite's driver knows no zones
