"""What a client says of a script's variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.launch_requests import outdate_request
from campaigns.models import Campaign, ScriptVariable
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from audit.services import Actor
    from campaigns.variables import VariableRule


def variable_rules(campaign_id: UUID) -> list[VariableRule]:
    """Return what is said of a campaign's variables; one query."""
    rows = ScriptVariable.objects.filter(campaign_id=campaign_id).order_by("name")
    return [row.as_rule() for row in rows]


def rules_of(campaign_ids: Iterable[UUID]) -> dict[UUID, list[VariableRule]]:
    """Return what is said of the variables of several campaigns; one query."""
    found: dict[UUID, list[VariableRule]] = {key: [] for key in campaign_ids}
    for row in ScriptVariable.objects.filter(campaign_id__in=list(found)).order_by("name"):
        found[row.campaign_id].append(row.as_rule())
    return found


@atomic
def save_variables(
    *, campaign: Campaign, rules: Sequence[VariableRule], actor: Actor, now: datetime
) -> bool:
    """
    Replace what is said of a campaign's variables; tell if it changed.

    Defaults are words that people hear, so a campaign that is ready becomes a draft by it, and calls say it
    with the next version. The leads' values stay as they were given: a wrong rule is mended by another.
    """
    if variable_rules(campaign.pk) == sorted(rules, key=lambda rule: rule.name):
        return False
    replace_rules(campaign=campaign, rules=rules)
    published = (Campaign.Status.READY, Campaign.Status.PREPARING)
    edited = Campaign.objects.filter(pk=campaign.pk, status__in=published)
    edited.update(status=Campaign.Status.DRAFT, prepare_error="", updated_at=now)
    outdate_request(campaign_id=campaign.pk, now=now)
    details = {"variables": [rule.name for rule in rules]}
    record(actions.CAMPAIGN_CHANGED, resource=campaign, actor=actor, now=now, details=details)
    campaign.refresh_from_db()
    return True


def replace_rules(*, campaign: Campaign, rules: Iterable[VariableRule]) -> None:
    """Write rules in place of all that there were, inside the caller's block."""
    ScriptVariable.objects.filter(client_id=campaign.client_id, campaign=campaign).delete()
    ScriptVariable.objects.bulk_create(
        ScriptVariable(
            client_id=campaign.client_id,
            campaign=campaign,
            name=rule.name,
            kind=rule.kind,
            is_required=rule.is_required,
            default=rule.default,
            max_chars=rule.max_chars,
        )
        for rule in rules
    )
