"""
Many rows written at once without the ORM's price for each value; `reading.py` reads them so.

On SQL the statement is written once for each model and run by the driver; on MongoDB, which has no
such door, the ORM does it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from functools import cache, lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connection, models
from django.db.models import F
from django.db.models.base import ModelState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    type Convert = Callable[[Any], Any]
    type Values = Mapping[str, Any]

# What the drivers take and give as it is.
PLAIN = (models.CharField, models.TextField, models.IntegerField, models.BooleanField)


def new_values(model: type[models.Model], **values: Any) -> dict[str, Any]:
    """
    Return the columns of an unsaved row ("client_id", not "client"), those that aren't given by the field's default.

    Lists and dicts are shared with that default, so they are replaced and never changed.
    """
    found = {**_defaults(model), **values}
    if found.get("id", 0) is None:
        found["id"] = model._meta.pk.get_default()
    return found


def row_of[Row: models.Model](model: type[Row], values: dict[str, Any]) -> Row:
    """Return the unsaved row with these columns, which are all it has; the dict is the row's own from now on."""
    row = model.__new__(model)
    values["_state"] = ModelState()
    row.__dict__ = values
    return row


def new_row[Row: models.Model](model: type[Row], **values: Any) -> Row:
    """
    Return an unsaved row of plain values, as `new_values` makes them.

    A sixth of the price of the model's own call: nothing is looked at.
    """
    return row_of(model, new_values(model, **values))


def insert_rows(rows: Sequence[models.Model]) -> None:
    """
    Insert rows of one model, inside the caller's transaction.

    :raises IntegrityError: if one of them is there already; the caller's block is undone then
    """
    if rows:
        insert_values(type(rows[0]), [row.__dict__ for row in rows])


def insert_values(model: type[models.Model], rows: Sequence[dict[str, Any]]) -> None:
    """Insert what `new_values` made as `insert_rows` does, where nobody needs the rows themselves."""
    Insert.of(model, rows).run()


@dataclass(frozen=True)
class Insert:
    """Rows made ready for their table before the transaction that inserts them, so that this stays short."""

    model: type[models.Model]
    rows: Sequence[dict[str, Any]]
    prepared: Sequence[Sequence[Any]] = ()  # as SQL's driver takes them

    @classmethod
    def of(cls, model: type[models.Model], rows: Sequence[dict[str, Any]]) -> Insert:
        """Make rows ready, as `new_values` made them; they aren't to be changed from now on."""
        if connection.vendor == "mongodb":
            return cls(model, rows)
        _statement, values_of, converts = _insert(model, connection.vendor)
        return cls(model, rows, _converted([list(values_of(values)) for values in rows], converts))

    def run(self) -> None:
        """
        Insert the rows, inside the caller's transaction.

        :raises IntegrityError: if one of them is there already; the caller's block is undone then
        """
        if not self.rows:
            return
        if connection.vendor == "mongodb":
            rows = [row_of(self.model, dict(values)) for values in self.rows]
            self.model._base_manager.bulk_create(rows)
            return
        statement, _values_of, _converts = _insert(self.model, connection.vendor)
        _run(statement, self.prepared)


def insert_row[Row: models.Model](row: Row) -> Row:
    """
    Insert one unsaved row as `insert_rows` does, and return it as one that is there.

    For rows of which there are many a second: a third of the price of `save`.

    :raises IntegrityError: if it is there already
    """
    insert_rows([row])
    row._state.adding, row._state.db = False, connection.alias
    return row


def update_rows(rows: Sequence[models.Model], columns: Sequence[str], *, guard: str) -> int:
    """
    Write these columns of known rows whose column `guard` is still as given; return how many.

    `guard` names an attribute `was_<guard>` of each row, which holds what was read.
    """
    if not rows:
        return 0
    model = type(rows[0])
    if connection.vendor == "mongodb":
        return sum(
            model._base_manager.filter(pk=row.pk, **{guard: getattr(row, f"was_{guard}")}).update(
                **{name: getattr(row, name) for name in columns}
            )
            for row in rows
        )
    statement, converts = _update(model, tuple(columns), guard, connection.vendor)
    values = [
        [*(row.__dict__[name] for name in columns), row.pk, row.__dict__[f"was_{guard}"]]
        for row in rows
    ]
    return _run(statement, _converted(values, converts))


