"""The query compilers of django-mongodb-backend; pipelines, insert, delete and update differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bson import Int64
from django.db import NotSupportedError
from django.db.models.sql import DeleteQuery, Query
from django_mongodb_backend import compiler as upstream
from django_mongodb_backend.query import MongoQuery, wrap_database_errors
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from convomono.lib.mongodb.errors import as_database_errors
from convomono.lib.mongodb.pipelines import in_good_order

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]

COUNTERS = "django_sequences"
DELETE_CHUNK = 1000


class OrderlyQuery(MongoQuery):
    """Upstream's, with its stages in an order in which indexes serve."""

    def get_pipeline(self) -> list[dict[str, Any]]:
        pipeline: list[dict[str, Any]] = super().get_pipeline()
        if not self.subquery_lookup:
            return in_good_order(pipeline)
        inner = pipeline[0]["$lookup"]
        inner["pipeline"] = in_good_order(inner["pipeline"])
        return pipeline


class Improved:
    """Puts pipelines in order, and raises the driver's errors as Django's, while rows are fetched too."""

    query_class = OrderlyQuery

    def execute_sql(self, *args: Any, **kwargs: Any) -> Any:
        with as_database_errors():
            return super().execute_sql(*args, **kwargs)  # type: ignore[misc] # a mixin's super

    def cursor_iter(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        with as_database_errors():
            yield from super().cursor_iter(*args, **kwargs)  # type: ignore[misc] # a mixin's super


class SQLCompiler(Improved, upstream.SQLCompiler):
    """Reads as upstream does."""


class SQLAggregateCompiler(Improved, upstream.SQLAggregateCompiler):
    """Aggregates as upstream does."""


class SQLInsertCompiler(Improved, upstream.SQLInsertCompiler):
    """Gives third-party rows the next integer of their table."""

    def _integer_auto_field(self) -> Any:
        field = self.query.get_meta().auto_field
        # Compare the type's name: isinstance(BigAutoField(), ObjectIdAutoField) is True because
        # django.db.models.AutoField has a metaclass that answers for its subclasses.
        if field is None or field.get_internal_type() == "ObjectIdAutoField":
            return None
        return field

    def _reserve_ids(self, table: str, count: int) -> int:
        """Return the first of `count` fresh ids; like an SQL sequence outside the transaction."""
        counters = self.connection.database[COUNTERS]
        change = {"$inc": {"seq": Int64(count)}}
        after = ReturnDocument.AFTER
        try:
            counter = counters.find_one_and_update(
                {"_id": table}, change, upsert=True, return_document=after
            )
        except DuplicateKeyError:  # two first inserts created the counter at the same time
            counter = counters.find_one_and_update({"_id": table}, change, return_document=after)
        return int(counter["seq"]) - count + 1

    def _skip_ids(self, table: str, highest: int) -> None:
        """Never hand out ids that a fixture or an import brought along."""
        self.connection.database[COUNTERS].update_one(
            {"_id": table}, {"$max": {"seq": Int64(highest)}}, upsert=True
        )

    @wrap_database_errors  # type: ignore[untyped-decorator]  # upstream has no types
    def insert(self, docs: list[dict[str, Any]], returning_fields: Any = None) -> list[Any]:
        field = self._integer_auto_field()
        if field is None:
            rows: list[Any] = super().insert(docs, returning_fields=returning_fields)
            return rows
        table, column = self.query.get_meta().db_table, field.column
        given = [doc[column] for doc in docs if doc.get(column) is not None]
        missing = [doc for doc in docs if doc.get(column) is None]
        if given:
            self._skip_ids(table, max(given))
        if missing:
            first = self._reserve_ids(table, len(missing))
            for number, doc in enumerate(missing, start=first):
                doc[column] = Int64(number)
        for doc in docs:
            doc["_id"] = doc[column]
        self.collection.insert_many(docs, session=self.connection.session)
        return [(int(doc[column]),) for doc in docs] if returning_fields else []


class SQLDeleteCompiler(Improved, upstream.SQLDeleteCompiler):
    """Deletes with a joined filter too."""

    def execute_sql(self, result_type: Any = upstream.MULTI) -> Any:
        """
        Delete; with a joined filter select the keys, then delete by key.

        Django's deletion collector issues such deletes for through tables. The two steps are not
        atomic outside a transaction: never rely on a joined filter to guard a delete.
        """
        if self.single_alias:
            return super().execute_sql(result_type)
        query = self.query.chain(klass=Query)
        query.clear_ordering(force=True)
        query.extra, query.select = {}, ()
        query.add_fields([query.get_meta().pk.name])
        keys = [row[0] for row in query.get_compiler(self.using).results_iter()]
        deleted = 0
        for start in range(0, len(keys), DELETE_CHUNK):
            rows = self.query.model._base_manager.using(self.using).filter(
                pk__in=keys[start : start + DELETE_CHUNK]
            )
            compiler = rows.query.chain(klass=DeleteQuery).get_compiler(self.using)
            deleted += compiler.execute_sql(result_type)
        return deleted


class SQLUpdateCompiler(Improved, upstream.SQLUpdateCompiler):
    """Refuses what upstream gets silently wrong."""

    def build_query(self, *args: Any, **kwargs: Any) -> Any:
        """
        Build the update.

        Upstream forgets the $lookup, so filter(~Exists(...)).update() changes every row and
        filter(Exists(...)).update() changes none. Selecting the keys first and updating by key
        would drop the other conditions of the filter, such as available__gte=n, so that has to
        stay the caller's choice.

        :raises NotSupportedError: if the filter holds a subquery
        """
        query = super().build_query(*args, **kwargs)
        if self.subqueries:
            raise NotSupportedError(
                "QuerySet.update() with a subquery in its filter; select the keys first."
            )
        return query
