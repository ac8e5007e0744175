"""Whether a MongoDB server can do what the product needs of it."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError

from convomono.lib.mongodb.errors import NO_TRANSACTIONS, READ_ONLY, as_database_errors

PROBE = "convomono_probe"


def server_problem(connection: Any) -> str | None:
    """
    Return in a sentence why the server can't be used, or None if it can.

    It asks for the version, a primary and transactions, and writes one small document: a user
    without rights or a full disk shows by nothing else.
    """
    try:
        with as_database_errors():
            connection.ensure_connection()
            hello = connection.database.command("hello")
            if not hello.get("isWritablePrimary"):
                return READ_ONLY
            if "setName" not in hello and hello.get("msg") != "isdbgrid":
                return NO_TRANSACTIONS
            connection.database[PROBE].update_one(
                {"_id": "write"}, {"$inc": {"count": 1}}, upsert=True
            )
    except DatabaseError as problem:
        return str(problem)
    return None
