"""The first step of a campaign that isn't there yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import client_manager
from campaigns.forms.campaign import NewCampaignForm
from campaigns.services import lifecycle
from campaigns.services.authoring import CampaignContent
from campaigns.starters import STARTERS, find_starter
from convomono.lib import clock

if TYPE_CHECKING:
    from django.http import HttpResponse

    from accounts.access import ClientRequest

INVALID = 422


@client_manager
@require_http_methods(["GET", "POST"])
def campaign_create(request: ClientRequest) -> HttpResponse:
    choices = [(one.slug, f"{one.label} – {one.about}") for one in STARTERS]
    choices.append(("", _("An empty page – you write every word.")))
    form = NewCampaignForm(
        request.POST if request.method == "POST" else None,
        content=CampaignContent(name=""),
        templates=choices,
    )
    if request.method == "POST" and form.is_valid():
        content = lifecycle.started_content(
            name=form.cleaned_data["name"],
            goal=form.cleaned_data["goal"],
            starter=find_starter(form.cleaned_data["template"]),
            business=request.tenant.name,
        )
        campaign = lifecycle.create_campaign(
            client=request.tenant, content=content, actor=request.user, now=clock.now()
        )
        return redirect("campaigns:campaign-step", campaign.pk, "script")
    status = INVALID if form.is_bound else 200
    return render(request, "campaigns/campaign_create.html", {"form": form}, status=status)
