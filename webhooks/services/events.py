"""What people do with events: let one that failed be tried again, or many be replayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from audit import actions
from audit.services import record
from convomono.lib.db import IntegrityError, atomic, on_commit, run_atomic
from webhooks.doorbell import ring_drains
from webhooks.models import ReplayRun, WebhookEvent

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User
    from audit.services import Actor


class EventNotDead(Exception):
    """Somebody asked to replay an event that hasn't failed, or can't be read at all."""


class ReplayUnderWay(Exception):
    """Somebody asked for a second rebuild of everything while one waits or runs."""


@atomic
def replay_event(*, event: WebhookEvent, actor: Actor, now: datetime) -> None:
    """
    Let the drain try a dead event five times more.

    :raises EventNotDead: if it isn't dead (any more), or is no event at all
    """
    # Compare-and-set: of two people who press the button one replays it.
    dead = WebhookEvent.objects.filter(pk=event.pk, status=WebhookEvent.Status.DEAD)
    changed = dead.exclude(event_type="").update(
        status=WebhookEvent.Status.PENDING, attempts=0, next_try_at=now, error=""
    )
    if not changed:
        raise EventNotDead
    record(actions.WEBHOOK_REPLAYED, resource=event, actor=actor, now=now)
    on_commit(ring_drains)


@atomic
def set_aside(*, event: WebhookEvent, actor: Actor, now: datetime) -> None:
    """
    Say of a dead event that nothing is to be done about it: it counts as failed no more.

    :raises EventNotDead: if it isn't dead (any more)
    """
    error = _("Set aside by %(person)s. %(error)s")
    changed = WebhookEvent.objects.filter(pk=event.pk, status=WebhookEvent.Status.DEAD).update(
        status=WebhookEvent.Status.IGNORED,
        processed_at=now,
        error=(error % {"person": actor.actor_email, "error": event.error})[:400],
    )
    if not changed:
        raise EventNotDead
    record(actions.WEBHOOK_SET_ASIDE, resource=event, actor=actor, now=now)


@dataclass(frozen=True, kw_only=True)
class ReplayWish:
    """What somebody wants replayed; of a rebuild of everything only the kind counts."""

    kind: str
    is_dry_run: bool = True
    received_from: datetime | None = None
    received_until: datetime | None = None
    provider_call_id: str = ""


def ask_replay(*, wish: ReplayWish, actor: User, now: datetime) -> ReplayRun:
    """
    Order a replay; a worker does it and the row says when it is done.

    :raises ReplayUnderWay: if a rebuild of everything waits or runs already
    """
    is_only = wish.kind == ReplayRun.Kind.EVERYTHING
    run = ReplayRun(
        **vars(wish),
        only_key=wish.kind if is_only else None,
        asked_by_email=actor.email,
        created_at=now,
    )

    def block() -> None:
        run.save(force_insert=True)
        details = {"kind": wish.kind, "dry": wish.is_dry_run, "call": wish.provider_call_id}
        record(actions.REPLAY_ORDERED, resource=run, actor=actor, now=now, details=details)

    try:
        run_atomic(block)
    except IntegrityError:  # two presses at once
        raise ReplayUnderWay from None
    return run
