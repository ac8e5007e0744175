"""The connection: integer keys, and commits whose failure leaves a healthy connection."""

from __future__ import annotations

import time
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.db import NotSupportedError
from django.db.backends.base.validation import BaseDatabaseValidation
from django.db.backends.utils import debug_transaction
from django.utils.functional import cached_property
from django_mongodb_backend import base, features, operations
from pymongo import timeout
from pymongo.errors import PyMongoError

from convomono.lib.db import Unavailable
from convomono.lib.mongodb.errors import as_database_error, as_database_errors
from convomono.lib.mongodb.schema import DatabaseSchemaEditor

__all__ = ["DatabaseWrapper", "timeout"]

COMMIT_SECONDS = 10.0
COMMIT_PAUSE_SECONDS = 0.05
# Shorter than the five seconds within which the sender of a webhook hears that it should come again.
PATIENCE = {"serverSelectionTimeoutMS": 4000, "connectTimeoutMS": 4000}


class WatchedCollection:
    """A collection whose commands pass through the connection's execute wrappers."""

    COMMANDS = frozenset({"aggregate", "delete_many", "insert_many", "update_many", "update_one"})

    def __init__(self, connection: DatabaseWrapper, collection: Any) -> None:
        self.connection = connection
        self.collection = collection

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.collection, name)
        if name not in self.COMMANDS:
            return method

        def send(*args: Any, **kwargs: Any) -> Any:
            def execute(_text: str, _params: Any, _many: bool, _context: dict[str, Any]) -> Any:
                return method(*args, **kwargs)

            for wrapper in reversed(self.connection.execute_wrappers):
                execute = partial(wrapper, execute)
            text = f"db.{self.collection.name}.{name}"
            return execute(text, None, False, {"connection": self.connection, "cursor": None})

        return send


class DatabaseFeatures(features.DatabaseFeatures):
    """Upstream's; asking an unreachable server raises Django's error."""

    @cached_property
    def _supports_transactions(self) -> bool:
        with as_database_errors():
            return bool(super()._supports_transactions)


class DatabaseOperations(operations.DatabaseOperations):
    """Upstream's, with our compilers."""

    compiler_module = f"{__package__}.compiler"


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to a replica set."""

    data_types = {
        **base.DatabaseWrapper.data_types,
        "AutoField": "long",
        "BigAutoField": "long",
        "SmallAutoField": "int",
    }
    in_atomic_block: bool
    features_class = DatabaseFeatures
    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor
    # Upstream's validation class forbids the three integer AutoFields that this engine provides.
    validation_class = BaseDatabaseValidation

    def get_connection_params(self) -> dict[str, Any]:
        """Add our time limits to what the address doesn't say itself."""
        params: dict[str, Any] = super().get_connection_params()
        said = {name.lower() for name, _ in parse_qsl(urlsplit(params["host"] or "").query)}
        ours = {name: limit for name, limit in PATIENCE.items() if name.lower() not in said}
        return {**ours, **params}

    def connect(self) -> None:
        """
        Connect and look at the server's version.

        :raises Unavailable: if it can't be reached or is too old
        """
        try:
            with as_database_errors():
                super().connect()
        except Exception as problem:
            # Upstream would count as connected from here on and never ask for the version again.
            self.connection = None
            self.__dict__.pop("database", None)
            if isinstance(problem, NotSupportedError):
                raise Unavailable(str(problem)) from problem
            raise

    def get_collection(self, name: str, **kwargs: Any) -> Any:
        """Return the collection; `execute_wrapper`, which Django documents, sees what is sent."""
        collection = super().get_collection(name, **kwargs)
        return WatchedCollection(self, collection) if self.execute_wrappers else collection

    def commit_mongo(self) -> None:
        """
        Commit the open transaction; ask again while nobody knows whether it did.

        To commit twice is harmless, and an open transaction that nobody ends would keep its rows
        from every writer for a minute. Upstream lets the driver's exception through, past the `except DatabaseError` of its
        atomic(), and a session whose commit failed can't be aborted either: it would stay on this
        connection and swallow the next block.

        :raises DatabaseError: if the commit failed, or nobody knows whether it did
        """
        if self.session:
            try:
                with debug_transaction(self, "session.commit_transaction()"):
                    self._commit_until_known()
            except PyMongoError as exc:
                self.run_on_commit: list[Any] = []
                raise as_database_error(exc) from exc
            finally:
                self._end_session()
        self.run_and_clear_commit_hooks()

    def _commit_until_known(self) -> None:
        give_up_at = time.monotonic() + COMMIT_SECONDS
        while True:
            try:
                self.session.commit_transaction()
            except PyMongoError as exc:
                unknown = exc.has_error_label("UnknownTransactionCommitResult")
                if not unknown or time.monotonic() > give_up_at:
                    raise
                time.sleep(COMMIT_PAUSE_SECONDS)
            else:
                return

    def run_and_clear_commit_hooks(self) -> None:
        """
        Run what waited for the commit, inside a block of Django's own atomic() too.

        Such a block, which the admin's views open, commits nothing on MongoDB; Django would refuse
        to run hooks before its end, after ours has been committed.
        """
        was_in_block, self.in_atomic_block = self.in_atomic_block, False
        try:
            super().run_and_clear_commit_hooks()
        finally:
            self.in_atomic_block = was_in_block
