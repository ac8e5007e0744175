"""Every index is there, and the queries that run all day use one, on either engine."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from audit.models import AuditLog
from billing.models import (
    CallHold,
    Difference,
    LotShare,
    Rate,
    Statement,
    Transaction,
    UsedHour,
)
from campaigns.models import (
    Attempt,
    BatchCall,
    Campaign,
    Enrolment,
    FollowUp,
    ScriptVariable,
    TemplateVersion,
)
from campaigns.models.dialling import EVER
from convomono.lib.ids import uuid7
from convomono.lib.indexes import existing_indexes, missing_indexes, narrow_indexes
from leads.models import (
    Lead,
    LeadImportChange,
    LeadImportRow,
    LeadNote,
    LeadOperationRow,
    LeadStatusChange,
    Suppression,
)
from reporting.models import DailyStat
from telephony.models import Call, PhoneNumber
from tests.factories.accounts import NOW, ClientFactory
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet

pytestmark = pytest.mark.django_db
ID = uuid7()
mongodb: Any = connection  # has collections there

HOT: dict[str, Callable[[], QuerySet[Any]]] = {
    "claim: due leads of a launch": lambda: Enrolment.objects.filter(
        batch_call_id=ID, status="queued", next_attempt_at__lte=NOW
    ).order_by("next_attempt_at")[:50],
    "claim: mine": lambda: Enrolment.objects.filter(lease=ID),
    "claim: lost leases": lambda: Enrolment.objects.filter(status="dialling", lease_until__lt=NOW),
    "line: held back": lambda: Enrolment.objects.filter(
        batch_call_id=ID, status="queued", held_at__gt=EVER
    ),
    "line: taken out": lambda: Enrolment.objects.filter(
        batch_call_id=ID, status="cancelled", removed_at__gt=EVER
    ),
    "claim: launches to start": lambda: BatchCall.objects.filter(
        status="scheduled", scheduled_at__lte=NOW
    ),
    "claim: attempts of a person": lambda: Attempt.objects.filter(
        phone_number="+12125550100", created_at__gte=NOW - timedelta(days=1)
    ),
    "claim: unknown attempts": lambda: Attempt.objects.filter(status="unknown", created_at__lt=NOW),
    "follow-ups: calls that ended within the hour": lambda: Attempt.objects.filter(
        status="ended", ended_at__gte=NOW
    ).order_by("-ended_at"),
    "claim: numbers to call from": lambda: PhoneNumber.objects.filter(
        client_id=ID, released_at=None
    ).order_by("last_used_at"),
    "claim: do-not-call lists": lambda: Suppression.objects.filter(scope_key__in=["a", "b"]),
    "ledger: by its cause": lambda: Transaction.objects.filter(client_id=ID, key="consume:1"),
    "ledger: overdue holds": lambda: CallHold.objects.filter(status="held", expires_at__lt=NOW),
    "ledger: statement": lambda: Transaction.objects.filter(client_id=ID).order_by("-created_at")[
        :50
    ],
    "list: campaigns": lambda: Campaign.objects.filter(client_id=ID).order_by("-created_at")[:25],
    "list: leads": lambda: Lead.objects.filter(client_id=ID).order_by("-created_at")[:25],
    "list: leads by status": lambda: Lead.objects.filter(client_id=ID, status="new").order_by(
        "-created_at"
    )[:25],
    "list: leads by a text": lambda: Lead.objects.filter(
        client_id=ID, search_text__contains="ada"
    ).values_list("pk", flat=True)[:1001],
    "undo: notes of leads": lambda: LeadNote.objects.filter(lead_id__in=[ID]),
    "undo: follow-ups of leads": lambda: FollowUp.objects.filter(lead_id__in=[ID]),
    "lead: how its status changed": lambda: LeadStatusChange.objects.filter(lead_id=ID),
    "list: calls": lambda: Call.objects.filter(client_id=ID).order_by("-created_at")[:25],
    "list: calls of a campaign": lambda: Call.objects.filter(client_id=ID, campaign_id=ID).order_by(
        "-created_at"
    )[:25],
    "list: what was done": lambda: AuditLog.objects.filter(client_id=ID).order_by("-created_at")[
        :25
    ],
    "dial: earlier attempts of a lead": lambda: Attempt.objects.filter(enrolment_id__in=[ID]),
    "script: leads of a campaign": lambda: Enrolment.objects.filter(campaign_id=ID),
    "script: its variables": lambda: ScriptVariable.objects.filter(campaign_id=ID),
    "import: its rows": lambda: LeadImportRow.objects.filter(lead_import_id=ID),
    "import: what it changed": lambda: LeadImportChange.objects.filter(lead_import_id=ID),
    "bulk: rows of a change": lambda: LeadOperationRow.objects.filter(operation_id=ID),
    "ledger: lots of a reservation": lambda: LotShare.objects.filter(
        client_id=ID, reservation_id=ID
    ),
    "ledger: hours of clients": lambda: UsedHour.objects.filter(
        client_id__in=[ID], hour_at__gte=NOW
    ),
    "ledger: by its place": lambda: Transaction.objects.filter(wallet_id=ID, seq__gte=1).order_by(
        "seq"
    ),
    "prices: of a client": lambda: Rate.objects.filter(
        client_id=ID, effective_from__lte=NOW
    ).order_by("-effective_from")[:1],
    "papers: statements": lambda: Statement.objects.filter(client_id=ID),
    "papers: differences": lambda: Difference.objects.filter(reconciliation_id=ID),
    "agency: versions of a template": lambda: TemplateVersion.objects.filter(template_id=ID),
    "calls: of an attempt": lambda: Call.objects.filter(attempt_id=ID),
    "calls: from a number": lambda: Call.objects.filter(client_id=ID, from_number__in=["+1"]),
    "calls: to a number": lambda: Call.objects.filter(client_id=ID, to_number__in=["+1"]),
    "inbox: due": lambda: WebhookEvent.objects.filter(
        status="pending", next_try_at__lte=NOW
    ).order_by("next_try_at", "created_at")[:200],
    "inbox: by key": lambda: WebhookEvent.objects.filter(key="call_1:call_ended"),
    "inbox: of a call": lambda: WebhookEvent.objects.filter(provider_call_id="call_1"),
    "inbox: monitor": lambda: WebhookEvent.objects.order_by("-created_at")[:25],
    "report: days": lambda: DailyStat.objects.filter(client_id=ID, day__gte=NOW.date()),
}


# What plans: SQLite and a real server do, and are asked. The test server answers COLLSCAN for every
# compound index, so there the columns of the query are compared with those of the declared indexes.
HAS_A_PLANNER = connection.vendor == "sqlite" or bool(os.environ.get("TEST_MONGODB_URL"))


def uses_an_index(rows):
    if not HAS_A_PLANNER:
        return has_fitting_index(rows)
    plan = rows.explain()
    if connection.vendor == "sqlite":
        # What is filtered is searched for; an index may also only save the sorting of every row.
        by_index = "USING INDEX" in plan or "USING COVERING INDEX" in plan
        return by_index and ("SEARCH" in plan or not rows.query.where)
    return mongodb_plan_uses_an_index(plan)


def mongodb_plan_uses_an_index(plan):
    return "IXSCAN" in plan and "COLLSCAN" not in plan


def has_fitting_index(rows):
    """
    Tell whether one index begins with all columns that are equal, or with what it is sorted by.

    One that begins with a column of which a range is asked fits too, if it has the equal ones behind it.
    """
    conditions = [(one.lhs.target.column, one.lookup_name) for one in rows.query.where.children]
    equal = {column for column, lookup in conditions if lookup in {"exact", "in", "isnull"}}
    first = equal or {name.lstrip("-") for name in rows.query.order_by[:1]}
    ranged = {column for column, lookup in conditions if lookup in {"lt", "lte", "gt", "gte"}}
    return bool(first) and any(
        set(names[: len(first)]) == first or (names[0] in ranged and first <= set(names))
        for names in declared(rows.model)
    )


def declared(model):
    """Return the columns of each index that serves such queries, in their order."""
    return [columns for columns, _is_unique in existing_indexes(connection, model)]


@pytest.mark.parametrize("name", HOT)
def test_finds_what_it_looks_for_all_day_by_an_index(name):
    rows = HOT[name]()

    assert uses_an_index(rows), rows.explain()


@pytest.mark.parametrize("name", HOT)
def test_has_an_index_that_begins_with_what_each_asks_for(name):
    """The comparison that stands in for a planner holds where there is one, too."""
    assert has_fitting_index(HOT[name]())


@pytest.mark.parametrize("judge", [uses_an_index, has_fitting_index])
def test_would_notice_a_query_without_an_index(judge):
    ClientFactory.create()

    assert not judge(WebhookEvent.objects.filter(error="x"))


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ("{'stage': 'FETCH', 'inputStage': {'stage': 'IXSCAN', 'indexName': 'x'}}", True),
        ("{'stage': 'COLLSCAN', 'filter': {}}", False),
        ("{'stage': 'OR', 'inputStages': [{'stage': 'IXSCAN'}, {'stage': 'COLLSCAN'}]}", False),
        ("{'stage': 'EOF'}", False),
    ],
)
def test_reads_the_plan_of_a_real_server(plan, expected):
    assert mongodb_plan_uses_an_index(plan) == expected


def test_has_every_index():
    assert missing_indexes() == []
    call_command("ensure_indexes", check=True)


@pytest.mark.django_db(transaction=True)
def test_names_a_missing_index_and_creates_it(capsys):
    index = next(one for one in Lead._meta.indexes if one.name == "lead_by_last_call")
    with connection.schema_editor() as editor:
        editor.remove_index(Lead, index)
    with pytest.raises(CommandError, match=r"leads_lead \(client_id, last_attempted_at, _id\)"):
        call_command("ensure_indexes", check=True)

    call_command("ensure_indexes")

    assert "1 of them new" in capsys.readouterr().out
    assert missing_indexes() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.mongodb_only("the engine of MongoDB itself")
class TestNarrowIndexes:
    def keep(self, filter_):
        """Give attempts the unique key that upstream would make."""
        collection = mongodb.get_collection("campaigns_attempt")
        collection.drop_index("attempt_once")
        columns = [("enrolment_id", 1), ("number", 1)]
        collection.create_index(
            columns, name="attempt_once", unique=True, partialFilterExpression=filter_
        )

    def test_has_none(self):
        found = {
            model.__name__: names
            for model in apps.get_models()
            if (names := narrow_indexes(connection, model))
        }

        assert found == {}

    def test_does_not_count_one_as_the_index_of_its_first_column(self):
        self.keep({"enrolment_id": {"$gte": ""}, "number": {"$gte": 0}})
        try:
            assert not has_fitting_index(Attempt.objects.filter(enrolment_id=ID))
            assert [str(one) for one in missing_indexes()] == [
                "unique campaigns_attempt (enrolment_id, number)"
            ]
        finally:
            call_command("ensure_indexes")

        assert missing_indexes() == []
        index = mongodb.get_collection("campaigns_attempt").index_information()["attempt_once"]
        assert index["unique"]
        assert "partialFilterExpression" not in index

    def test_leaves_out_only_rows_whose_column_may_be_null(self):
        index = mongodb.get_collection("billing_transaction").index_information()
        assert index["transaction_seq"]["partialFilterExpression"] == {"seq": {"$gte": -(2**63)}}
        index = mongodb.get_collection("telephony_call").index_information()
        (attempt,) = [one for one in index.values() if one["key"] == [("attempt_id", 1)]]
        assert attempt["partialFilterExpression"] == {"attempt_id": {"$gte": ""}}
