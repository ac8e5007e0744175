"""The status of leads: each change leaves a line of history in its own transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convomono.lib.bulk import insert_rows, new_row
from convomono.lib.ids import uuid7
from leads.models import Lead, LeadStatusChange

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

Why = LeadStatusChange.Why
PLATFORM = "dispatcher"  # who writes what calls come to, as in the audit log


@dataclass(frozen=True)
class Cause:
    """Why a status changes, by whom (an actor's e-mail or part of the platform), and when."""

    why: LeadStatusChange.Why
    by_email: str
    at: datetime


def move_leads(rows: QuerySet[Lead], *, to: str, cause: Cause, **columns: Any) -> int:
    """
    Give leads, at most 200, a status and these columns; return how many were written.

    Inside the caller's atomic block. Those that have the status already get no line of history.
    """
    there = list(rows.values_list("pk", "client_id", "status"))
    written = Lead.objects.filter(pk__in=[pk for pk, _client_id, _status in there]).update(
        status=to, **columns
    )
    insert_rows(
        [
            status_line(lead_id=pk, client_id=client_id, before=before, after=to, cause=cause)
            for pk, client_id, before in there
            if before != to
        ]
    )
    return written


def status_line(
    *, lead_id: UUID, client_id: UUID, before: str, after: str, cause: Cause
) -> LeadStatusChange:
    """Return the line that tells of a change, for whoever writes the lead in a way of their own."""
    return new_row(
        LeadStatusChange,
        id=uuid7(),
        client_id=client_id,
        lead_id=lead_id,
        before=str(before),
        after=str(after),
        why=str(cause.why),
        changed_by_email=cause.by_email,
        created_at=cause.at,
    )
