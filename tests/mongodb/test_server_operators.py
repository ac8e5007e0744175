"""What the backend asks of a server besides the ordinary: MongoDB does it, the test server by our corrections."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

pytestmark = [pytest.mark.django_db, pytest.mark.mongodb_only("the engine of MongoDB itself")]


@pytest.fixture
def rows() -> Any:
    """Three documents in a collection of their own."""
    found: Any = connection.database["operators"]  # type: ignore[attr-defined]  # MongoDB's wrapper has it
    found.insert_many(
        [
            {"_id": 1, "name": "one", "inner": {"a": 1, "b": 2}},
            {"_id": 2, "name": "two", "inner": {"a": 3}},
            {"_id": 3, "name": "three"},
        ]
    )
    yield found
    found.drop()


def test_adds_documents_that_stand_in_the_query(rows):
    union = {"$unionWith": {"pipeline": [{"$documents": [{"count": 0}, {"count": 7}]}]}}

    assert list(rows.aggregate([{"$count": "count"}, union])) == [
        {"count": 3},
        {"count": 0},
        {"count": 7},
    ]
    only_large = {"$match": {"count": {"$gt": 5}}}
    union["$unionWith"]["pipeline"].append(only_large)  # type: ignore[arg-type]
    assert list(rows.aggregate([{"$match": {"_id": 0}}, union])) == [{"count": 7}]


def test_projects_a_nested_field(rows):
    found = rows.aggregate([{"$match": {"_id": 1}}, {"$project": {"_id": 0, "inner": {"a": 1}}}])

    assert list(found) == [{"inner": {"a": 1}}]


@pytest.mark.parametrize("stage", ["$addFields", "$set"])
def test_merges_into_a_nested_document(rows, stage):
    found = rows.aggregate([{"$match": {"_id": 1}}, {stage: {"inner": {"b": "$name"}}}])

    assert list(found) == [{"_id": 1, "name": "one", "inner": {"a": 1, "b": "one"}}]


def test_tells_a_missing_field_from_an_empty_one(rows):
    rows.update_one({"_id": 2}, {"$set": {"inner.b": None}})
    kind = {"$type": {"$getField": {"input": "$inner", "field": "b"}}}

    found = rows.aggregate([{"$sort": {"_id": 1}}, {"$project": {"_id": 0, "kind": kind}}])

    assert [row["kind"] for row in found] == ["int", "null", "missing"]
