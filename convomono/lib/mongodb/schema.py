"""Unique keys that a query can use: whole indexes, where upstream makes partial ones."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeGuard

from django.db.models import UniqueConstraint
from django_mongodb_backend import schema
from pymongo import ASCENDING
from pymongo.operations import IndexModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import BaseConstraint, Field, Model

# The smallest value of each type. MongoDB compares within a type, so "not below it" means "not null",
# and a condition on the column, a range too, implies it for the planner.
SMALLEST: Mapping[str, Any] = {
    "string": "",
    "int": -(2**31),
    "long": -(2**63),
    "date": datetime.min,  # noqa: DTZ901 # as upstream: the driver stores no zone
}


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """
    Upstream's, with other unique keys.

    Upstream leaves rows out of a unique index where *any* of its columns is null, as SQL does. MongoDB
    uses such an index only for a query that names every column, so what asks by the first column
    alone, as it may on SQLite, would look through the whole collection. A column that is never null
    needs no such condition.
    """

    def add_constraint(
        self, model: type[Model], constraint: BaseConstraint, field: Field[Any, Any] | None = None
    ) -> None:
        if not is_plain_key(constraint):
            super().add_constraint(model, constraint, field=field)
            return
        # A field that is being added isn't in the model yet.
        fields: list[Any] = [field or model._meta.get_field(name) for name in constraint.fields]
        nullable = [one for one in fields if one.null]
        if not nullable:
            whole = copy.copy(constraint)
            whole.nulls_distinct = False
            super().add_constraint(model, whole, field=field)
        elif all(one.db_type(self.connection) in SMALLEST for one in nullable):
            self._add_key_of_rows_with(nullable, fields, model, constraint)
        else:
            super().add_constraint(model, constraint, field=field)

    def _add_key_of_rows_with(
        self, nullable: list[Any], fields: list[Any], model: type[Model], key: UniqueConstraint
    ) -> None:
        there = {one.column: {"$gte": SMALLEST[one.db_type(self.connection)]} for one in nullable}
        columns = [(one.column, ASCENDING) for one in fields]
        index = IndexModel(columns, name=key.name, unique=True, partialFilterExpression=there)
        self.get_collection(model._meta.db_table).create_indexes([index])


def is_plain_key(constraint: BaseConstraint) -> TypeGuard[UniqueConstraint]:
    """Tell whether this is a unique key of columns whose nulls nobody has said anything about."""
    return (
        isinstance(constraint, UniqueConstraint)
        and not constraint.contains_expressions
        and constraint.condition is None
        and constraint.nulls_distinct is None
    )
