"""A campaign made from another: its words, how it dials, and what was said of its variables."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.models import RetryPolicy
from campaigns.services.authoring import CampaignContent, content_of, make_campaign
from campaigns.services.policies import dialling_of, write_dialling
from campaigns.services.variables import save_variables, variable_rules
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor
    from campaigns.models import Campaign

# What no page sets; it comes along all the same.
_KEPT = ("technical_delay_seconds", "gap_seconds")


@atomic
def duplicate_campaign(*, campaign: Campaign, name: str, actor: Actor, now: datetime) -> Campaign:
    """
    Create a draft with the same content under another name; leads, agent and new-lead launches stay behind.

    Its retries, circuit breaker, speed and variables are those of the first.
    """
    copy = make_campaign(
        client_id=campaign.client_id,
        content=CampaignContent(**{**asdict(content_of(campaign)), "name": name}),
        actor=actor,
        now=now,
        template_id=campaign.template_id,
        template_number=campaign.template_number,
    )
    details = {"from": str(campaign.pk)}
    record(actions.CAMPAIGN_DUPLICATED, resource=copy, actor=actor, now=now, details=details)
    write_dialling(campaign=copy, dialling=dialling_of(campaign))
    kept = {one: getattr(campaign.retry_policy, one) for one in _KEPT}
    RetryPolicy.objects.filter(campaign=copy).update(**kept)
    if rules := variable_rules(campaign.pk):
        save_variables(campaign=copy, rules=rules, actor=actor, now=now)
    return copy
