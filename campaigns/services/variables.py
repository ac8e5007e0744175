"""What a client says of a script's variables, and bringing it to the leads that wait already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.models import Campaign, Enrolment, ScriptVariable
from campaigns.variables import VariableRule, filled
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from audit.services import Actor

SLICE = 40


def variable_rules(campaign_id: UUID) -> list[VariableRule]:
    """Return what is said of a campaign's variables; one query."""
    rows = ScriptVariable.objects.filter(campaign_id=campaign_id).order_by("name")
    return [row.as_rule() for row in rows]


@atomic
def save_variables(
    *, campaign: Campaign, rules: Sequence[VariableRule], actor: Actor, now: datetime
) -> None:
    """Replace what is said of a campaign's variables; see `fill_waiting` for leads that wait already."""
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
    details = {"variables": [rule.name for rule in rules]}
    record(actions.CAMPAIGN_CHANGED, resource=campaign, actor=actor, now=now, details=details)


def fill_waiting(*, campaign_id: UUID, after: UUID | None) -> UUID | None:
    """
    Fill a slice of the leads that wait as the rules say now; return the last one's key, None at the end.

    A second time changes nothing.
    """
    rows = Enrolment.objects.filter(campaign_id=campaign_id, status=Enrolment.Status.QUEUED)
    part = list((rows.filter(pk__gt=after) if after else rows).order_by("pk")[:SLICE])
    if not part:
        return None
    rules = variable_rules(campaign_id)
    changed = []
    for row in part:
        said = filled(rules, row.dynamic_vars)
        if said != row.dynamic_vars:
            row.dynamic_vars = said
            changed.append(row)
    _write(changed)
    return part[-1].pk


@atomic
def _write(rows: Sequence[Enrolment]) -> None:
    for row in rows:
        Enrolment.objects.filter(pk=row.pk, status=Enrolment.Status.QUEUED).update(
            dynamic_vars=row.dynamic_vars
        )
