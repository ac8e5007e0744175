"""The kill switch: stop everything or one client, with a receipt; and the end of calls in progress."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.dialling.gates import gate_key
from campaigns.dialling.handovers import waiting_at_retell
from campaigns.models import DialGate
from convomono.lib import live
from convomono.lib.db import atomic, insert_once, on_commit, run_atomic
from convomono.lib.keys import beside
from convomono.lib.redis import ring
from telephony.models import Call

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import Client
    from audit.services import Actor


ENDS_AT_ONCE = 25  # that one job hangs up


class AlreadyStopped(Exception):
    """Somebody was quicker: it is stopped."""


class NotStopped(Exception):
    """Nothing is stopped, so nothing can go on."""


@dataclass(frozen=True)
class Receipt:
    """
    What a stop came to: no dial was placed after `last_dialled_at` (None: there never was one).

    `in_progress` counts the calls that were going on; they end by themselves unless they are ended.
    `at_retell` counts people in lists that Retell dials by itself: those can't be recalled.
    """

    stopped_at: datetime
    last_dialled_at: datetime | None
    in_progress: int
    at_retell: int = 0


def stop_dialling(*, client: Client | None, reason: str, actor: Actor, now: datetime) -> Receipt:
    """
    Let no dial pass from the moment this returns, of a client or (without one) of anybody.

    :raises AlreadyStopped: if that gate is closed
    """
    gate = _gate(client)
    client_id = client.pk if client else None
    in_progress = _live_calls(client_id).count()
    at_retell = waiting_at_retell(client_id=client_id)

    def block() -> None:
        # Compare-and-set on the row that every dial writes: what comes later finds it closed.
        closed = DialGate.objects.filter(pk=gate.pk, is_open=True).update(
            is_open=False,
            stopped_at=now,
            stopped_by_email=actor.actor_email,
            reason=reason,
            in_progress_count=in_progress,
        )
        if not closed:
            raise AlreadyStopped
        gate.refresh_from_db()
        last = gate.last_dialled_at.isoformat() if gate.last_dialled_at else None
        details = {
            "reason": reason,
            "last_dialled_at": last,
            "in_progress": in_progress,
            "at_retell": at_retell,
        }
        record(
            actions.DIALLING_STOPPED, resource=client or gate, actor=actor, now=now, details=details
        )
        _tell()

    run_atomic(block)
    return Receipt(now, gate.last_dialled_at, in_progress, at_retell)


def resume_dialling(*, client: Client | None, actor: Actor, now: datetime) -> None:
    """
    Open the gate again; launches go on where they stopped.

    :raises NotStopped: if it is open
    """
    gate = _gate(client)

    def block() -> None:
        opened = DialGate.objects.filter(pk=gate.pk, is_open=False).update(
            is_open=True, reopened_at=now, reopened_by_email=actor.actor_email
        )
        if not opened:
            raise NotStopped
        record(actions.DIALLING_RESUMED, resource=client or gate, actor=actor, now=now)
        _tell()

    run_atomic(block)


def request_end(*, call: Call, actor: Actor, now: datetime) -> bool:
    """
    Have a call in progress hung up by a worker; False if it is over, or somebody asked before.

    What Retell reports of its end is applied as any other news.
    """

    def block() -> bool:
        asked = Call.objects.filter(pk=call.pk, status__in=Call.LIVE, end_requested_at=None).update(
            end_requested_at=now
        )
        if asked:
            record(actions.CALL_ENDED, resource=call, actor=actor, now=now)
            live.changed(campaign_id=call.campaign_id, call_id=call.pk)
        return bool(asked)

    return run_atomic(block)


def request_ends(
    *, client: Client | None, actor: Actor, now: datetime
) -> tuple[list[list[UUID]], int]:
    """
    Have every call in progress hung up, of a client or (without one) of all; return their keys in slices, and how many.

    One record of who wanted it, and short transactions, however many calls there are.
    """
    slices, marked = [], 0
    keys = list(
        _live_calls(client.pk if client else None)
        .filter(end_requested_at=None)
        .order_by("created_at", "pk")
        .values_list("pk", flat=True)
    )
    for some in batched(keys, ENDS_AT_ONCE):
        wanted = Call.objects.filter(
            beside(status__in=Call.LIVE), pk__in=some, end_requested_at=None
        )
        if ours := wanted.update(end_requested_at=now):
            slices.append(list(some))
            marked += ours
    if marked:
        _note_ends(client, marked, actor, now)
    return slices, marked


@atomic
def _note_ends(client: Client | None, calls: int, actor: Actor, now: datetime) -> None:
    details = {"calls": calls}
    resource = client or _gate(None)
    record(actions.CALLS_ENDED, resource=resource, actor=actor, now=now, details=details)
    live.changed()


def _live_calls(client_id: UUID | None) -> QuerySet[Call]:
    calls = Call.objects.filter(status__in=Call.LIVE)
    return calls if client_id is None else calls.filter(client_id=client_id)


def gate_of_everything() -> DialGate:
    """Return what every dial passes: what is audited of all clients at once is audited of it."""
    return _gate(None)


def _gate(client: Client | None) -> DialGate:
    key = gate_key(client.pk if client else None)
    found = DialGate.objects.filter(key=key).first()
    if found is None:
        insert_once(DialGate(key=key, client=client), "key")
        found = DialGate.objects.get(key=key)
    return found


def _tell() -> None:
    live.changed()
    on_commit(lambda: ring("dispatcher"))
