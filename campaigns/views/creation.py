"""The first step of a campaign that isn't there yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import client_manager
from campaigns.forms.campaign import NewCampaignForm
from campaigns.queries.templates import offered_to
from campaigns.services import lifecycle
from campaigns.services.authoring import CampaignContent
from campaigns.services.templates import start_from_template
from campaigns.starters import STARTERS, find_starter
from convomono.lib import clock
from convomono.lib.answers import INVALID

if TYPE_CHECKING:
    from django.http import HttpResponse

    from accounts.access import ClientRequest
    from campaigns.models import Campaign, CampaignTemplate


@client_manager
@require_http_methods(["GET", "POST"])
def campaign_create(request: ClientRequest) -> HttpResponse:
    offered = {str(one.pk): one for one in offered_to(request.tenant.pk)}
    choices = [
        (key, f"{one.name} – {one.about}" if one.about else one.name)
        for key, one in offered.items()
    ]
    choices += [(one.slug, f"{one.label} – {one.about}") for one in STARTERS]
    choices.append(("", _("An empty page – you write every word.")))
    form = NewCampaignForm(
        request.POST if request.method == "POST" else None,
        content=CampaignContent(name=""),
        templates=choices,
    )
    if request.method == "POST" and form.is_valid():
        campaign = _create(request, form, offered.get(form.cleaned_data["template"]))
        return redirect("campaigns:campaign-step", campaign.pk, "script")
    status = INVALID if form.is_bound else 200
    return render(request, "campaigns/campaign_create.html", {"form": form}, status=status)


def _create(
    request: ClientRequest, form: NewCampaignForm, template: CampaignTemplate | None
) -> Campaign:
    words = {"name": form.cleaned_data["name"], "goal": form.cleaned_data["goal"]}
    made: dict[str, Any] = {"client": request.tenant, "actor": request.user, "now": clock.now()}
    if template:
        return start_from_template(template=template, **words, **made)
    slug = form.cleaned_data["template"]
    content = lifecycle.started_content(
        starter=find_starter(slug), business=request.tenant.name, **words
    )
    return lifecycle.create_campaign(content=content, template_id=slug, **made)
