"""One insert into the inbox, committed before it returns; as short as each database allows."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, connection

from convomono.lib.db import deadline, insert_once
from convomono.lib.ids import uuid7
from convomono.lib.lane import ask_for_way
from webhooks.deliveries import Delivery, body_digest, is_same_news
from webhooks.models import WebhookEvent
from webhooks.patience import Patience
from webhooks.shards import slot_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

# Less than the five seconds within which the sender hears that it should come again: who stood in line
# meanwhile has to hear it, too.
LOCK_SECONDS: Final = 4.3
PATIENCE: Final = Patience()
_POLL_SECONDS: Final = 0.001
DISCREPANCY: Final = "Another delivery of this event said something else; the first one holds."

_INSERT: Final = """
    INSERT INTO webhooks_webhookevent (_id, key, event_type, provider_call_id, slot, source, body,
        status, attempts, next_try_at, error, created_at, processed_at)
    VALUES (?, ?, ?, ?, ?, 'delivery', ?, ?, 0, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"""
_FIRST: Final = "SELECT body FROM webhooks_webhookevent WHERE key = ?"
_local = threading.local()


class NotStored(Exception):
    """The database didn't take the event: it must not be acknowledged."""


def store(delivery: Delivery, *, now: datetime) -> bool:
    """
    Store the delivery and return once it is committed; False if its key was there before.

    The first body of a key holds; another one with other news is kept beside it, as ignored.

    :raises NotStored: if it could not be written, or not in time
    """
    with PATIENCE.wait(LOCK_SECONDS) as seconds, _in_time(seconds):
        ends_at = time.monotonic() + seconds
        if _insert(delivery, now, seconds):
            return True
        first = _first_body(delivery.key)
        if first is not None and not is_same_news(first, delivery.body):
            # All of it together has the time of one insert: the sender waits.
            _insert(_discrepancy(delivery), now, max(0.05, ends_at - time.monotonic()))
        return False


def _discrepancy(delivery: Delivery) -> Delivery:
    return replace(
        delivery,
        key=f"other:{body_digest(delivery.body.encode())}",
        status=WebhookEvent.Status.IGNORED,
        error=DISCREPANCY,
    )


def _insert(delivery: Delivery, now: datetime, seconds: float) -> bool:
    if connection.vendor == "sqlite":
        return _insert_sqlite(delivery, now, seconds)
    return _insert_row(delivery, now)


def _insert_row(delivery: Delivery, now: datetime) -> bool:
    """Insert by the ORM: MongoDB has no "on conflict do nothing"."""
    row = WebhookEvent(
        key=delivery.key,
        event_type=delivery.event_type,
        provider_call_id=delivery.provider_call_id,
        slot=slot_of(delivery.provider_call_id),
        body=delivery.body,
        status=delivery.status,
        next_try_at=now,
        error=delivery.error,
        created_at=now,
        processed_at=_processed_at(delivery, now),
    )
    return insert_once(row, "key")


def _insert_sqlite(delivery: Delivery, now: datetime, seconds: float) -> bool:
    """
    Insert on a connection of this thread's own, which waits for the write lock less long.

    A third of what the ORM's insert costs. Instants and keys are written as Django writes them.
    """
    processed_at = _processed_at(delivery, now)
    row = (
        uuid7().hex,
        delivery.key,
        delivery.event_type,
        delivery.provider_call_id,
        slot_of(delivery.provider_call_id),
        delivery.body,
        delivery.status,
        _instant(now),
        delivery.error,
        _instant(now),
        _instant(processed_at) if processed_at else None,
    )
    return _execute(_INSERT, row, seconds).rowcount == 1


def _first_body(key: str) -> str | None:
    if connection.vendor == "sqlite":
        found = _execute(_FIRST, (key,)).fetchone()
        return found[0] if found else None
    return WebhookEvent.objects.filter(key=key).values_list("body", flat=True).first()


@contextmanager
def _in_time(seconds: float) -> Iterator[None]:
    # MongoDB's limit, for all that one delivery asks of it together.
    try:
        with deadline(seconds):
            yield
    except DatabaseError as error:
        raise NotStored(str(error)) from error


def _processed_at(delivery: Delivery, now: datetime) -> datetime | None:
    return now if delivery.status == WebhookEvent.Status.IGNORED else None


def _instant(moment: datetime) -> str:
    return str(moment.replace(tzinfo=None))


def _execute(statement: str, values: tuple[object, ...], seconds: float = 0) -> sqlite3.Cursor:
    """
    Run the statement, and while somebody else writes again and again for so many seconds.

    SQLite's own wait looks less and less often, in the end each tenth of a second; beside those who
    write slice after slice the lock is free for milliseconds.
    """
    give_up_at = time.monotonic() + seconds
    has_asked = False
    try:
        while True:
            try:
                done = _sqlite().execute(statement, values)
                if has_asked:
                    ask_for_way(is_done=True)
                return done  # noqa: TRY300 # the way is given back where it was taken
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > give_up_at:
                    raise
            has_asked = True
            ask_for_way()
            time.sleep(_POLL_SECONDS)
    except (sqlite3.Error, UnicodeError) as error:
        if not _is_busy(error):
            close()  # whatever it was, the next delivery begins with a fresh connection
        raise NotStored(str(error)) from error


def _is_busy(error: Exception) -> bool:
    # Somebody else holds SQLite's lock, which says nothing about the connection.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _sqlite() -> sqlite3.Connection:
    path = str(connection.settings_dict["NAME"])
    if getattr(_local, "path", None) != path:
        close()
        # No transaction but the statement's own: it is committed when execute() returns.
        _local.connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        _local.connection.execute("PRAGMA synchronous=NORMAL")
        _local.path = path
    opened: sqlite3.Connection = _local.connection
    return opened


def close() -> None:
    """Close this thread's connection, if it has one."""
    opened: sqlite3.Connection | None = getattr(_local, "connection", None)
    _local.path = _local.connection = None
    if opened is not None:
        opened.close()
