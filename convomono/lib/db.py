"""
Transactions, retries and unique inserts, alike on SQL and on MongoDB.

On MongoDB Django's own atomic() does nothing, savepoints don't exist and select_for_update() is
ignored. So our code uses this module and nothing of django.db.transaction.
"""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial, wraps
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, overload, runtime_checkable

from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    IntegrityError,
    OperationalError,
    connections,
    transaction,
)

from convomono.lib.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.models import Model

__all__ = [
    "IntegrityError",
    "Unavailable",
    "atomic",
    "compare_and_set",
    "database_problem",
    "deadline",
    "forget_connection",
    "in_transaction",
    "insert_once",
    "is_subquery_read_once",
    "is_transient",
    "on_commit",
    "outage",
    "require_transactions",
    "run_atomic",
    "waiting_hook",
]

on_commit = transaction.on_commit  # inside `atomic` it waits for the commit on both engines

UNKNOWN_COMMIT = "UnknownTransactionCommitResult"
MONGO_LABELS = ("TransientTransactionError", UNKNOWN_COMMIT)
SQLITE_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
SQLITE_OUTAGES = {
    sqlite3.SQLITE_BUSY: "The database is busy: another writer held it for longer than we wait.",
    sqlite3.SQLITE_LOCKED: "The database is busy: another writer held it for longer than we wait.",
    sqlite3.SQLITE_FULL: "The disk that the database is on is full.",
    sqlite3.SQLITE_IOERR: "The disk that the database is on can't be read or written.",
    sqlite3.SQLITE_CANTOPEN: "The database's file can't be opened: check DATABASE_URL and its rights.",
    sqlite3.SQLITE_READONLY: "The database's file can't be written: check its rights.",
}
PATIENCE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 0.128
# Where one thread of this process has lost a race, all go one after the other until the queue is empty.
# Side by side they would undo each other; and whoever begins afresh right after a commit wins against
# whoever begins again in the middle of a block, so a loser would starve.
_turns = Turns()
LONGEST_WAIT_FOR_OTHERS_SECONDS = 1.0
PROBE_SECONDS = 4.5  # whoever asks whether we serve doesn't wait for more than five


class Unavailable(OperationalError):
    """MongoDB can't serve us; the message says why in one sentence that a person can act on."""


@runtime_checkable
class Labelled(Protocol):
    """An error of MongoDB's driver."""

    def has_error_label(self, label: str) -> bool: ...


@contextmanager
def _atomic(using: str) -> Iterator[None]:
    connection = connections[using]
    block: AbstractContextManager[object]
    if connection.vendor == "mongodb":
        from django_mongodb_backend.transaction import atomic as mongo_atomic

        require_transactions(using)
        block = mongo_atomic(using=using)
    else:
        block = transaction.atomic(using=using)
    with block:
        yield


@overload
def atomic[**P, R](using: Callable[P, R]) -> Callable[P, R]: ...
@overload
def atomic(using: str = DEFAULT_DB_ALIAS) -> AbstractContextManager[None]: ...
def atomic(using: object = DEFAULT_DB_ALIAS) -> object:
    """
    Open a transaction on either engine: a context manager, or a decorator without brackets.

    A decorated function runs again after a write conflict that undid it, as MongoDB's writers don't
    wait for each other; a `with` block can't, so contended ones go through `run_atomic`.
    A nested block is a savepoint on SQL and has no effect on MongoDB. So let errors leave the
    outermost block: an IntegrityError caught inside has already ended a MongoDB transaction.
    """
    if callable(using):
        return _decorated(using)
    return _atomic(str(using))