def update_each(model: type[models.Model], rows: Iterable[tuple[Values, Values]]) -> int:
    """
    Write some columns of each row that is still as given; return how many rows were.

    Each pair is what the row must hold (its key among it, nothing that is null) and what is
    written, by column ("client_id", not "client"). Inside the caller's transaction.
    """
    if connection.vendor == "mongodb":
        return sum(model._base_manager.filter(**same).update(**values) for same, values in rows)
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[list[Any]]] = {}
    for same, values in rows:
        shape = (tuple(same), tuple(values))
        alike.setdefault(shape, []).append([*values.values(), *same.values()])
    changed = 0
    for (guards, columns), found in alike.items():
        given = tuple((name, False) for name in guards)
        statement, converts = _update_one(model, given, columns, (), (), connection.vendor)
        changed += _run(statement, _converted(found, converts))
    return changed


def update_alike(
    model: type[models.Model], keys: Sequence[UUID], same: Values, values: Values
) -> int:
    """
    Write the same columns of all rows with these keys that are as given, as `update_each`; return how many.

    On MongoDB it is one statement.
    """
    if connection.vendor == "mongodb":
        return model._base_manager.filter(pk__in=keys, **same).update(**values)
    key = model._meta.pk.attname
    return update_each(model, (({key: one, **same}, values) for one in keys))


def update_row(
    model: type[models.Model],
    same: Values,
    values: Values,
    *,
    add: Mapping[str, int] | None = None,
    least: Mapping[str, int] | None = None,
) -> bool:
    """
    Write the row that is still as given, inside the caller's transaction; tell whether there was one.

    `same` is what it must hold (a key among it; None where it is null), `values` what is written,
    `add` what is added to its numbers, `least` what its numbers must at least be; all by column
    ("client_id", not "client"). For rows of which there are many a second: a quarter of the price of `update`.
    """
    add, least = add or {}, least or {}
    if connection.vendor == "mongodb":
        floors = {f"{name}__gte": number for name, number in least.items()}
        sums = {name: F(name) + number for name, number in add.items()}
        return bool(model._base_manager.filter(**same, **floors).update(**values, **sums))
    guards = tuple((name, value is None) for name, value in same.items())
    statement, converts = _update_one(
        model, guards, tuple(values), tuple(add), tuple(least), connection.vendor
    )
    given = [value for value in same.values() if value is not None]
    row = [*values.values(), *add.values(), *given, *least.values()]
    return _run(statement, _converted([row], converts)) > 0


def _converted(rows: list[list[Any]], converts: Sequence[tuple[int, Convert]]) -> list[list[Any]]:
    for place, convert in converts:
        for row in rows:
            if (value := row[place]) is not None:
                row[place] = convert(value)
    return rows


def _run(statement: str, rows: Sequence[Sequence[Any]]) -> int:
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
        return int(cursor.rowcount)


@cache
def _defaults(model: type[models.Model]) -> dict[str, Any]:
    found = {field.attname: field.get_default() for field in model._meta.concrete_fields}
    return {**found, model._meta.pk.attname: None}


