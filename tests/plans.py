"""How SQLite would answer what is asked: by which index, and whether it sorts first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

if TYPE_CHECKING:
    from collections.abc import Callable

# They have a row per lead, call, event, line of the ledger or thing that was done; all others a few hundred.
GROW = {
    "accounts_clientevent", "accounts_notification", "audit_auditlog", "billing_callhold",
    "billing_transaction", "campaigns_attempt", "campaigns_automationrun", "campaigns_enrolment",
    "campaigns_followup", "campaigns_personpace", "leads_consent", "leads_lead",
    "leads_leadimportchange", "leads_leadimportrow", "leads_leadnote", "leads_leadoperationrow",
    "leads_leadstatuschange", "leads_suppression", "reporting_dailystat", "telephony_call", "telephony_calldetail",
    "telephony_recording", "webhooks_endpointdelivery", "webhooks_webhookevent",
}  # fmt: skip

# Columns that many rows share: to name ten of these is to ask for half a table.
_OF_MANY = {
    "batch_call_id", "campaign_id", "client_id", "endpoint_id", "lead_import_id", "operation_id",
    "reservation_id", "version_id", "wallet_id",
}  # fmt: skip
_FEW = re.compile(r"IN \((?:%s(?:, )?)+\)")
_NAMED = re.compile(
    r'(?<!NOT )(?<!NOT \()(?<![.\w])(?:"(\w+)"\.)?"(\w*_id|phone_number|key)" IN \(%s\)'
)
_MANY = "IN (" + ", ".join("'0'" for _ in range(200)) + ")"


def plans(ask: Callable[[], object], *, of: str = "") -> list[str]:
    """Ask, and return the plan of each statement that was sent, or of those that name `of`."""
    with CaptureQueriesContext(connection) as asked:
        ask()
    return [plan_of(query["sql"]) for query in asked if of in query["sql"]]


def plan_of(sql: str) -> str:
    """Return the plan of one statement, its steps in one line."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return " ".join(row[-1] for row in cursor.fetchall())


class ByTheirKeys:
    """
    An execute wrapper: what names rows of a growing table by two hundred keys has to go by these.

    Without statistics SQLite takes an equality for ten rows, so that of nine keys and a status it goes
    through all who have the status (`convomono.lib.keys`). Each statement is looked at once; `astray`
    has those that go another way.
    """

    def __init__(self) -> None:
        self.astray: list[str] = []
        self._seen: set[str] = set()
        self._first: set[tuple[str, str]] = set()

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if " IN (%s" in sql and (usual := _FEW.sub("IN (%s)", sql)) not in self._seen:
            self._seen.add(usual)
            raw = context["connection"].connection
            self._first = self._first or _first_columns(raw)
            self.astray += _ways_astray(usual, raw, self._first)
        return execute(sql, params, many, context)


def _first_columns(raw: Any) -> set[tuple[str, str]]:
    """Return the tables that grow, each with the columns that an index begins with, of one client or at all."""
    found = set()
    for table in GROW:
        for _number, name, *_rest in raw.execute(f'PRAGMA index_list("{table}")'):
            columns = [row[2] for row in raw.execute(f'PRAGMA index_info("{name}")')]
            found |= {(table, one) for one in columns[: 2 if columns[0] in _OF_MANY else 1]}
    return found


def _ways_astray(sql: str, raw: Any, first: set[tuple[str, str]]) -> list[str]:
    """Say by which index else rows are found that are named by their keys, of a statement of Django's."""
    head = re.match(r'(?:SELECT .*? FROM|DELETE FROM|UPDATE) "(\w+)"', sql, re.DOTALL)
    asked = {(table or (head[1] if head else ""), name) for table, name in _NAMED.findall(sql)}
    named = {one for one in asked & first if one[1] not in _OF_MANY}
    if head is None or not named:
        return []
    filled = sql.replace("IN (%s)", _MANY).replace("%s", "'0'").replace("%%", "%")
    steps = [row[-1] for row in raw.execute(f"EXPLAIN QUERY PLAN {filled}")]
    return [
        f"{step}: say `beside(..)` of what else is asked in\n{sql}"
        for step in steps
        for table in {table for table, _name in named}
        if step.startswith(f"SEARCH {table} ")
        and not any(f"{name}=?" in step for where, name in named if where == table)
    ]