def _decorated[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        # Not after a commit whose outcome is unknown: nobody promised that it may take effect twice.
        return _repeat(
            lambda: function(*args, **kwargs), using=DEFAULT_DB_ALIAS, may_repeat=was_undone
        )

    return run


def in_transaction(using: str = DEFAULT_DB_ALIAS) -> bool:
    """Tell whether a transaction is open on this thread's connection."""
    connection = connections[using]
    if connection.vendor == "mongodb":
        return bool(connection.in_atomic_block_mongo)  # type: ignore[attr-defined]  # MongoDB's has it
    return connection.in_atomic_block


def is_subquery_read_once(using: str = DEFAULT_DB_ALIAS) -> bool:
    """Tell whether the keys that `pk__in=` takes from another query are fetched once; MongoDB asks anew for each row."""
    return connections[using].vendor != "mongodb"


def waiting_hook[Hook](kind: type[Hook], using: str = DEFAULT_DB_ALIAS) -> Hook | None:
    """Return the hook of this kind that waits for the open transaction's commit, if there is one."""
    hooks = (entry[1] for entry in connections[using].run_on_commit)
    return next((hook for hook in hooks if isinstance(hook, kind)), None)


def is_transient(exc: BaseException) -> bool:
    """Tell whether the database undid the block and running all of it again may succeed."""
    for error in _with_cause(exc):
        if isinstance(error, Labelled):
            return any(error.has_error_label(label) for label in MONGO_LABELS)
        if (code := getattr(error, "sqlite_errorcode", None)) is not None:
            return code & 0xFF in SQLITE_CODES
    return False


def _with_cause(exc: BaseException) -> tuple[object, object]:
    # Django wraps the driver's error, which is the one that says what happened.
    return exc, exc.__cause__


def was_undone(exc: BaseException) -> bool:
    """Tell whether the database undid the block for certain, so that it had no effect."""
    return is_transient(exc) and not any(
        error.has_error_label(UNKNOWN_COMMIT)
        for error in _with_cause(exc)
        if isinstance(error, Labelled)
    )


def run_atomic[R](
    block: Callable[[], R], *, using: str = DEFAULT_DB_ALIAS, patience: float = PATIENCE_SECONDS
) -> R:
    """
    Run block() in a transaction; run it again after a write conflict, for `patience` seconds.

    The outcome of a commit can stay unknown, and then the block runs a second time although the
    first run took effect. So the block must be idempotent: it writes a row with its unique key, and
    the caller treats the IntegrityError of that row as "done before". Side effects belong in
    `on_commit`, whose own errors never repeat the block.
    """
    return _repeat(block, using=using, patience=patience, may_repeat=is_transient)


def _repeat[R](
    block: Callable[[], R],
    *,
    using: str,
    patience: float = PATIENCE_SECONDS,
    may_repeat: Callable[[BaseException], bool],
) -> R:
    if in_transaction(using):  # only the outermost block can be repeated
        with atomic(using):
            return block()
    give_up_at = time.monotonic() + patience
    with ExitStack() as turn:
        if _turns.is_busy:
            wait = min(patience, LONGEST_WAIT_FOR_OTHERS_SECONDS)
            turn.enter_context(_turns.one(timeout=wait))
        for attempt in count():
            committed: list[bool] = []
            try:
                with atomic(using):
                    # The first hook to run: an error that comes later is another hook's, not the
                    # transaction's.
                    on_commit(partial(committed.append, True), using=using)
                    return block()
            except Exception as exc:
                if committed or time.monotonic() > give_up_at or not may_repeat(exc):
                    raise
            if not attempt:
                turn.enter_context(_turns.one(timeout=give_up_at - time.monotonic()))
            # MongoDB doesn't queue for a row: the pause has to outgrow another process's transaction.
            pause = min(0.002 * 2 ** min(attempt, 6), LONGEST_PAUSE_SECONDS)
            time.sleep(random.uniform(0, pause))
    # For the type: the stack of turns swallows nothing.
    raise AssertionError("unreachable")  # pragma: no cover


def insert_once(row: Model, *key: str, using: str = DEFAULT_DB_ALIAS) -> bool:
    """
    Insert the row; return False if one with the same values in the fields `key` is there already.

    MongoDB has no INSERT .. ON CONFLICT DO NOTHING. This is the portable form: one insert and no
    read before it. On MongoDB it has to stand outside a transaction, which a duplicate would end.
    """
    if connections[using].vendor == "mongodb":
        if in_transaction(using):
            raise RuntimeError("insert_once() inside a MongoDB transaction")
        guard: AbstractContextManager[object] = nullcontext()
    else:
        guard = transaction.atomic(using=using)
    try:
        with guard:
            row.save(force_insert=True, using=using)
    except IntegrityError:
        # Another constraint may have failed; then this is an error.
        same = {name: getattr(row, name) for name in key}
        if same and type(row)._base_manager.using(using).filter(**same).exists():
            return False
        raise
    return True


def compare_and_set(row: Model, *read: str, **columns: object) -> bool:
    """
    Write columns of a row if the fields `read` still have the values that the caller's copy has.

    The lock of both engines: nobody waits, and who comes second is told so by False. The copy isn't
    changed. Where a state is asked for rather than what was read, `filter(..).update(..)` says it.
    """
    same = {name: getattr(row, name) for name in read}
    return bool(type(row)._base_manager.filter(pk=row.pk, **same).update(**columns))


def require_transactions(using: str = DEFAULT_DB_ALIAS) -> None:
    """
    Refuse a MongoDB server without transactions.

    :raises Unavailable: on a standalone server, where the ledger could not be kept
    """
    connection = connections[using]
    if connection.vendor != "mongodb":
        return
    features: Any = connection.features  # upstream's property, which Django's class lacks
    if not features._supports_transactions:
        from convomono.lib.mongodb.errors import NO_TRANSACTIONS

        raise Unavailable(NO_TRANSACTIONS)


def database_problem(using: str = DEFAULT_DB_ALIAS) -> str | None:
    """Return in a sentence why the database can't be used, or None if it can."""
    connection = connections[using]
    if connection.vendor == "mongodb":
        from convomono.lib.mongodb.health import server_problem

        with deadline(PROBE_SECONDS, using):
            return server_problem(connection)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as problem:
        return f"The database does not answer: {problem}."
    return None


def outage(exc: BaseException | None) -> str | None:
    """Return in a sentence why the database served nobody, or None if the error means something else."""
    while exc is not None:
        if isinstance(exc, Unavailable):
            return str(exc)
        if sentence := SQLITE_OUTAGES.get(getattr(exc, "sqlite_errorcode", 0) & 0xFF):
            return sentence
        exc = exc.__cause__
    return None


def deadline(seconds: float, using: str = DEFAULT_DB_ALIAS) -> AbstractContextManager[object]:
    """Give up what is asked of MongoDB inside this block after so long; SQLite has its own limit."""
    if connections[using].vendor != "mongodb":
        return nullcontext()
    from convomono.lib.mongodb.base import timeout

    return timeout(seconds)


def forget_connection(using: str = DEFAULT_DB_ALIAS) -> None:
    """
    Close this process's connections for good: what is asked next opens new ones.

    Before a fork, and where an alias comes to mean another database: MongoDB's driver keeps its
    own connections by the alias, and closing Django's leaves them open.
    """
    connection = connections[using]
    connection.close()
    if connection.vendor == "mongodb":
        connection.close_pool()  # type: ignore[attr-defined]  # MongoDB's has it
