"""Templates, as the agency's pages and a new campaign's first step show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Q

from campaigns.models import Campaign, CampaignTemplate, TemplateVersion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

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


def versions_of(template: CampaignTemplate) -> list[TemplateVersion]:
    """Return a template's versions, newest first."""
    rows = TemplateVersion.objects.filter(template=template).order_by("-number")
    return list(rows.defer("content")[:MOST_VERSIONS])
