"""Putting a campaign away, with everything that would go on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.launch_requests import outdate_request
from campaigns.models import BatchCall, Campaign
from campaigns.services import experimenting, recurring
from campaigns.services.authoring import LIVE, CampaignLive
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor


@atomic
def archive_campaign(*, campaign: Campaign, actor: Actor, now: datetime) -> None:
    """
    Keep a campaign for its calls and reports alone; twice is once.

    New leads launch no more by themselves, and a trial ends, also one that waits for its variant at Retell.

    :raises CampaignLive: while a launch of it isn't over
    """
    live = BatchCall.objects.filter(
        client_id=campaign.client_id, campaign=campaign, status__in=LIVE
    )
    if live.exists():
        raise CampaignLive
    # A launch writes `launching_id` first, so one that began after the look above is seen here.
    archived = (
        Campaign.objects.filter(pk=campaign.pk, launching_id=None)
        .exclude(status=Campaign.Status.ARCHIVED)
        .update(status=Campaign.Status.ARCHIVED, archived_at=now, updated_at=now)
    )
    if archived:
        outdate_request(campaign_id=campaign.pk, now=now)
        recurring.end_top_up(campaign=campaign, actor=actor, now=now)
        experimenting.stop_for_new_version(campaign=campaign, actor=actor, now=now)
        record(actions.CAMPAIGN_ARCHIVED, resource=campaign, actor=actor, now=now)
    elif Campaign.objects.filter(pk=campaign.pk).exclude(launching_id=None).exists():
        raise CampaignLive
    campaign.refresh_from_db()
