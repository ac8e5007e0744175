"""Pipelines in an order in which an index serves: what is moved, what stays, and that the rows are the same."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from campaigns.models import Enrolment
from convomono.lib.mongodb import compiler
from convomono.lib.mongodb.pipelines import in_good_order
from leads.models import Lead
from tests.factories.billing import open_wallet
from tests.factories.campaigns import enrol, make_ready
from tests.mongodb.test_indexes import HOT

JOIN: list[dict[str, Any]] = [
    {"$lookup": {"from": "leads_lead", "pipeline": [], "as": "parent", "foreignField": "_id"}},
    {"$unwind": "$parent"},
]
LEFT = [JOIN[0], {"$unwind": {"path": "$parent", "preserveNullAndEmptyArrays": True}}]
MANY = [{"$lookup": {**JOIN[0]["$lookup"], "foreignField": "client_id"}}, JOIN[1]]
NARROWED = [{"$lookup": {**JOIN[0]["$lookup"], "pipeline": [{"$match": {}}]}}, JOIN[1]]
OURS, THEIRS = {"client_id": 1}, {"parent.name": "x"}
MATCH = {"$match": OURS}
SORT, LIMIT = {"$sort": {"at": -1}}, {"$limit": 25}
BY_PARENT = {"$sort": {"parent.name": 1}}
COPY = {"$addFields": {"at": "$at"}}
COMPUTED = {"$addFields": {"at": {"$ifNull": ["$at", 0]}}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([MATCH, COPY, SORT, LIMIT], [MATCH, SORT, LIMIT]),
        ([MATCH, {"$addFields": {"at": "$at", "x": 1}}, SORT], [MATCH, SORT, {"$addFields": {"x": 1}}]),
        ([MATCH, COMPUTED, SORT, LIMIT], [MATCH, COMPUTED, SORT, LIMIT]),
        ([*JOIN, MATCH, COPY, SORT, LIMIT], [MATCH, SORT, LIMIT, *JOIN]),
        ([*LEFT, MATCH, SORT, {"$skip": 5}, LIMIT], [MATCH, SORT, {"$skip": 5}, LIMIT, *LEFT]),
        ([*JOIN, LIMIT], [LIMIT, *JOIN]),
        ([*JOIN, MATCH, BY_PARENT, LIMIT], [MATCH, *JOIN, BY_PARENT, LIMIT]),
        ([*JOIN, {"$match": THEIRS}, SORT, LIMIT], [*JOIN, {"$match": THEIRS}, SORT, LIMIT]),
        ([*JOIN, {"$match": {"$and": [OURS, THEIRS]}}, SORT],
         [MATCH, *JOIN, {"$match": THEIRS}, SORT]),
        ([*JOIN, {"$match": {"$or": [OURS, THEIRS]}}], [*JOIN, {"$match": {"$or": [OURS, THEIRS]}}]),
        ([*MANY, MATCH, SORT, LIMIT], [MATCH, *MANY, SORT, LIMIT]),
        ([*NARROWED, MATCH, SORT, LIMIT], [MATCH, *NARROWED, SORT, LIMIT]),
        ([MATCH, {"$project": {"_id": 1, "at": "$at"}}, SORT, LIMIT],
         [MATCH, SORT, LIMIT, {"$project": {"_id": 1, "at": "$at"}}]),
        ([MATCH, {"$project": {"_id": 1}}, SORT], [MATCH, {"$project": {"_id": 1}}, SORT]),
        ([MATCH, {"$project": {"at": "$other"}}, SORT], [MATCH, {"$project": {"at": "$other"}}, SORT]),
        ([MATCH, {"$group": {"_id": "$at"}}, {"$project": {"at": "$_id.at"}}, SORT],
         [MATCH, {"$group": {"_id": "$at"}}, {"$project": {"at": "$_id.at"}}, SORT]),
        ([MATCH], [MATCH]),
        ([], []),
    ],
)  # fmt: skip
def test_puts_conditions_first_then_order_then_joins(before, after):
    assert in_good_order(before) == after


mongodb = [pytest.mark.django_db, pytest.mark.mongodb_only("the engine of MongoDB itself")]


class TestOnTheServer:
    pytestmark = mongodb

    @pytest.mark.parametrize("name", HOT)
    def test_sends_what_an_index_can_serve(self, name):
        """A condition on stored columns first, and the order right after it."""
        kinds = [next(iter(stage)) for stage in sent(HOT[name]())]

        assert kinds == [kind for kind in ("$match", "$sort", "$skip", "$limit") if kind in kinds]

    @pytest.mark.parametrize("name", ["page", "parents", "parent's name", "values", "nulls"])
    def test_gives_the_same_rows_as_upstream(self, acme, rival, name, monkeypatch):
        for client in (acme, rival):
            open_wallet(client, seconds=600)
            campaign = make_ready(client)
            for row in enrol(campaign, 7, start=10 if client == rival else 0):
                Enrolment.objects.filter(pk=row.pk).update(priority=int(row.pk.hex[-1], 16) % 3)
        rows = Enrolment.objects.filter(client=acme)
        asked = {
            "page": rows.order_by("-priority", "pk")[2:5],
            "parents": rows.select_related("lead", "campaign__client").order_by("priority", "pk")[
                :3
            ],
            "parent's name": rows.filter(lead__phone_number__gt="").order_by("lead__phone_number")[
                :4
            ],
            "values": rows.order_by("priority", "pk").values(
                "pk", "priority", "lead__phone_number"
            )[:4],
            "nulls": rows.order_by(F("lease_until").desc(nulls_last=True), "pk")[1:3],
        }[name]
        ours = list(asked.all())
        monkeypatch.setattr(compiler, "in_good_order", list)

        assert ours == list(asked.all()) != []

    def test_reads_a_page_with_its_parents_in_one_request(self, acme, django_assert_num_queries):
        open_wallet(acme, seconds=600)
        enrol(make_ready(acme), 5)

        with django_assert_num_queries(1):
            page = list(Enrolment.objects.select_related("lead").order_by("pk")[:3])
            assert all(isinstance(row.lead, Lead) for row in page)


def sent(rows):
    """Return the pipeline that is sent for a query."""
    query = rows.query.get_compiler(connection=connection)
    query.pre_sql_setup()
    return query.build_query(None).get_pipeline()
