"""The variables of a campaign's script: kind, need, default, length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import client_manager, get_visible_or_404
from campaigns import script
from campaigns.forms.variables import variable_forms
from campaigns.models import Campaign
from campaigns.services.variables import save_variables, variable_rules
from convomono.lib import clock
from convomono.lib.answers import INVALID

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_manager
@require_http_methods(["GET", "POST"])
def campaign_variables(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    forms = variable_forms(
        request.POST if request.method == "POST" else None,
        names=script.own_variables(*script.spoken(campaign)),
        rules=variable_rules(campaign.pk),
    )
    is_wrong = False
    if request.method == "POST":
        is_wrong = any(form.errors for form in forms)
        if not is_wrong:
            save_variables(
                campaign=campaign,
                rules=[form.rule() for form in forms],
                actor=request.user,
                now=clock.now(),
            )
            messages.success(
                request, _("Saved. Calls say it once the campaign is made ready again.")
            )
            return redirect("campaigns:campaign-detail", campaign.pk)
    context = {"campaign": campaign, "forms": forms}
    return render(
        request, "campaigns/campaign_variables.html", context, status=INVALID if is_wrong else 200
    )
