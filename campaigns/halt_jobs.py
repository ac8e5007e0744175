"""Resuming what a refusal of the agency's account paused: the first slice at once, the rest by a worker."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from accounts.models import User
from campaigns.services import resuming
from convomono.lib import clock
from convomono.lib.jobs import enqueue

if TYPE_CHECKING:
    from audit.services import Actor

PAUSE_SECONDS = 0.005


def resume_halted(*, reason: str, actor: Actor, now: datetime) -> int:
    """
    Let every launch go on that this refusal has paused until now, of all clients; return how many.

    :raises NothingHalted: if there is none
    """
    launches = resuming.note_resumed(reason=reason, actor=actor, now=now)
    if not resuming.resume_slice(reason=reason, before=now, actor=actor, now=now):
        enqueue(
            resume_rest,
            queue="calls",
            reason=reason,
            before=now.isoformat(),
            user_id=str(actor.actor_id),
        )
    return launches


def resume_rest(*, reason: str, before: str, user_id: str, **_later: object) -> None:
    """Resume the launches that are left; safe to run twice. Whatever a killed worker left stays on the page."""
    actor = User.objects.get(pk=UUID(user_id))
    until = datetime.fromisoformat(before)
    while not resuming.resume_slice(reason=reason, before=until, actor=actor, now=clock.now()):
        time.sleep(PAUSE_SECONDS)
