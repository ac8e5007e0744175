"""What makes SQLite itself refuse to change or delete a line of the ledger; used by a migration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

TABLE = "billing_transaction"
PLACE = ("seq", "balance_after_seconds", "seal")
"""The only columns that are set after the insert: by the block that wrote the row, once."""

TRIGGERS = {
    "transaction_never_deleted": "BEFORE DELETE ON {table}",
    "transaction_never_changed": "BEFORE UPDATE OF {others} ON {table}",
    "transaction_numbered_once": "BEFORE UPDATE OF {place} ON {table} WHEN OLD.seq IS NOT NULL",
}


def add_triggers(schema_editor: BaseDatabaseSchemaEditor, names: list[str] | None = None) -> None:
    """Create the triggers on SQLite; other engines have the refusal in code alone."""
    if schema_editor.connection.vendor != "sqlite":
        return
    with schema_editor.connection.cursor() as cursor:
        table = schema_editor.connection.introspection.get_table_description(cursor, TABLE)
    names_there = [column.name for column in table]
    parts = {
        "table": TABLE,
        "place": ", ".join(name for name in PLACE if name in names_there),
        "others": ", ".join(name for name in names_there if name not in PLACE),
    }
    for name in names or TRIGGERS:
        when = TRIGGERS[name].format(**parts)
        refusal = "BEGIN SELECT RAISE(ABORT, 'Lines of the ledger are fixed.'); END"
        schema_editor.execute(f"CREATE TRIGGER {name} {when} {refusal}")


def drop_triggers(schema_editor: BaseDatabaseSchemaEditor, names: list[str] | None = None) -> None:
    """Remove the triggers, before a migration that rebuilds the table."""
    if schema_editor.connection.vendor != "sqlite":
        return
    for name in names or TRIGGERS:
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")


def migrate(_apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    add_triggers(schema_editor)


def revert(_apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    drop_triggers(schema_editor)
