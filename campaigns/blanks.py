"""Variables of new words that nobody in line could fill: asked before running launches would speak them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from campaigns import script
from campaigns.launch_requests import live_launches
from campaigns.lead_counts import asked_of, each_said
from campaigns.models import BatchCall, Enrolment
from campaigns.services.launching import waiting_leads

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.lead_counts import Asked
    from campaigns.models import Campaign, CampaignVersion

_IN_LINE = (Enrolment.Status.QUEUED, Enrolment.Status.DIALLING, Enrolment.Status.IN_CALL)


@dataclass(frozen=True)
class Blanks:
    """What nobody fills who may be called: by running launch, and altogether."""

    by_launch: Mapping[UUID, list[str]]  # only launches that lack something
    nobody: list[
        str
    ]  # of those names: the ones that neither another launch nor somebody who waits fills

    @property
    def names(self) -> list[str]:
        """Return each name that some running launch lacks, once."""
        return list(dict.fromkeys(name for some in self.by_launch.values() for name in some))


NONE = Blanks({}, [])


def blanks_of(
    campaign: Campaign,
    words: Campaign | CampaignVersion,
    *,
    speaking: CampaignVersion | None = None,
) -> Blanks:
    """
    Return which variables of these words running launches of the campaign would leave blank in every call.

    As the pre-flight counts: whoever may be called, with the defaults as they are now. What a launch says
    already isn't asked for again, so that most edits read nobody; the rest is read until it is filled.
    One query if no launch runs. With `speaking`: of the launches that call with that version alone.
    """
    launches = live_launches(client_id=campaign.client_id, campaign_id=campaign.pk)
    if speaking is not None:
        launches = launches.filter(version=speaking)
    versions = launches.filter(mode=BatchCall.Mode.DISPATCHER).values_list(
        "pk", "version__variables"
    )
    said = {key: set(names) for key, names in versions}
    names = script.own_variables(*script.spoken(words))
    new = [name for name in names if any(name not in some for some in said.values())]
    if not new:
        return NONE
    asked = asked_of(campaign, new)
    lacks = _unfilled(campaign, _in_line(said), asked, expected=said)
    by_launch = {
        key: left
        for key, some in lacks.items()
        if key is not None and (left := [one for one in some if one not in said[key]])
    }
    if not by_launch:
        return NONE
    waiting = unfilled_by_waiting(campaign, asked)
    everywhere = [*by_launch.values(), *([] if waiting is None else [waiting])]
    if len(by_launch) < len(lacks):
        return Blanks(by_launch, [])
    return Blanks(by_launch, [one for one in new if all(one in some for some in everywhere)])


def unfilled_by_waiting(campaign: Campaign, asked: Asked) -> list[str] | None:
    """Return which variables nobody fills who waits for a launch and may be called; None if nobody does."""
    return _unfilled(campaign, waiting_leads(campaign).order_by(), asked, expected=[None]).get(None)


def blank_problems(campaign: Campaign) -> list[script.ScriptProblem]:
    """
    Return what running launches would have nothing for, of a campaign that is about to be published.

    A blocker if nobody has it; where those who wait for the next launch do, running ones keep their version.
    """
    found = blanks_of(campaign, campaign)
    nobody = _(
        "Launches run, and none of the leads has a value for {{%(name)s}}: mend the name, upload leads with "
        "such a column, or give it a default."
    )
    some = _(
        "Running launches keep their version: none of their leads has a value for {{%(name)s}}."
    )
    return [
        script.ScriptProblem("variable_unknown", True, nobody % {"name": name})
        if name in found.nobody
        else script.ScriptProblem("variable_held", False, some % {"name": name})
        for name in found.names
    ]


def _in_line(launches: Collection[UUID]) -> QuerySet[Enrolment]:
    rows = Enrolment.objects.filter(batch_call_id__in=list(launches), status__in=_IN_LINE)
    return rows.order_by()


def _unfilled(
    campaign: Campaign,
    rows: QuerySet[Enrolment],
    asked: Asked,
    *,
    expected: Collection[UUID | None],
) -> dict[UUID | None, list[str]]:
    """Return by launch what none of its callable leads fills; launches without any are left out."""
    left: dict[UUID | None, list[str]] = {}
    if not asked.names:
        return left
    for _stopped, said in each_said(campaign, rows, asked):
        for launch, values in said:
            names = left.setdefault(launch, asked.names)
            if names:
                left[launch] = [name for name in names if not values.get(name)]
        if len(left) == len(expected) and not any(left.values()):
            break
    return left
