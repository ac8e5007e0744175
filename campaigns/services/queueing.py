"""A person's hand on the line of leads: move up, hold back, take out, and the undoing of each."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.enrolments import LIVE, move_enrolment
from campaigns.models import BatchCall, Enrolment
from campaigns.models.dialling import LINE_ORDER
from convomono.lib import live
from convomono.lib.db import on_commit, run_atomic
from convomono.lib.redis import ring

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from audit.services import Actor

Status = Enrolment.Status
# Nearer to the front than anybody: MongoDB keeps milliseconds.
_STEP = timedelta(milliseconds=1)


class NotInLine(Exception):
    """The lead is being called, is done, or isn't in the state that this changes (any more)."""


class NotDue(Exception):
    """The lead waits for a time (a retry, its hours): moving it up would call it no sooner."""


class LaunchIsOver(Exception):
    """The launch has finished or was stopped: nobody can be put back into its line."""


def move_up(*, enrolment: Enrolment, actor: Actor, now: datetime) -> None:
    """
    Put a lead that is due in front of everybody who waits in its launch.

    It is decided on like any other: hours, gaps and do-not-call lists hold.

    :raises NotDue: if its time hasn't come
    :raises NotInLine: if it doesn't wait (any more)
    """
    if enrolment.next_attempt_at > now:
        raise NotDue
    queued = Enrolment.objects.filter(
        batch_call_id=enrolment.batch_call_id, status=Status.QUEUED
    ).order_by(*LINE_ORDER)
    first_at = queued.values_list("next_attempt_at", flat=True).first() or now
    _change(
        enrolment,
        {"held_at": None},
        {
            "next_attempt_at": min(first_at, now) - _STEP,
            "moved_from": enrolment.moved_from or enrolment.next_attempt_at,
        },
        action=actions.LEAD_MOVED_UP,
        actor=actor,
        now=now,
    )


def move_back(*, enrolment: Enrolment, actor: Actor, now: datetime) -> None:
    """
    Put a lead that was moved up where it was.

    :raises NotInLine: if it wasn't moved up, or doesn't wait any more
    """
    if enrolment.moved_from is None:
        raise NotInLine
    columns = {"next_attempt_at": enrolment.moved_from, "moved_from": None}
    _change(enrolment, {}, columns, action=actions.LEAD_MOVED_BACK, actor=actor, now=now)


def hold_back(*, enrolment: Enrolment, actor: Actor, now: datetime) -> None:
    """
    Keep a lead in line and don't call it until it is released.

    :raises NotInLine: if it doesn't wait, or is held already
    """
    guards = {"held_at": None}
    _change(enrolment, guards, {"held_at": now}, action=actions.LEAD_HELD, actor=actor, now=now)


def let_go(*, enrolment: Enrolment, actor: Actor, now: datetime) -> None:
    """
    Let a lead that was held back be called again, in its old place.

    :raises NotInLine: if it isn't held, or doesn't wait any more
    """
    if enrolment.held_at is None:
        raise NotInLine
    columns = {"held_at": None}
    _change(enrolment, {}, columns, action=actions.LEAD_RELEASED, actor=actor, now=now)


def take_out(*, enrolment: Enrolment, actor: Actor, now: datetime) -> None:
    """
    Cancel a lead that waits; until its launch is over it can be put back.

    :raises NotInLine: if it doesn't wait (any more)
    """
    if enrolment.batch_call_id is None:
        raise NotInLine

    def block() -> None:
        moved = move_enrolment(
            enrolment_id=enrolment.pk,
            from_statuses=(Status.QUEUED,),
            to_status=Status.CANCELLED,
            now=now,
            guards=_as_read(enrolment),
            batch_call_id=enrolment.batch_call_id,
            removed_at=now,
        )
        if not moved:
            raise NotInLine
        _tell(enrolment, actions.LEAD_REMOVED, actor=actor, now=now)

    run_atomic(block)


def put_back(*, enrolment: Enrolment, actor: Actor, now: datetime) -> None:
    """
    Put a lead that was taken out back into its line, in its old place.

    :raises LaunchIsOver: if its launch has ended meanwhile
    :raises NotInLine: if nobody took it out by hand
    """

    batch_call_id = enrolment.batch_call_id
    if batch_call_id is None:
        raise NotInLine

    def block() -> None:
        # Written under the condition that it goes on, so that a stop or the end and this collide.
        open_launch = BatchCall.objects.filter(pk=batch_call_id, status__in=LIVE)
        if not open_launch.update(waiting_reason=""):
            raise LaunchIsOver
        moved = enrolment.removed_at is not None and move_enrolment(
            enrolment_id=enrolment.pk,
            from_statuses=(Status.CANCELLED,),
            to_status=Status.QUEUED,
            now=now,
            guards={"removed_at": enrolment.removed_at},
            batch_call_id=batch_call_id,
            removed_at=None,
        )
        if not moved:
            raise NotInLine
        _tell(enrolment, actions.LEAD_PUT_BACK, actor=actor, now=now)

    run_atomic(block)


def _as_read(enrolment: Enrolment) -> dict[str, Any]:
    # A claim writes the number of its attempt: who is being called isn't in line.
    return {
        "attempt_number": enrolment.attempt_number,
        "next_attempt_at": enrolment.next_attempt_at,
    }


def _change(
    enrolment: Enrolment,
    guards: dict[str, Any],
    columns: dict[str, Any],
    *,
    action: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Write columns of a lead that waits, by compare-and-set on what was read."""
    if enrolment.batch_call_id is None:
        raise NotInLine

    def block() -> None:
        same = {**_as_read(enrolment), "held_at": enrolment.held_at, **guards}
        changed = Enrolment.objects.filter(pk=enrolment.pk, status=Status.QUEUED, **same)
        if not changed.update(**columns):
            raise NotInLine
        _tell(enrolment, action, actor=actor, now=now)

    run_atomic(block)


def _tell(enrolment: Enrolment, action: str, *, actor: Actor, now: datetime) -> None:
    # The campaign and not the lead, whose name in the log would be a phone number.
    details = {"enrolment_id": str(enrolment.pk), "lead_id": str(enrolment.lead_id)}
    record(action, resource=enrolment.campaign, actor=actor, now=now, details=details)
    live.changed(campaign_id=enrolment.campaign_id)
    on_commit(lambda: ring("dispatcher"))
