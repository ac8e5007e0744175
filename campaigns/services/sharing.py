"""What part of the shared lines a client is granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.models import ClientShare
from convomono.lib.db import IntegrityError, atomic

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client
    from audit.services import Actor


def set_share(
    *, client: Client, weight: int, least_lines: int, actor: Actor, now: datetime
) -> bool:
    """
    Grant a client a part of the lines, from the next free one on; tell whether it changed.

    Calls in progress go on: a larger part is filled as lines fall free.
    """
    wanted = {"weight": weight, "least_lines": least_lines}
    if ClientShare.objects.filter(client=client, **wanted).exists():
        return False
    by = {"changed_by_email": actor.actor_email, "changed_at": now}

    @atomic
    def block() -> None:
        if not ClientShare.objects.filter(client=client).update(**wanted, **by):
            ClientShare.objects.create(client=client, **wanted, **by)
        record(actions.CLIENT_CHANGED, resource=client, actor=actor, now=now, details=wanted)

    try:
        block()
    except IntegrityError:  # somebody else has just granted the first one
        block()
    return True