@cache
def _insert(
    model: type[models.Model], vendor: str
) -> tuple[str, Callable[[dict[str, Any]], tuple[Any, ...]], list[tuple[int, Convert]]]:
    fields = model._meta.concrete_fields
    columns = ", ".join(connection.ops.quote_name(column_of(field)) for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    places = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608  # nosec B608 # the model's names
    return statement, itemgetter(*(field.attname for field in fields)), converts_of(fields, vendor)


@cache
def _update(
    model: type[models.Model], columns: tuple[str, ...], guard: str, vendor: str
) -> tuple[str, list[tuple[int, Convert]]]:
    quote, meta = connection.ops.quote_name, model._meta
    fields = [meta.get_field(name) for name in columns]
    sets = ", ".join(f"{quote(column_of(field))} = %s" for field in fields)
    same = meta.get_field(guard)
    statement = (
        f"UPDATE {quote(meta.db_table)} SET {sets} "  # noqa: S608  # nosec B608 # the model's names
        f"WHERE {quote(column_of(meta.pk))} = %s AND {quote(column_of(same))} = %s"
    )
    return statement, converts_of([*fields, meta.pk, same], vendor)


@cache
def _update_one(
    model: type[models.Model],
    guards: tuple[tuple[str, bool], ...],
    columns: tuple[str, ...],
    added: tuple[str, ...],
    floors: tuple[str, ...],
    vendor: str,
) -> tuple[str, list[tuple[int, Convert]]]:
    quote, meta = connection.ops.quote_name, model._meta
    by_name = {field.attname: field for field in meta.concrete_fields}
    named = {name: quote(column_of(field)) for name, field in by_name.items()}
    sets = [f"{named[name]} = %s" for name in columns]
    sets += [f"{named[name]} = {named[name]} + %s" for name in added]
    where = [f"{named[name]} IS NULL" if null else f"{named[name]} = %s" for name, null in guards]
    where += [f"{named[name]} >= %s" for name in floors]
    statement = f"UPDATE {quote(meta.db_table)} SET {', '.join(sets)} WHERE {' AND '.join(where)}"  # noqa: S608  # nosec B608 # the model's names
    given = [name for name, null in guards if not null]
    fields = [by_name[name] for name in (*columns, *added, *given, *floors)]
    return statement, converts_of(fields, vendor)


def column_of(field: Any) -> str:
    """Return the column of a field that has one, as all concrete fields do."""
    return str(field.column)


def converts_of(fields: Sequence[Any], vendor: str) -> list[tuple[int, Convert]]:
    """Return what makes of values of these fields what the driver takes, each with its place."""
    found = ((place, _convert(field, vendor)) for place, field in enumerate(fields))
    return [(place, convert) for place, convert in found if convert is not None]


def _convert(field: Any, vendor: str) -> Convert | None:
    """Return what makes of a column's values what the driver takes; None if it takes them so."""
    if field.is_relation:
        convert = _convert(field.target_field, vendor)
        return _remembered(convert) if convert is not None else None
    if isinstance(field, models.JSONField) and field.encoder is None and vendor == "sqlite":
        return as_json
    if isinstance(field, models.UUIDField) and vendor == "sqlite":
        return _as_hex
    if isinstance(field, models.DateTimeField):
        is_text = vendor == "sqlite" and connection.timezone is UTC
        return _remembered(
            _as_text if is_text else lambda value: field.get_db_prep_save(value, connection)
        )
    if isinstance(field, PLAIN):
        return None
    return lambda value: field.get_db_prep_save(value, connection)


def _as_text(value: datetime) -> str:
    # SQLite has no type for instants: the ORM writes them so.
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def _as_hex(value: UUID) -> str:
    return value.hex


def as_json(value: Any) -> str:
    """Return `value` as JSON that SQLite's column holds and the ORM reads as its own."""
    if not value:
        return "[]" if value == [] else json.dumps(value)
    if _are_texts(value):
        return _json_texts(tuple(value))
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a number beyond 64 bits, half of a surrogate pair
        return json.dumps(value)


def _are_texts(value: Any) -> bool:
    return type(value) is list and all(type(one) is str for one in value)


@lru_cache(maxsize=4096)
def _json_texts(value: tuple[str, ...]) -> str:
    return json.dumps(value)  # tags and time zones: the same ones again and again


def _remembered(convert: Convert) -> Convert:
    """Convert the instant, or the client, that one import writes a thousand times once."""
    last: tuple[Any, Any] = (None, None)

    def remembered(value: Any) -> Any:
        nonlocal last
        known, converted = last
        if value is known:
            return converted
        converted = convert(value)
        last = value, converted
        return converted

    return remembered
