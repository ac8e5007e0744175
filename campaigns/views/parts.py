"""Parts of a campaign's live page that it asks for by themselves, once it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.views.decorators.http import require_GET

from accounts.access import can_manage, client_viewer, get_visible_or_404
from campaigns.models import Campaign
from campaigns.queries.equipment import equipment
from campaigns.queries.launches import minutes_of
from campaigns.queries.new_leads import new_leads
from campaigns.queries.outlook import live_launches
from campaigns.services.outlooks import outlook_of
from convomono.lib import clock
from convomono.lib.htmx import render_page, wants_fragment

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest
    from campaigns.models import BatchCall
    from campaigns.queries.outlook import Outlook

# htmx takes the answer and asks no more.
ASK_NO_MORE = 286


@client_viewer
@require_GET
def campaign_outlook(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.select_related("top_up"), campaign_id)
    launches = live_launches(campaign.client_id, campaign.pk)
    context = {
        "campaign": campaign,
        "launches": launches,
        "outlook": _outlook(launches),
        "is_paused": all(row.status == "paused" for row in launches),
        "minutes": minutes_of(launches),
        "new_leads": new_leads(campaign, now=clock.now()),
    }
    return _part(request, "campaigns/campaign_outlook.html", context, "campaign-outlook", launches)


@client_viewer
@require_GET
def campaign_end(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    """When a campaign is likely to be through, in a few words for a row of the home page."""
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    launches = live_launches(campaign.client_id, campaign.pk)
    context = {
        "campaign": campaign,
        "launches": launches,
        "outlook": _outlook(launches),
        "is_paused": all(row.status == "paused" for row in launches),
    }
    return _part(request, "campaigns/campaign_end.html", context, "campaign-end", launches)


@client_viewer
@require_GET
def campaign_equipment(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    context = {
        "campaign": campaign,
        "equipment": equipment(campaign, now=clock.now()),
        "may_manage": can_manage(request.user),
    }
    return render_page(
        request, "campaigns/campaign_equipment.html", context, partial="campaign-equipment"
    )


def _outlook(launches: list[BatchCall]) -> Outlook | None:
    if not launches:
        return None
    return outlook_of(
        launches,
        is_sandbox=settings.SANDBOX,
        calls_per_second=settings.RETELL_CALLS_PER_SECOND,
        now=clock.now(),
        real_now=clock.real_now(),
    )


def _part(
    request: ClientRequest,
    template: str,
    context: dict[str, object],
    partial: str,
    launches: list[BatchCall],
) -> HttpResponse:
    is_last = not launches and wants_fragment(request)
    return render_page(
        request, template, context, partial=partial, status=ASK_NO_MORE if is_last else 200
    )
