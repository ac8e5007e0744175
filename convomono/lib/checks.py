"""A system check for models and migrations that SQLite takes and MongoDB doesn't, or not as meant."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from django.core.checks import Warning as Finding
from django.db import models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import RunSQL, SeparateDatabaseAndState
from django.db.models.fields import NOT_PROVIDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from django.apps import AppConfig
    from django.db.migrations import Migration
    from django.db.migrations.operations.base import Operation

MANY_TO_MANY, COMPUTED, KEY, CONSTRAINT, INDEX, CONDITION, SQL = (
    f"convomono.W{number:03}" for number in range(1, 8)
)
_LOOKUPS = {"exact", "in", "gt", "gte", "lt", "lte"}


def check_portability(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[Finding]:
    """Warn of what breaks the rules of docs/mongodb.md in our own apps."""
    from django.apps import apps  # noqa: PLC0415 # the registry is ready when checks run

    ours = [one for one in app_configs or apps.get_app_configs() if is_ours(one)]
    rows = chain.from_iterable(one.get_models() for one in ours)
    found = list(chain.from_iterable(model_findings(model) for model in rows))
    labels = {one.label for one in ours}
    stored = MigrationLoader(None).disk_migrations
    mine = (migration for (label, _), migration in stored.items() if label in labels)
    return found + list(chain.from_iterable(migration_findings(one) for one in mine))


def is_ours(config: AppConfig) -> bool:
    return "site-packages" not in config.path


def model_findings(model: type[models.Model]) -> Iterator[Finding]:
    """Yield what is wrong with one model."""
    key = model._meta.pk
    if not isinstance(key, models.UUIDField) or key.column != "_id":
        yield _finding(
            model, KEY, "its key is no UUID in the column _id", "Derive it from BaseModel."
        )
    for many in model._meta.local_many_to_many:
        hint = "Write a through model; MongoDB can't prefetch over it."
        yield _finding(model, MANY_TO_MANY, f"{many.name} is many-to-many", hint)
    for field in model._meta.local_fields:
        if isinstance(field, models.GeneratedField) or field.db_default is not NOT_PROVIDED:
            hint = "MongoDB computes nothing on writing: let a service do it."
            yield _finding(model, COMPUTED, f"the database computes {field.name}", hint)
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            yield from _uniqueness(model, constraint)
    for index in model._meta.indexes:
        if index.expressions or index.include:
            hint = "MongoDB doesn't create it: store a column that holds the expression."
            yield _finding(model, INDEX, f"the index {index.name} has expressions", hint)
        yield from _partial(model, index.name, index.condition)


def _uniqueness(
    model: type[models.Model], constraint: models.UniqueConstraint
) -> Iterator[Finding]:
    include = constraint.include  # type: ignore[attr-defined]  # the stubs forget it
    if constraint.expressions or include or constraint.deferrable:
        hint = "MongoDB silently creates nothing: store a normalised column."
        what = f"{constraint.name} has expressions, include or deferrable"
        yield _finding(model, CONSTRAINT, what, hint)
    yield from _partial(model, constraint.name, constraint.condition)


def _partial(model: type[models.Model], name: str, condition: models.Q | None) -> Iterator[Finding]:
    if condition is not None and not _is_partial_filter(condition):
        hint = "MongoDB takes exact, in, gt, gte, lt and lte, joined by and or or."
        yield _finding(model, CONDITION, f"the condition of {name} can't be an index's", hint)


def _is_partial_filter(node: Any) -> bool:
    if isinstance(node, models.Q):
        return not node.negated and all(_is_partial_filter(child) for child in node.children)
    name, _value = node
    lookup = name.rpartition("__")[2] if "__" in name else "exact"
    return lookup in _LOOKUPS


def migration_findings(migration: Migration) -> Iterator[Finding]:
    """Yield what is wrong with one migration."""
    if any(isinstance(operation, RunSQL) for operation in _operations(migration.operations)):
        yield Finding(
            f"The migration {migration.app_label}.{migration.name} runs SQL.",
            hint="Use RunPython and look at schema_editor.connection.vendor.",
            id=SQL,
        )


def _operations(operations: Iterable[Operation]) -> Iterator[Operation]:
    for operation in operations:
        yield operation
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _operations(operation.database_operations)


def _finding(model: type[models.Model], code: str, what: str, hint: str) -> Finding:
    return Finding(f"{model._meta.label}: {what}.", hint=hint, obj=model, id=code)
