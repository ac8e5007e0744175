"""What is wrong with a MongoDB server, in one sentence that a person can act on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import DatabaseError, IntegrityError, OperationalError
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from convomono.lib.db import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

UNAUTHORISED, WRONG_PASSWORD = 13, 18
NOT_PRIMARY = {10107, 13435, 11602, 189}

UNREACHABLE = "MongoDB does not answer: check DATABASE_URL and that the server runs."
READ_ONLY = "MongoDB takes no writes: the replica set has no primary that can be reached."
NO_TRANSACTIONS = "MongoDB has to run as a replica set (one member is enough)."
_OF_CODE = {
    UNAUTHORISED: "MongoDB's user in DATABASE_URL may not read and write this database.",
    WRONG_PASSWORD: "MongoDB refuses the user name or the password in DATABASE_URL.",
}


def as_database_error(problem: PyMongoError) -> DatabaseError:
    """Return Django's error for the driver's: Unavailable with a sentence where a person has to act."""
    if sentence := _what_is_wrong(problem):
        return Unavailable(sentence)
    if problem.has_error_label("TransientTransactionError"):
        return OperationalError(
            str(problem).partition(", full error:")[0]
        )  # as "database is locked"
    if isinstance(problem, OperationFailure):
        return DatabaseError(f"MongoDB refused: {str(problem).partition(', full error:')[0]}")
    return DatabaseError(str(problem).partition("\n")[0])


def _what_is_wrong(problem: PyMongoError) -> str | None:
    """Say it without host names and credentials."""
    code = getattr(problem, "code", None)
    if code in _OF_CODE:
        return _OF_CODE[code]
    if isinstance(problem, NotPrimaryError) or code in NOT_PRIMARY or _has_no_primary(problem):
        return READ_ONLY
    if isinstance(problem, ConnectionFailure):  # and all that inherit: refused, reset, timed out
        return UNREACHABLE
    if isinstance(problem, ConfigurationError):
        return f"DATABASE_URL is not understood: {problem}"
    return None


def _has_no_primary(problem: PyMongoError) -> bool:
    """Tell a replica set that answers but has no primary from one that doesn't answer."""
    # The driver puts the difference nowhere but into its text.
    return isinstance(problem, ServerSelectionTimeoutError) and "No primary" in str(problem)


@contextmanager
def as_database_errors() -> Iterator[None]:
    """
    Raise the driver's errors as Django's, with a sentence; the driver's error is the cause.

    :raises DatabaseError: for any error of the driver
    """
    try:
        yield
    except PyMongoError as problem:
        raise as_database_error(problem) from problem
    except IntegrityError:
        raise
    except DatabaseError as raised:
        # Upstream has wrapped it already, with the driver's whole text.
        if isinstance(raised.__cause__, PyMongoError):
            raise as_database_error(raised.__cause__) from raised.__cause__
        raise
