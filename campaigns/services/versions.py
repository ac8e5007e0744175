"""Going back to an earlier version of a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.launch_requests import outdate_request
from campaigns.models import Campaign, KnowledgeBase
from campaigns.services.authoring import CampaignArchived
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from audit.services import Actor
    from campaigns.models import CampaignVersion


@atomic
def restore_version(
    *, campaign: Campaign, version: CampaignVersion, actor: Actor, now: datetime
) -> None:
    """
    Put a version's words, voice, settings and knowledge back into the campaign, as a draft.

    Publishing it makes the next version: history only grows. Running launches keep theirs meanwhile.
    Hours, attempts and leads stay as they are.

    :raises CampaignArchived: if it was archived (meanwhile)
    """
    saved = (
        Campaign.objects.filter(pk=campaign.pk)
        .exclude(status=Campaign.Status.ARCHIVED)
        .update(
            script_raw=version.script_raw,
            opening_line=version.opening_line,
            voice_id=version.voice_id,
            voice_name=version.voice_name,
            settings=version.settings,
            knowledge_base_id=_kept(campaign, version.knowledge_base_id),
            shared_base_id=_kept(campaign, version.shared_base_id),
            status=Campaign.Status.DRAFT,
            prepare_error="",
            updated_at=now,
        )
    )
    if not saved:
        raise CampaignArchived
    outdate_request(campaign_id=campaign.pk, now=now)
    record(
        actions.CAMPAIGN_RESTORED,
        resource=campaign,
        actor=actor,
        now=now,
        details={"version": version.number},
    )
    campaign.refresh_from_db()


def _kept(campaign: Campaign, base_id: UUID | None) -> UUID | None:
    """Return the id of a knowledge base that is still there."""
    if base_id is None:
        return None
    bases = KnowledgeBase.objects.filter(client_id=campaign.client_id, pk=base_id)
    return base_id if bases.exists() else None
