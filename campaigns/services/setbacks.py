"""What becomes of a campaign whose agent couldn't be had: tried again, or a draft that its people hear of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from campaigns.models import Campaign, KnowledgeBase
from campaigns.services import preparing
from convomono.lib.db import run_atomic
from telephony.models import VoiceAgent

if TYPE_CHECKING:
    from datetime import datetime

# With the minute between two tries Retell may be away for ten minutes.
MOST_TRIES = 10


def try_later(*, campaign: Campaign, agent: VoiceAgent, now: datetime) -> bool:
    """
    Leave a campaign `preparing` while Retell is busy or away; False once it was tried often enough.

    `resume_campaigns` comes back a minute later; an edit that came meanwhile has a run of its own.
    """
    VoiceAgent.objects.filter(pk=agent.pk).update(tries_count=F("tries_count") + 1)
    agent.refresh_from_db(fields=["tries_count"])
    if agent.tries_count >= MOST_TRIES:
        return False
    Campaign.objects.filter(
        pk=campaign.pk, status=Campaign.Status.PREPARING, updated_at=campaign.updated_at
    ).update(
        prepare_error=_(
            "Retell can't be reached just now. It is tried again each minute by itself: nothing is lost."
        ),
        updated_at=now,
    )
    return True


def give_up(*, campaign: Campaign, sentence: str, now: datetime) -> None:
    """
    Make a campaign a draft again and tell its client's people what to do, in one block. Twice is once.

    They are told once until it is ready again: whoever presses the button meanwhile sees it on the page.
    """

    def block() -> None:
        preparing.put_back(campaign=campaign, sentence=sentence, now=now)
        drafts = Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.DRAFT)
        if drafts.filter(updated_at=now).exists():
            _tell(campaign, sentence, now)

    run_atomic(block)


def _tell(campaign: Campaign, sentence: str, now: datetime) -> None:
    notify(
        client=campaign.client,
        level=Notification.Level.BAD,
        title=_("%(campaign)s could not be made ready and is a draft now")
        % {"campaign": campaign.name},
        body=sentence,
        url=f"/app/campaigns/{campaign.pk}/edit/test/",
        key=f"campaign.put_back:{campaign.pk}:{campaign.published_version or 0}",
        now=now,
    )


def why_not_indexed(campaign: Campaign) -> str:
    """Return what to do about knowledge that Retell doesn't have: the campaign's own, or a shared one."""
    own, shared = campaign.knowledge_base, campaign.shared_base
    failed = KnowledgeBase.Status.ERROR
    # Its own is sent first: while that fails, nobody looked at the shared one.
    if shared is None or shared.status != failed or (own is not None and own.status == failed):
        return _("Retell could not read the knowledge text. Shorten it and try again.")
    return _("The knowledge base “%(name)s” can't be used. %(why)s") % {
        "name": shared.name,
        "why": shared.error[:300],
    }
