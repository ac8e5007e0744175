"""Copies a whole database into another, on either engine; it goes on where it was stopped."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, models

from convomono.lib.databases import database_settings
from convomono.lib.db import forget_connection, run_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 200
# A copy that was killed leaves its open transaction to MongoDB, which ends it after a minute: until then
# its rows are kept from the copy that goes on.
PATIENCE_SECONDS = 90.0
# Made by the migrations on each side with numbers of their own, and of no worth to anybody else.
LEFT_OUT = {
    "contenttypes.ContentType",
    "auth.Permission",
    "auth.Group_permissions",
    "sessions.Session",
    "admin.LogEntry",
    "campaigns.DispatcherLease",  # says which process dials, which is another one there
}


@contextmanager
def lent_database(alias: str, url: str) -> Iterator[None]:
    """
    Make a database known to this thread under an alias until the block ends.

    :raises EnvironmentInvalid: if the address can't be understood
    """
    wanted = {DEFAULT_DB_ALIAS: {}, alias: database_settings(url)}
    connections.settings[alias] = connections.configure_settings(wanted)[alias]
    try:
        yield
    finally:
        # Whoever stays would be asked for whatever the next database of this name is asked for.
        forget_connection(alias)
        del connections[alias]
        del connections.settings[alias]


class CountsDiffer(Exception):
    """The copy lacks rows or has others; the message names the tables."""


class TargetInUse(Exception):
    """The target has rows that the source hasn't; the message names the tables."""


@dataclass(frozen=True)
class Copied:
    """One table: how many rows it has, and how many of them came now."""

    table: str
    rows: int
    new: int


def copy_database(
    source: str,
    target: str,
    *,
    tell: Callable[[Copied], None] = lambda copied: None,
    beat: Callable[[], None] = lambda: None,
) -> int:
    """
    Copy every row under its key; return how many are new. After each table `tell` is called, after some rows `beat`.

    Both databases are migrated, and nothing writes to either meanwhile. Rows whose key is there
    already are left as they are, so a second run goes on after the first was stopped.

    :raises TargetInUse: before anything is written, if somebody has begun to use the target
    :raises CountsDiffer: if the two don't hold equally many rows in the end
    """
    refuse_target_in_use(source, target)
    total, wrong = 0, []
    with _keys_unchecked(target), _instants_kept():
        for model in tables():
            new = 0
            for rows in _chunks(model, source):
                new += _copy_chunk(model, rows, target)
                beat()
            have = model._base_manager.using(target).count()
            wanted = model._base_manager.using(source).count()
            if have != wanted:
                wrong.append(f"{model._meta.db_table}: {wanted} rows there, {have} here")
            tell(Copied(model._meta.db_table, have, new))
            total += new
    if wrong:
        raise CountsDiffer("\n".join(wrong))
    return total


def refuse_target_in_use(source: str, target: str) -> None:
    """
    Look for rows that only the target has, in the tables that it has: it needn't be migrated, nor be as new.

    :raises TargetInUse: naming the tables and a row of each
    """
    there = set(connections[target].introspection.table_names())
    known = [model for model in tables() if model._meta.db_table in there]
    if own := [told for model in known if (told := _rows_of_its_own(model, source, target))]:
        raise TargetInUse("\n".join(own))


def tables() -> list[type[models.Model]]:
    """Return every model whose rows are copied, through tables included."""
    every = apps.get_models(include_auto_created=True)
    return [
        one
        for one in every
        if one._meta.managed and not one._meta.proxy and one._meta.label not in LEFT_OUT
    ]


@contextmanager
def _keys_unchecked(using: str) -> Iterator[None]:
    """Tables come in any order: SQLite would refuse a row whose parent is still to come."""
    connection = connections[using]
    with connection.constraint_checks_disabled():
        yield


@contextmanager
def _instants_kept() -> Iterator[None]:
    """Don't let columns that note the present take the time of the copy."""
    noting = [
        (field, name)
        for model in tables()
        for field in model._meta.local_fields
        for name in ("auto_now", "auto_now_add")
        if getattr(field, name, False)
    ]
    for field, name in noting:
        setattr(field, name, False)
    try:
        yield
    finally:
        for field, name in noting:
            setattr(field, name, True)


def _rows_of_its_own(model: type[models.Model], source: str, target: str) -> str:
    # Keys alone: an older target lacks columns.
    for keys in map(set, _key_chunks(model, target)):
        known = model._base_manager.using(source).filter(pk__in=keys).values_list("pk", flat=True)
        if strangers := keys - set(known):
            return f"{model._meta.db_table}: {min(strangers, key=str)}"
    return ""


def _key_chunks(model: type[models.Model], source: str) -> Iterator[list[Any]]:
    keys = model._base_manager.using(source).order_by("pk").values_list("pk", flat=True)
    last = None
    while chunk := list((keys if last is None else keys.filter(pk__gt=last))[:CHUNK]):
        yield chunk
        last = chunk[-1]


def _chunks(model: type[models.Model], source: str) -> Iterator[list[models.Model]]:
    rows = model._base_manager.using(source).order_by("pk")
    last = None
    while chunk := list((rows if last is None else rows.filter(pk__gt=last))[:CHUNK]):
        yield chunk
        last = chunk[-1].pk


def _copy_chunk(model: type[models.Model], rows: list[models.Model], target: str) -> int:
    manager = model._base_manager.using(target)
    there = set(manager.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    fresh = [row for row in rows if row.pk not in there]
    if fresh:
        run_atomic(lambda: manager.bulk_create(fresh), using=target, patience=PATIENCE_SECONDS)
    return len(fresh)
