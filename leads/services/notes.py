"""What people write down about a lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from convomono.lib.db import atomic
from leads.models import Lead, LeadNote

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor


@atomic
def add_note(*, lead: Lead, text: str, actor: Actor, now: datetime) -> LeadNote | None:
    """Keep a note about a lead, with who wrote it; None of a person who was erased meanwhile."""
    # The write lets an erasure that goes on at this moment collide with this on MongoDB too.
    if not Lead.objects.filter(pk=lead.pk, erased_at=None).update(erased_at=None):
        return None
    note = LeadNote.objects.create(
        client_id=lead.client_id,
        lead=lead,
        text=text,
        author_email=actor.actor_email,
        created_at=now,
    )
    record(actions.LEAD_NOTED, resource=lead, actor=actor, now=now)
    return note
