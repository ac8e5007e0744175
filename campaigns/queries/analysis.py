"""The questions that a client's campaigns have read out of their calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.models import Campaign
from campaigns.settings_schema import with_defaults

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.models import Client
    from campaigns.settings_schema import AnalysisQuestion

MOST_CAMPAIGNS = 200


def analysis_questions(client: Client) -> list[tuple[UUID, AnalysisQuestion]]:
    """Return what the newest campaigns ask, each question with its campaign; one query."""
    rows = Campaign.objects.filter(client=client).exclude(status=Campaign.Status.ARCHIVED)
    newest = rows.order_by("-created_at", "-pk").values_list("pk", "settings")[:MOST_CAMPAIGNS]
    return [
        (campaign_id, question)
        for campaign_id, settings in newest
        for question in with_defaults(settings)["questions"]
    ]
