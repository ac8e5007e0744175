"""Templates, as the agency's pages and a new campaign's first step show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Q
from django.utils.translation import gettext as _, ngettext

from campaigns.dialling.breaking import OFF
from campaigns.models import Campaign, CampaignTemplate, TemplateVersion
from campaigns.queries.rule_words import clock_hours, weekday_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from campaigns.services.templates import TemplateContent

MOST_OFFERED = 50
MOST_FOUND = 20
MOST_VERSIONS = 50


@dataclass(frozen=True)
class TemplateRow:
    """A template in the agency's list, with how many campaigns were made from it."""

    template: CampaignTemplate
    used_count: int


def offered_to(client_id: UUID) -> list[CampaignTemplate]:
    """Return what a client may start from, by name. One query."""
    rows = CampaignTemplate.objects.filter(status=CampaignTemplate.Status.OFFERED)
    for_them = rows.filter(Q(only_for=None) | Q(only_for=client_id))
    return list(for_them.order_by("name", "pk")[:MOST_OFFERED])


def template_rows(templates: Sequence[CampaignTemplate]) -> list[TemplateRow]:
    """Return a page of templates with the campaigns that were made from each. One query."""
    keys = [str(row.pk) for row in templates]
    counted = Campaign.objects.filter(template_id__in=keys).order_by().values_list("template_id")
    used = dict(counted.annotate(number=Count("pk")))
    return [TemplateRow(row, used.get(str(row.pk), 0)) for row in templates]


def campaigns_to_start_from(search: str) -> list[Campaign]:
    """Return campaigns with words in them whose name, or whose client's, has this in it; newest first."""
    if not search:
        return []
    rows = Campaign.objects.select_related("client").exclude(script_raw="")
    found = rows.filter(Q(name__icontains=search) | Q(client__name__icontains=search))
    return list(found.order_by("-created_at", "-pk")[:MOST_FOUND])


def dialling_facts(content: TemplateContent) -> list[tuple[str, str]]:
    """Return how campaigns made from it dial, as pairs of words; no query."""
    campaign, dialling, safety = content.campaign, content.dialling, content.dialling.safety
    shares = (
        (safety.failed_percent, _("%(n)d %% of calls that fail")),
        (safety.opted_out_percent, _("%(n)d %% of people who opt out")),
        (safety.negative_percent, _("%(n)d %% of people in a bad mood")),
    )
    stops = [words % {"n": percent} for percent, words in shares if percent < OFF]
    if safety.missed_disclosures:
        words = ngettext(
            "%(n)d call without what must be said first",
            "%(n)d calls without what must be said first",
            safety.missed_disclosures,
        )
        stops.append(words % {"n": safety.missed_disclosures})
    if safety.talk_minutes_per_hour:
        stops.append(_("%(n)d minutes of talk in an hour") % {"n": safety.talk_minutes_per_hour})
    delays = (
        (campaign.busy_delay_seconds, _("%(wait)s after busy")),
        (campaign.no_answer_delay_seconds, _("%(wait)s after no answer")),
        (campaign.voicemail_delay_seconds, _("%(wait)s after voicemail")),
        (campaign.declined_delay_seconds, _("%(wait)s after declined")),
    )
    own = len(dialling.dispositions)
    times = [
        *([_("at another time of the day")] if dialling.is_other_time_of_day else []),
        *([_("not on weekends")] if dialling.is_business_days else []),
        *(
            [
                ngettext("%(n)d reason has its own rule", "%(n)d reasons have their own rule", own)
                % {"n": own}
            ]
            if own
            else []
        ),
    ]
    hours = clock_hours(campaign.opens_minute, campaign.closes_minute)
    facts = [
        (_("Hours"), f"{weekday_names(campaign.weekdays)}, {hours}"),
        (_("Attempts per lead"), str(campaign.max_attempts)),
        (
            _("Tried again"),
            ", ".join([*(words % {"wait": _wait(seconds)} for seconds, words in delays), *times]),
        ),
        (_("Stops by itself at"), ", ".join(stops) or _("nothing")),
    ]
    if stops:
        looked_at = {"window": safety.window_calls, "least": safety.least_calls}
        facts.append((_("Looks at"), _("the last %(window)d calls, from %(least)d on") % looked_at))
    if dialling.calls_per_minute:
        facts.append((_("New calls in a minute"), str(dialling.calls_per_minute)))
    return facts


def _wait(seconds: int) -> str:
    """Write a pause in hours where it is whole ones, else in minutes."""
    hours, rest = divmod(seconds, 3600)
    return (
        _("%(n)d min") % {"n": seconds // 60} if rest or not hours else _("%(n)d h") % {"n": hours}
    )


def versions_of(template: CampaignTemplate) -> list[TemplateVersion]:
    """Return a template's versions, newest first."""
    rows = TemplateVersion.objects.filter(template=template).order_by("-number")
    return list(rows.defer("content")[:MOST_VERSIONS])
