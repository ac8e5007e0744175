"""What people do with events: let one that failed be tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from convomono.lib.db import atomic, on_commit
from convomono.lib.redis import ring
from webhooks.doorbell import BELL
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor


class EventNotDead(Exception):
    """Somebody asked to replay an event that hasn't failed, or can't be read at all."""


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
    on_commit(lambda: ring(BELL))
