"""Which indexes our tables should have, which of them a database lacks, and how it gets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, models

from convomono.lib.checks import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True)
class Wanted:
    """One index of a model: from its Meta, or made here for a field that is unique or a key."""

    model: type[models.Model]
    rule: models.Index | models.UniqueConstraint
    columns: tuple[str, ...]

    @property
    def is_unique(self) -> bool:
        return isinstance(self.rule, models.UniqueConstraint)

    def __str__(self) -> str:
        kind = "unique " if self.is_unique else ""
        return f"{kind}{self.model._meta.db_table} ({', '.join(self.columns)})"


def wanted_indexes() -> Iterator[Wanted]:
    """Yield the indexes of every model of ours, unique keys included."""
    for config in apps.get_app_configs():
        if is_ours(config):
            for model in config.get_models():
                yield from _of_model(model)


def _of_model(model: type[models.Model]) -> Iterator[Wanted]:
    column_of = {field.name: field.column or "" for field in model._meta.local_fields}

    def columns(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(column_of[name.lstrip("-")] for name in names)

    for index in model._meta.indexes:
        yield Wanted(model, index, columns(index.fields))
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            yield Wanted(model, constraint, columns(constraint.fields))
    for field in model._meta.local_fields:
        name = f"{model._meta.db_table}_{field.column}"[:24]
        if field.unique and not field.primary_key:
            rule = models.UniqueConstraint(fields=[field.name], name=f"{name}_uniq")
            yield Wanted(model, rule, columns([field.name]))
        elif getattr(field, "db_index", False) and not field.primary_key:
            index = models.Index(fields=[field.name], name=f"{name}_idx")
            yield Wanted(model, index, columns([field.name]))


def missing_indexes(using: str = DEFAULT_DB_ALIAS) -> list[Wanted]:
    """
    Return what the database lacks.

    An index counts by its columns in their order and whether it is unique, not by its name:
    renaming a field doesn't rename its index on MongoDB.
    """
    connection = connections[using]
    there: dict[type[models.Model], set[tuple[tuple[str, ...], bool]]] = {}
    missing = []
    for wanted in wanted_indexes():
        if wanted.model not in there:
            there[wanted.model] = set(existing_indexes(connection, wanted.model))
        if (wanted.columns, wanted.is_unique) not in there[wanted.model]:
            missing.append(wanted)
    return missing


def existing_indexes(
    connection: BaseDatabaseWrapper, model: type[models.Model]
) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yield columns and uniqueness of each index that serves whoever asks by its first columns."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table)
    narrow = narrow_indexes(connection, model)
    for name, found in constraints.items():
        if (found["index"] or found["unique"]) and name not in narrow:
            yield tuple(found["columns"]), bool(found["unique"])


def narrow_indexes(connection: BaseDatabaseWrapper, model: type[models.Model]) -> set[str]:
    """
    Return the names of unique keys that leave out rows by a column which is never null.

    On MongoDB only, as upstream makes them: they serve only a query that names each of their columns
    (`convomono/lib/mongodb/schema.py`). A key whose own condition leaves rows out is meant so.
    """
    if connection.vendor != "mongodb":
        return set()
    nullable = {field.column for field in model._meta.local_fields if field.null}
    meant = {rule.name for rule in model._meta.constraints if getattr(rule, "condition", None)}
    collection = connection.get_collection(model._meta.db_table)  # type: ignore[attr-defined]
    return {
        name
        for name, index in collection.index_information().items()
        if index.get("unique") and index.get("partialFilterExpression", {}).keys() - nullable
    } - meant


def ensure_indexes(using: str = DEFAULT_DB_ALIAS) -> list[Wanted]:
    """
    Create what is missing and return it; a second time creates nothing.

    A narrow index is dropped before the whole one of the same columns is made: nobody may write
    meanwhile, as its key isn't kept.
    """
    missing = missing_indexes(using)
    connection = connections[using]
    for model in {wanted.model for wanted in missing}:
        for name in narrow_indexes(connection, model):
            connection.get_collection(model._meta.db_table).drop_index(name)  # type: ignore[attr-defined]
    with connection.schema_editor(atomic=False) as editor:
        for wanted in missing:
            if isinstance(wanted.rule, models.UniqueConstraint):
                editor.add_constraint(wanted.model, wanted.rule)
            else:
                editor.add_index(wanted.model, wanted.rule)
    return missing
