"""Minutes for nothing for many clients: noted once, and given by a worker some clients at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from django.db.models import Q

from accounts.models import Client, User
from audit import actions
from audit.services import record
from billing.ledger import KeyReused, once
from billing.models import CreditRequest, GrantRun
from billing.services.approvals import ask_credit
from billing.services.payments import grant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

Status = GrantRun.Status
AT_ONCE = 20
CLAIM = timedelta(minutes=5)
SAME = ("seconds", "reason", "valid_days", "client_ids")


def ask_grant(
    *,
    client_ids: Sequence[UUID],
    seconds: int,
    reason: str,
    valid_days: int | None,
    needs_approval: bool,
    key: UUID,
    actor: User,
    now: datetime,
) -> GrantRun:
    """
    Note that many clients are to be given minutes; a worker does it. The same key again is the same.

    :raises KeyReused: if the key has asked for another grant
    """
    wanted = {
        "seconds": seconds,
        "reason": reason,
        "valid_days": valid_days,
        "client_ids": sorted(str(client_id) for client_id in client_ids),
    }

    def find() -> GrantRun | None:
        first = GrantRun.objects.filter(pk=key).first()
        if first and any(getattr(first, name) != wanted[name] for name in SAME):
            raise KeyReused("This form has granted something else.")
        return first

    def block() -> GrantRun:
        run = GrantRun.objects.create(
            id=key,
            needs_approval=needs_approval,
            clients_count=len(client_ids),
            asked_by_id=actor.pk,
            asked_by_email=actor.email,
            asked_at=now,
            **wanted,
        )
        details = {"seconds": seconds, "reason": reason, "clients": len(client_ids)}
        record(actions.GRANT_ASKED, resource=run, actor=actor, now=now, details=details)
        return run

    return once(find=find, block=block)


def grant_slice(*, run_id: UUID, now: datetime) -> bool:
    """
    Give the next clients of a run their minutes; True when all have them, or another worker is on it.

    Each client is a block of its own. Killed anywhere, the same clients come again, and nobody gets
    anything twice: their keys are made of the run's.
    """
    run = GrantRun.objects.get(pk=run_id)
    claim = now + CLAIM
    mine = GrantRun.objects.filter(pk=run_id, status=Status.QUEUED, done_count=run.done_count)
    free = mine.filter(Q(claimed_until=None) | Q(claimed_until__lte=now))
    if not free.update(claimed_until=claim):
        return True
    actor = User.objects.get(pk=run.asked_by_id)
    some = run.client_ids[run.done_count : run.done_count + AT_ONCE]
    clients = Client.objects.filter(pk__in=some).select_related("wallet")
    refused = [
        client.name
        for client in clients.order_by("pk")
        if not _give(run, client, actor=actor, now=now)
    ]
    done = run.done_count + len(some)
    is_last = done >= len(run.client_ids)
    ended = {"status": Status.DONE, "finished_at": now} if is_last else {}
    mine.filter(claimed_until=claim).update(
        done_count=done,
        refused_names=[*run.refused_names, *refused],
        claimed_until=None,
        **ended,
    )
    return is_last


def grants_left_behind(*, now: datetime, most: int = 10) -> list[UUID]:
    """Return the grants that no worker is on, the first asked for first."""
    rows = GrantRun.objects.filter(status=Status.QUEUED)
    rows = rows.filter(Q(claimed_until=None) | Q(claimed_until__lte=now))
    return list(rows.order_by("asked_at", "pk").values_list("pk", flat=True)[:most])


def ask_for_grant(
    *,
    client: Client,
    seconds: int,
    reason: str,
    valid_days: int | None,
    key: UUID,
    actor: User,
    now: datetime,
) -> None:
    """
    Ask a second person for one client's part of a grant; once per client and `key`.

    :raises KeyReused: if the key has asked for something else
    """
    ask_credit(
        client=client,
        kind=CreditRequest.Kind.GRANT,
        seconds=seconds,
        details={"reason": reason, "grant_key": str(key), "valid_days": valid_days},
        key=uuid5(key, f"ask:{client.pk}"),
        actor=actor,
        now=now,
    )


def _give(run: GrantRun, client: Client, *, actor: User, now: datetime) -> bool:
    """Give one client the minutes, or ask for them; False if its key was used for something else."""
    asked: dict[str, Any] = {
        "seconds": run.seconds,
        "reason": run.reason,
        "valid_days": run.valid_days,
    }
    try:
        if run.needs_approval:
            ask_for_grant(client=client, key=run.pk, actor=actor, now=now, **asked)
        else:
            grant(clients=[client], key=run.pk, actor=actor, now=now, **asked)
    except KeyReused:
        return False
    return True
