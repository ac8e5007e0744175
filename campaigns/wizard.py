"""The steps in which a campaign is written: their order, which are done, and where somebody goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import _StrPromise

type State = Literal["done", "current", "todo"]


@dataclass(frozen=True)
class Step:
    """One page of the wizard; what is not `needed` has a default that holds."""

    slug: str
    label: _StrPromise
    needed: bool = False


STEPS = (
    Step("goal", _("Goal"), needed=True),
    Step("script", _("Script"), needed=True),
    Step("voice", _("Voice"), needed=True),
    Step("conversation", _("Conversation")),
    Step("knowledge", _("Knowledge")),
    Step("leads", _("Leads"), needed=True),
    Step("hours", _("Hours")),
    Step("attempts", _("Attempts")),
    Step("numbers", _("Numbers")),
    Step("analysis", _("Results")),
    Step("test", _("Try it"), needed=True),
)
SLUGS = tuple(step.slug for step in STEPS)


@dataclass(frozen=True)
class StepItem:
    """A step as `components/steps.html` takes it."""

    label: str
    state: State
    url: str
    slug: str


def is_done(slug: str, *, campaign: Campaign, has_leads: bool) -> bool:
    """Tell whether a step needs nothing more; one with sound defaults is done from the start."""
    return {
        "goal": bool(campaign.name),
        "script": bool(campaign.script_raw.strip()),
        "voice": bool(campaign.voice_id),
        "leads": has_leads,
        "test": campaign.status == Campaign.Status.READY,
    }.get(slug, True)


def resume_at(*, campaign: Campaign, has_leads: bool) -> str:
    """Return the first step that needs somebody; the last one when all are done."""
    for slug in SLUGS:
        if not is_done(slug, campaign=campaign, has_leads=has_leads):
            return slug
    return SLUGS[-1]


def neighbours(slug: str) -> tuple[str, str]:
    """Return the steps before and after this one; "" at the ends."""
    index = SLUGS.index(slug)
    before = SLUGS[index - 1] if index else ""
    after = SLUGS[index + 1] if index + 1 < len(SLUGS) else ""
    return before, after


def items(
    current: str, *, campaign: Campaign, has_leads: bool, urls: Mapping[str, str]
) -> list[StepItem]:
    """Return the line of steps above the page."""
    found = []
    for step in STEPS:
        done = is_done(step.slug, campaign=campaign, has_leads=has_leads)
        state: State = "current" if step.slug == current else ("done" if done else "todo")
        found.append(StepItem(str(step.label), state, urls[step.slug], step.slug))
    return found
