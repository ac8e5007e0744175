"""The connection: integer keys, and commits whose failure leaves a healthy connection."""

from __future__ import annotations

from django.db import DatabaseError
from django.db.backends.base.validation import BaseDatabaseValidation
from django.db.backends.utils import debug_transaction
from django_mongodb_backend import base, operations
from pymongo.errors import PyMongoError


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
    ops_class = DatabaseOperations
    # Upstream's validation class forbids the three integer AutoFields that this engine provides.
    validation_class = BaseDatabaseValidation

    def commit_mongo(self) -> None:
        """
        Commit the open transaction.

        Upstream lets the driver's exception through, past the `except DatabaseError` of its
        atomic(), and a session whose commit failed can't be aborted either: it would stay on this
        connection and swallow the next block.

        :raises DatabaseError: if the commit failed, or nobody knows whether it did
        """
        if self.session:
            try:
                with debug_transaction(self, "session.commit_transaction()"):
                    self.session.commit_transaction()
            except PyMongoError as exc:
                self.run_on_commit = []
                raise DatabaseError(str(exc)) from exc
            finally:
                self._end_session()
        self.run_and_clear_commit_hooks()
