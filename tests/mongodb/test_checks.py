"""The system check: silent on our models, and loud on each rule that is broken."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.test.utils import isolate_apps

from convomono.lib import checks
from convomono.lib.ids import uuid7


def test_finds_nothing_in_our_apps():
    assert checks.check_portability(None) == []


def test_looks_at_our_apps_and_no_others():
    ours = {config.label for config in apps.get_app_configs() if checks.is_ours(config)}

    assert {"accounts", "audit", "billing", "campaigns", "leads", "webhooks"} <= ours
    assert not {"auth", "admin", "mfa", "sessions"} & ours


def key():
    return models.UUIDField(primary_key=True, default=uuid7, db_column="_id")


def meta(**options):
    return type("Meta", (), {"app_label": "demo", **options})


def unique(**options):
    return {"constraints": [models.UniqueConstraint(name="once", **options)]}


def index(**options):
    return {"indexes": [models.Index(name="quick", **options)]}


def partial(condition):
    return unique(fields=["name"], condition=condition)


@pytest.mark.parametrize(
    ("columns", "options", "expected"),
    [
        ({}, {}, None),
        ({"id": models.BigAutoField(primary_key=True)}, {}, checks.KEY),
        ({"id": models.UUIDField(primary_key=True)}, {}, checks.KEY),
        ({"others": models.ManyToManyField("self")}, {}, checks.MANY_TO_MANY),
        ({"at": models.DateTimeField(db_default=Now())}, {}, checks.COMPUTED),
        (
            {},
            {"constraints": [models.UniqueConstraint(Lower("name"), name="once")]},
            checks.CONSTRAINT,
        ),
        ({}, unique(fields=["name"], include=["other"]), checks.CONSTRAINT),
        ({}, unique(fields=["name"], deferrable=models.Deferrable.DEFERRED), checks.CONSTRAINT),
        ({}, {"indexes": [models.Index(Lower("name"), name="quick")]}, checks.INDEX),
        ({}, index(fields=["name"], include=["other"]), checks.INDEX),
        ({}, index(fields=["name"], condition=Q(other__isnull=True)), checks.CONDITION),
        ({}, partial(~Q(other="x")), checks.CONDITION),
        ({}, partial(Q(other__startswith="x")), checks.CONDITION),
        ({}, partial(Q(other="x") | Q(other__in=["y"])), None),
        ({}, unique(fields=["name"]), None),
    ],
)
@isolate_apps("convomono.demo")
def test_warns_of_what_mongodb_does_not_do(columns, options, expected):
    fields = {"id": key(), "name": models.TextField(), "other": models.TextField(), **columns}
    body = {**fields, "Meta": meta(**options), "__module__": __name__}
    model = type("Thing", (models.Model,), body)

    assert [finding.id for finding in checks.model_findings(model)] == [expected] * bool(expected)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (migrations.RunSQL("SELECT 1"), [checks.SQL]),
        (migrations.SeparateDatabaseAndState([migrations.RunSQL("SELECT 1")]), [checks.SQL]),
        (migrations.RunPython(migrations.RunPython.noop), []),
    ],
)
def test_warns_of_migrations_with_sql(operation, expected):
    migration = migrations.Migration("0002_change", "billing")
    migration.operations = [operation]  # type: ignore[misc]  # as Migration's __init__ does

    assert [finding.id for finding in checks.migration_findings(migration)] == expected
