"""Minutes for nothing for many clients: noted once, approved once, and given by a worker some clients at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils.translation import gettext as _, ngettext

from accounts.models import Client, User
from audit import actions
from audit.services import record
from billing.ledger import KeyReused, once
from billing.models import GrantRun
from billing.services.approvals import OwnRequest, decide, tell_agency
from billing.services.payments import grant
from convomono.lib.db import run_atomic
from convomono.lib.display import minutes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

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
    Note that clients are to be given minutes; a worker does it. The same key again is the same.

    Where a second person has to approve it, it waits for one decision on all of it.

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
            status=Status.WAITING if needs_approval else Status.QUEUED,
            needs_approval=needs_approval,
            clients_count=len(client_ids),
            asked_by_id=actor.pk,
            asked_by_email=actor.email,
            asked_at=now,
            **wanted,
        )
        details = {"seconds": seconds, "reason": reason, "clients": len(client_ids)}
        record(actions.GRANT_ASKED, resource=run, actor=actor, now=now, details=details)
        if needs_approval:
            _tell(run, _("%(asker)s asks for a second person: %(what)s"), now)
        return run

    return once(find=find, block=block)


def approve_grant(*, run_id: UUID, actor: User, now: datetime) -> GrantRun:
    """
    Approve a grant of somebody else, for all its clients; a worker gives it. Twice is once.

    :raises OwnRequest: if it is the asker who approves
    :raises RequestDecided: if it was refused
    """

    def block() -> GrantRun:
        run = GrantRun.objects.get(pk=run_id)
        if run.asked_by_id == actor.pk:
            raise OwnRequest
        if run.status in {Status.QUEUED, Status.DONE}:
            return run
        decide(run, Status.QUEUED, actor=actor, now=now, decided_by_id=actor.pk)
        record(actions.CREDIT_APPROVED, resource=run, actor=actor, now=now)
        _tell(run, _("%(by)s approved what %(asker)s asked for: %(what)s"), now)
        return run

    return run_atomic(block)


def refuse_grant(*, run_id: UUID, actor: User, now: datetime) -> GrantRun:
    """
    Refuse a grant; who asked may take it back that way. Twice is once.

    :raises RequestDecided: if it was approved
    """

    def block() -> GrantRun:
        run = GrantRun.objects.get(pk=run_id)
        if run.status == Status.REFUSED:
            return run
        decide(run, Status.REFUSED, actor=actor, now=now, decided_by_id=actor.pk)
        record(actions.CREDIT_REFUSED, resource=run, actor=actor, now=now)
        _tell(run, _("%(by)s refused what %(asker)s asked for: %(what)s"), now)
        return run

    return run_atomic(block)


def _tell(run: GrantRun, title: str, now: datetime) -> None:
    what = ngettext(
        "%(minutes)s minutes for %(n)d client",
        "%(minutes)s minutes for each of %(n)d clients",
        run.clients_count,
    ) % {"minutes": minutes(run.seconds), "n": run.clients_count}
    said = {"asker": run.asked_by_email, "by": run.decided_by_email, "what": what}
    tell_agency(title % said, key=f"grant:{run.pk}:{run.status}", now=now)


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
    actor = User.objects.get(pk=run.decided_by_id or run.asked_by_id)
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


def _give(run: GrantRun, client: Client, *, actor: User, now: datetime) -> bool:
    """Give one client the minutes; False if its key was used for something else."""
    about: dict[str, Any] = {"reason": run.reason, "valid_days": run.valid_days}
    try:
        grant(clients=[client], seconds=run.seconds, key=run.pk, actor=actor, now=now, **about)
    except KeyReused:
        return False
    return True
