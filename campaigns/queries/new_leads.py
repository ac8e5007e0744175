"""What leads wait for that are in no launch: somebody's approval, or the time at which they are launched by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count
from django.utils.translation import gettext as _

from campaigns.models import Enrolment, LaunchRequest, TopUp
from convomono.lib.display import brief_instant

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from campaigns.models import Campaign


def new_leads_sentence(
    top_up: TopUp | None, request: LaunchRequest | None, *, now: datetime
) -> str:
    """Say what becomes of a campaign's new leads, and what stood against it; empty if a person has to launch them."""
    held = _held(top_up)
    if request is not None:
        at = brief_instant(request.asked_at)
        said = _("One was asked for at %(at)s and waits for somebody's approval.") % {"at": at}
        return f"{said} {held}".strip()
    if top_up is None or held:
        return held
    if not top_up.is_active:
        return top_up.last_result if top_up.was_refused else ""
    if top_up.next_at <= now:
        said = _("New leads are launched by themselves in a moment.")
    else:
        at = brief_instant(top_up.next_at)
        said = _("New leads are launched by themselves at %(at)s.") % {"at": at}
    if not top_up.was_refused:
        return said
    facts = {"at": brief_instant(top_up.last_at), "why": top_up.last_result}
    refused = _("The last time, at %(at)s, they were not: %(why)s") % facts
    return f"{said} {refused}"


def is_held(top_up: TopUp | None) -> bool:
    """Tell whether somebody paused the launching of new leads by themselves."""
    return top_up is not None and top_up.is_active and top_up.paused_at is not None


def recurs(top_up: TopUp | None) -> bool:
    """Tell whether new leads are launched by themselves: there is something to pause between launches."""
    return top_up is not None and top_up.is_active and top_up.paused_at is None


def _held(top_up: TopUp | None) -> str:
    if top_up is None or not is_held(top_up):
        return ""
    facts = {"who": top_up.paused_by_email, "when": brief_instant(top_up.paused_at)}
    return (
        _(
            "New leads are not launched by themselves: %(who)s paused that at %(when)s. Resume it to go on."
        )
        % facts
    )


def top_up_of(campaign: Campaign) -> TopUp | None:
    """Return how its new leads are launched by themselves; no query where it was read together with the campaign."""
    return getattr(campaign, "top_up", None)


@dataclass(frozen=True)
class NewLeads:
    """How many leads of a campaign are in no launch, and what becomes of them."""

    count: int
    sentence: str


def new_leads(campaign: Campaign, *, now: datetime) -> NewLeads:
    """Return who waits for a launch of a campaign, which comes with its top-up; two queries."""
    waiting = Enrolment.objects.filter(
        client_id=campaign.client_id,
        campaign=campaign,
        status=Enrolment.Status.QUEUED,
        batch_call=None,
    )
    request = LaunchRequest.objects.filter(live_key=str(campaign.pk)).first()
    said = new_leads_sentence(top_up_of(campaign), request, now=now)
    return NewLeads(waiting.aggregate(number=Count("pk"))["number"], said)


def new_leads_sentences(
    client_id: UUID, campaign_ids: Collection[UUID], *, now: datetime
) -> dict[UUID, str]:
    """Say it of some campaigns of one client; two queries."""
    top_ups = TopUp.objects.filter(client_id=client_id, campaign_id__in=campaign_ids)
    by_campaign = {row.campaign_id: row for row in top_ups}
    rows = LaunchRequest.objects.filter(live_key__in=[str(one) for one in campaign_ids])
    asked = {row.campaign_id: row for row in rows}
    return {
        one: new_leads_sentence(by_campaign.get(one), asked.get(one), now=now)
        for one in campaign_ids
    }
