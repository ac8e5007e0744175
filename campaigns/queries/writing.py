"""What the pages that write a campaign read: leads to speak to, columns to name, numbers to call from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from campaigns import script
from campaigns.models import Campaign, Enrolment, KnowledgeBase
from campaigns.queries.knowledge import usable_bases
from campaigns.services.variables import variable_rules
from campaigns.settings_schema import languages, with_defaults
from campaigns.variables import said_values
from convomono.lib.pages import capped_count
from telephony.models import PhoneNumber

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.services.authoring import CampaignContent

# So many of a campaign's leads are offered to speak to, and looked at for their columns.
SAMPLE = 25
# Whom the preview speaks to before there is a lead.
EXAMPLE = {
    "first_name": "Ada",
    "last_name": "Byron",
    "full_name": "Ada Byron",
    "company": "Analytical Engines",
    "email": "ada@example.com",
    "phone_number": "+12125550142",
}


@dataclass(frozen=True)
class ScriptView:
    """What stands beside a script: what to look at, how it sounds to one person, how long it is."""

    problems: list[script.ScriptProblem]
    opening: str
    text: str
    speaks_to: str
    lead_id: str
    people: list[tuple[str, str]]  # id and name of leads to choose from
    variables: list[str]  # what every lead of this campaign fills
    own_columns: list[str]  # what only a column of a file can fill
    missing: list[str]  # of those, what this person has no value for
    size: script.PromptSize
    is_empty: bool


def script_view(
    *, campaign: Campaign, opening_line: str, script_raw: str, lead_id: str = ""
) -> ScriptView:
    """Read a script as one of the campaign's leads would hear it; three queries at most."""
    sample = list(_leads(campaign)[:SAMPLE])
    chosen = next((row for row in sample if str(row.lead_id) == lead_id), None)
    chosen = chosen or (sample[0] if sample else None)
    values = EXAMPLE if chosen is None else _values(campaign, chosen)
    known = {name for row in sample for name in row.dynamic_vars}
    left = script.left_message(campaign.settings)
    names = script.own_variables(opening_line, script_raw, left)
    own = script.unknown_variables(names, known=())
    problems = script.check(
        script=script_raw,
        opening_line=opening_line,
        business=campaign.client.name,
        languages=languages(with_defaults(campaign.settings)),
    )
    if sample:
        problems += [
            script.ScriptProblem("variable_unknown", False, _unknown(name))
            for name in script.unknown_variables(names, known=known)
        ]
    return ScriptView(
        problems=problems,
        opening=script.render(opening_line, values),
        text=script.render(script_raw, values),
        speaks_to=values.get("full_name") or values.get("phone_number", ""),
        lead_id=str(chosen.lead_id) if chosen else "",
        people=[(str(row.lead_id), str(row.lead)) for row in sample],
        variables=[*script.LEAD_VARIABLES, *sorted(known - set(script.LEAD_VARIABLES))],
        own_columns=own,
        missing=[name for name in names if chosen is not None and not values.get(name)],
        size=script.prompt_size(opening_line, script_raw),
        is_empty=not script_raw.strip() and not opening_line.strip(),
    )


def speak_to(campaign: Campaign, lead_id: str) -> dict[str, str]:
    """Return the variables of one of the campaign's leads, the newest without a choice."""
    sample = list(_leads(campaign)[:SAMPLE])
    chosen = next((row for row in sample if str(row.lead_id) == lead_id), None)
    chosen = chosen or (sample[0] if sample else None)
    return dict(EXAMPLE) if chosen is None else _values(campaign, chosen)


def _unknown(name: str) -> str:
    sentence = _("None of the leads looked at has a column {{%(name)s}}.")
    return sentence % {"name": name}


def _leads(campaign: Campaign) -> QuerySet[Enrolment]:
    rows = Enrolment.objects.filter(client_id=campaign.client_id, campaign_id=campaign.pk)
    return rows.select_related("lead").order_by("-pk")


def _values(campaign: Campaign, row: Enrolment) -> dict[str, str]:
    rules = variable_rules(campaign.pk)
    return said_values(rules, own=script.lead_values(row.lead), given=row.dynamic_vars)


def has_leads(campaign: Campaign) -> bool:
    """Tell whether anybody is enrolled."""
    return Enrolment.objects.filter(client_id=campaign.client_id, campaign_id=campaign.pk).exists()


def lead_totals(campaign: Campaign) -> tuple[str, str]:
    """Return how many leads there are and how many wait for a launch, "1,000+" above the limit."""
    rows = Enrolment.objects.filter(client_id=campaign.client_id, campaign_id=campaign.pk)
    waiting = rows.filter(status=Enrolment.Status.QUEUED, batch_call=None)
    return capped_count(rows), capped_count(waiting)


def base_choices(content: CampaignContent, client_id: UUID) -> list[tuple[str, str]]:
    """Return the knowledge bases a campaign may use, and the one it uses."""
    bases = usable_bases(client_id)
    if content.shared_base_id and content.shared_base_id not in {base.pk for base in bases}:
        bases += KnowledgeBase.objects.filter(client_id=client_id, pk=content.shared_base_id)
    label = _("%(name)s (version %(number)d)")
    return [(str(one.pk), label % {"name": one.name, "number": one.number}) for one in bases]


def number_choices(client_id: UUID) -> list[PhoneNumber]:
    """Return the numbers a client may call from."""
    rows = PhoneNumber.objects.in_use().filter(client_id=client_id)
    return list(rows.order_by("phone_number")[:200])
