"""Launching a campaign's new leads again and again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import client_launcher, get_visible_or_404
from campaigns.forms.top_up import TopUpForm
from campaigns.models import Campaign, TopUp
from campaigns.services.authoring import CampaignArchived
from campaigns.services.recurring import set_top_up
from convomono.lib import clock
from convomono.lib.answers import form_status

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_launcher
@require_http_methods(["GET", "POST"])
def campaign_top_up(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    now = clock.now()
    row = TopUp.objects.filter(campaign=campaign).first()
    form = TopUpForm(request.POST or None, now=now, initial=_initial(row, now))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            set_top_up(
                campaign=campaign,
                is_active=data["is_active"],
                every_minutes=data["every_minutes"],
                next_at=data["next_at"],
                most_seconds=data["most_minutes"] * 60,
                actor=request.user,
                now=now,
            )
        except CampaignArchived:
            messages.error(request, _("It is archived: its new leads are launched no more."))
            return redirect("campaigns:campaign-detail", campaign.pk)
        messages.success(request, _("Saved."))
        return redirect("campaigns:campaign-top-up", campaign.pk)
    status = form_status(request)
    context = {"campaign": campaign, "form": form, "top_up": row}
    return render(request, "campaigns/campaign_top_up.html", context, status=status)


def _initial(row: TopUp | None, now: datetime) -> dict[str, object]:
    if row is None:
        tomorrow = (now + timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
        return {"next_at": tomorrow, "every_minutes": 24 * 60, "most_minutes": 100}
    return {
        "is_active": row.is_active,
        "next_at": row.next_at,
        "every_minutes": row.every_minutes,
        "most_minutes": row.most_seconds // 60,
    }
