"""What is wrong with the words of a trial: the check of a script, and variables that somebody would hear blank."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from campaigns import script
from campaigns.blanks import blanks_of, unfilled_by_waiting
from campaigns.lead_counts import asked_of
from campaigns.models import Enrolment
from campaigns.settings_schema import languages, with_defaults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from campaigns.lead_counts import Asked
    from campaigns.models import Campaign, CampaignVersion

# So many of a campaign's leads are looked at for their columns where nobody waits.
SAMPLE = 25


def trial_problems(
    *, campaign: Campaign, control: CampaignVersion, changes: Mapping[str, str]
) -> list[script.ScriptProblem]:
    """
    Return what is wrong with the words of a trial (blockers) and which notices they lack (to be confirmed).

    Another voice alone says what was checked before. What the control says already isn't asked for again.
    """
    if not {"script_raw", "opening_line"} & changes.keys():
        return []
    words = copy.copy(control)  # never saved
    for name, value in changes.items():
        setattr(words, name, value)
    problems = script.check(
        script=words.script_raw,
        opening_line=words.opening_line,
        business=campaign.client.name,
        languages=languages(with_defaults(control.settings)),
    )
    sentence = _(
        "None of the leads who would hear it has a value for {{%(name)s}}: mend the name, or give it a default."
    )
    return problems + [
        script.ScriptProblem("variable_unknown", True, sentence % {"name": name})
        for name in _unfilled(campaign, control, words)
    ]


def _unfilled(campaign: Campaign, control: CampaignVersion, words: CampaignVersion) -> list[str]:
    """Return the variables that some launch which would draw the trial, or those who wait, can't fill."""
    names = script.own_variables(*script.spoken(words))
    new = [name for name in names if name not in control.variables]
    if not new:
        return []
    asked = asked_of(campaign, new)
    lacks = set(blanks_of(campaign, words, speaking=control).names)
    waiting = unfilled_by_waiting(campaign, asked)
    # Leads who come later may have nothing either: new launches draw the trial too.
    lacks.update(_unknown(campaign, asked) if waiting is None else waiting)
    return [name for name in new if name in lacks]


def _unknown(campaign: Campaign, asked: Asked) -> list[str]:
    """Return what neither a lead's fields, a default, nor the columns of the newest leads fill; one query."""
    rows = Enrolment.objects.filter(client_id=campaign.client_id, campaign_id=campaign.pk)
    columns = rows.order_by("-pk").values_list("dynamic_vars", flat=True)[:SAMPLE]
    known = {name for row in columns for name in row}
    known.update(rule.name for rule in asked.rules if rule.default)
    return script.unknown_variables(asked.names, known)
