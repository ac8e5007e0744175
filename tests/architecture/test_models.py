"""What the tables must look like, whatever is added."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models

from convomono.lib.models import BaseModel
from tests.architecture.source import LEVEL, ROOMS

OURS = [model for room in ROOMS for model in apps.get_app_config(room).get_models()]
OWNED = [model for model in OURS if any(f.name == "client" for f in model._meta.fields)]

# Indexes that work across clients: claims, sweeps, what a provider's id or a person's number finds.
ACROSS_CLIENTS = {
    "notice_unsent",
    "difference_fetching",
    "difference_of_call",
    "statement_unfinished",
    "attempt_by_person",
    "attempt_ended",
    "attempt_in_batch",
    "attempt_overdue",
    "automation_due",
    "batch_due",
    "call_live_in_batch",
    "call_overdue",
    "client_event_unrouted",
    "daily_stat_of_agency",
    "delivery_by_endpoint",
    "delivery_by_event",
    "delivery_due_at",
    "enrolment_by_lease",
    "enrolment_callback",
    "enrolment_due_first",
    "enrolment_held",
    "enrolment_lost",
    "knowledge_answer_waiting",
    "enrolment_removed",
    "follow_up_due",
    "handover_open",
    "hold_overdue",
    "import_unfinished",
    "lot_due",
    "operation_unfinished",
    "recording_by_status",
    "lookup_by_status",
    "report_unfinished",
    "suppression_by_age",
    "suppression_by_number",
    "top_up_due",
    "transaction_of_agency",
    "used_hour_by_age",
    "trial_unsettled",
}


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_uses_our_key(model):
    assert issubclass(model, BaseModel)
    assert model._meta.pk.column == "_id"


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_points_foreign_keys_down(model):
    level = LEVEL[model._meta.app_label]
    for field in model._meta.fields:
        if isinstance(field, models.ForeignKey):
            target = field.related_model._meta.app_label
            assert target == model._meta.app_label or LEVEL[target] < level, field


@pytest.mark.parametrize("model", OWNED, ids=lambda model: model.__name__)
def test_begins_each_index_of_a_clients_table_with_the_client(model):
    wrong = [
        index.name
        for index in model._meta.indexes
        if index.fields[0] != "client" and index.name not in ACROSS_CLIENTS
    ]

    assert not wrong


def test_keeps_the_list_of_other_indexes_true():
    names = {index.name for model in OURS for index in model._meta.indexes}

    assert names >= ACROSS_CLIENTS


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_orders_nothing_by_itself(model):
    assert not model._meta.ordering
