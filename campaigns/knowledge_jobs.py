"""What workers do for knowledge bases: move many campaigns to a version, delete files nobody needs."""

from __future__ import annotations

from uuid import UUID

from campaigns import jobs
from campaigns.models import KnowledgeBase
from campaigns.services import knowledge_files, moving
from convomono.lib import clock
from convomono.lib.jobs import enqueue


def move_campaigns(*, base_id: str, actor_email: str, **_later: object) -> int:
    """
    Move the rest of the campaigns to the version that they get; returns how many are prepared again.

    Safe to run twice and to be killed: what is left is left, and the page of the version says how many.
    """
    base = KnowledgeBase.objects.filter(pk=UUID(base_id)).first()
    prepared, is_all = 0, base is None
    while base is not None and not is_all:
        moved = moving.move_campaigns(
            base=base, actor_email=actor_email, now=clock.now(), most_slices=1
        )
        for campaign in moved.campaigns:
            enqueue(jobs.prepare_agent, queue="calls", campaign_id=str(campaign.pk))
        prepared, is_all = prepared + len(moved.campaigns), moved.is_all
    return prepared


def purge_knowledge_files(**_later: object) -> int:
    """Delete the files that no version can need any more; returns how many."""
    return knowledge_files.purge_files(real_now=clock.real_now())
