"""What people write down about a lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from convomono.lib.db import atomic
from leads.models import LeadNote

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor
    from leads.models import Lead


@atomic
def add_note(*, lead: Lead, text: str, actor: Actor, now: datetime) -> LeadNote:
    """Keep a note about a lead, with who wrote it."""
    note = LeadNote.objects.create(
        client_id=lead.client_id,
        lead=lead,
        text=text,
        author_email=actor.actor_email,
        created_at=now,
    )
    record(actions.LEAD_NOTED, resource=lead, actor=actor, now=now)
    return note
