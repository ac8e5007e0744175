"""Resuming, for all clients at once, what a refusal of the agency's account at the voice platform paused."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.dialling import waiting
from campaigns.models import BatchCall
from campaigns.services.steering import BatchCallNotPaused, resume_batch_call
from campaigns.services.stopping import gate_of_everything
from convomono.lib import live
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from audit.services import Actor

# Nothing of a client's: the agency mends it once for all.
OF_THE_AGENCY = (waiting.PAUSED_KEY, waiting.PAUSED_PAYMENT)
AT_ONCE = 100


class NothingHalted(Exception):
    """No launch is paused for this reason (any more)."""


def halted(reason: str) -> QuerySet[BatchCall]:
    """Return the launches of all clients that this refusal paused."""
    return BatchCall.objects.filter(status=BatchCall.Status.PAUSED, pause_reason=reason)


@atomic
def note_resumed(*, reason: str, actor: Actor, now: datetime) -> int:
    """
    Record that somebody resumes what this refusal paused; return how many launches that is.

    :raises NothingHalted: if there is none
    """
    launches = halted(reason).count()
    if not launches:
        raise NothingHalted
    details = {"reason": reason, "launches": launches}
    resource = gate_of_everything()
    record(actions.HALTED_RESUMED, resource=resource, actor=actor, now=now, details=details)
    live.changed()
    return launches


def resume_slice(*, reason: str, before: datetime, actor: Actor, now: datetime) -> bool:
    """
    Resume up to 100 launches that this refusal paused until `before`, each by itself; True when none is left.

    What is refused again meanwhile was paused later, and stays so.
    """
    rows = halted(reason).filter(paused_at__lte=before).order_by("paused_at", "pk")
    some = list(rows.select_related("campaign")[:AT_ONCE])
    for row in some:
        with suppress(BatchCallNotPaused):  # somebody was quicker, or stopped it
            resume_batch_call(batch_call=row, actor=actor, now=now, reasons=(reason,))
    return len(some) < AT_ONCE
