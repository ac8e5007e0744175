"""What open pages show, part by part: the same templates that their pages are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.queries.live import live_page
from convomono.lib import live

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class Rights:
    """Of a client's person, what decides how a part looks; equal ones share one rendering."""

    client_id: UUID
    zone: str
    may_manage: bool
    may_launch: bool


class Part:
    """
    A piece of a page that changes by itself; equal parts are rendered once.

    `topics` are what it changes with. `render` returns the HTML of each element by its id.
    """

    @property
    def topics(self) -> tuple[str, ...]:
        raise NotImplementedError

    def render(self, *, now: datetime) -> dict[str, str]:
        raise NotImplementedError

    def spoken(self, _turns: list[dict[str, Any]]) -> dict[str, str]:
        """Return what shows the turns of a call in progress; most parts show none."""
        return {}


def fragments(names: Mapping[str, str], context: dict[str, Any]) -> dict[str, str]:
    """Render each element: its id is the name of the partial too (`house-style`: three places)."""
    return {
        element: render_to_string(f"{template}#{element}", context)
        for element, template in names.items()
    }


@dataclass(frozen=True)
class CampaignPart(Part):
    """The live page of a campaign."""

    campaign_id: UUID
    rights: Rights

    ELEMENTS: ClassVar[dict[str, str]] = {
        "campaign-why": "campaigns/live_head.html",
        "campaign-buttons": "campaigns/live_head.html",
        "campaign-progress": "campaigns/live_head.html",
        "campaign-figures": "campaigns/live_figures.html",
        "campaign-equation": "campaigns/equation.html",
        "on-line": "campaigns/live_calls.html",
        "just-ended": "campaigns/live_calls.html",
        "launches": "campaigns/launches.html",
    }

    @property
    def topics(self) -> tuple[str, ...]:
        return (live.topic("campaign", self.campaign_id),)

    def render(self, *, now: datetime) -> dict[str, str]:
        campaign = Campaign.objects.get(pk=self.campaign_id, client_id=self.rights.client_id)
        with timezone.override(ZoneInfo(self.rights.zone)):
            context = {
                "campaign": campaign,
                "page": live_page(campaign, now=now),
                "may_manage": self.rights.may_manage,
                "may_launch": self.rights.may_launch,
            }
            return fragments(self.ELEMENTS, context)
