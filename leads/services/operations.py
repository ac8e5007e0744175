"""Changes to many leads as people ask for them: begun, cancelled, taken back."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from audit import actions
from audit.services import record
from convomono.lib.db import atomic, compare_and_set
from convomono.lib.jobs import enqueue
from leads.jobs import JOB_SECONDS, work_on_operation
from leads.models import UNDO_FOR, Lead, LeadOperation
from leads.operations.list_file import take_list
from leads.operations.work import drop_list, run_operation

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor
    from leads.imports.work import Pace
    from leads.models import OperationParams

Kind = LeadOperation.Kind
Status = LeadOperation.Status


class UndoRefused(Exception):
    """It is too old, hasn't ended, is undone already, or there is nothing to take back."""


@atomic
def start_operation(
    *,
    client: Client,
    kind: str,
    params: OperationParams,
    total: int,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> LeadOperation:
    """Begin a change to many leads, which a job makes; `total` is how many were shown on the button."""
    operation = LeadOperation.objects.create(
        client=client,
        kind=kind,
        params=params,
        total_count=total,
        created_by_email=actor.actor_email,
        progressed_at=real_now,
        created_at=now,
    )
    details = {key: value for key, value in params.items() if key not in {"ids", "filters"}}
    record(
        actions.LEADS_EXPORTED if kind == Kind.EXPORT else actions.LEADS_OPERATION_STARTED,
        resource=operation,
        actor=actor,
        now=now,
        details={"kind": kind, "leads": total, **details},
    )
    _enqueue(operation)
    return operation


def delete_lead(*, lead: Lead, actor: Actor, pace: Pace, now: datetime) -> bool:
    """
    Delete one lead at once, as a change that can be undone for 30 days; False if it is in use and stays.

    Who was called, or waits in a launch, is part of the calls' history.
    """
    operation = start_operation(
        client=lead.client,
        kind=Kind.DELETE,
        params={"ids": [str(lead.pk)]},
        total=1,
        actor=actor,
        now=now,
        real_now=pace.real_now(),
    )
    run_operation(operation=operation, pace=pace, now=now)
    return not Lead.objects.filter(pk=lead.pk).exists()


def start_listing(
    *,
    client: Client,
    stream: IO[bytes],
    country: str,
    reason: str,
    campaign: tuple[UUID, str] | None = None,
    actor: Actor,
    now: datetime,
    real_now: datetime,
) -> LeadOperation:
    """
    Begin to put the numbers of a file on the client's do-not-call list.

    With a `campaign` of the client's, its id and name, they go on that campaign's list.

    :raises FileRefused: with a sentence, if it is no list
    """
    # Before the block: storing a file may take long.
    stored, reading, total = take_list(stream, client_id=client.pk, country=country)
    params: OperationParams = {"country": country, "reason": reason, "reading": reading}
    if campaign is not None:
        params |= {"campaign_id": str(campaign[0]), "campaign": campaign[1]}
    return _begin_listing(
        LeadOperation(
            client=client,
            kind=Kind.LIST,
            params=params,
            stored_name=stored,
            total_count=total,
            created_by_email=actor.actor_email,
            progressed_at=real_now,
            created_at=now,
        ),
        actor=actor,
        now=now,
    )


@atomic
def _begin_listing(operation: LeadOperation, *, actor: Actor, now: datetime) -> LeadOperation:
    operation.save(force_insert=True)
    names = ("reason", "campaign_id", "campaign")
    told = {name: operation.params[name] for name in names if name in operation.params}
    details = {"lines": operation.total_count, **told}
    record(actions.SUPPRESSIONS_IMPORTED, resource=operation, actor=actor, now=now, details=details)
    _enqueue(operation)
    return operation


@atomic
def cancel_operation(*, operation: LeadOperation, actor: Actor, now: datetime) -> bool:
    """Stop where it is; what was changed stays and can be undone. False if it has ended."""
    cancelled = LeadOperation.objects.filter(
        pk=operation.pk, status__in=(Status.QUEUED, Status.RUNNING)
    ).update(status=Status.CANCELLED, finished_at=now)
    if cancelled:
        drop_list(operation)
        record(actions.LEADS_OPERATION_CANCELLED, resource=operation, actor=actor, now=now)
    return bool(cancelled)


def may_undo(operation: LeadOperation, *, now: datetime) -> bool:
    """Tell whether an operation can still be taken back."""
    ended = operation.status in {Status.DONE, Status.CANCELLED, Status.FAILED}
    recent = operation.created_at > now - UNDO_FOR
    return operation.kind != Kind.EXPORT and ended and recent and operation.changed_count > 0


@atomic
def undo_operation(
    *, operation: LeadOperation, actor: Actor, now: datetime, real_now: datetime
) -> None:
    """
    Take a change back; a job does it, and leaves leads that were touched since as they are.

    :raises UndoRefused: see there; of two people who ask at once one is refused
    """
    if not may_undo(operation, now=now):
        raise UndoRefused
    # An undo that failed goes on behind the rows that it has taken back.
    cursor_id = operation.cursor_id if operation.undone_by_email else None
    begun = compare_and_set(
        operation,
        "status",
        status=Status.UNDOING,
        cursor_at=None,
        cursor_id=cursor_id,
        undone_by_email=actor.actor_email,
        progressed_at=real_now,
        tries_count=0,
        error="",
        finished_at=None,
    )
    if not begun:
        raise UndoRefused
    record(actions.LEADS_OPERATION_UNDONE, resource=operation, actor=actor, now=now)
    _enqueue(operation)


def _enqueue(operation: LeadOperation) -> None:
    enqueue(
        work_on_operation,
        queue="imports",
        timeout_seconds=JOB_SECONDS,
        operation_id=operation.pk,
    )
