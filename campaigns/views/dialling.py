"""How a campaign dials: retries by reason, calls back, and what stops it by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import client_manager, get_visible_or_404
from campaigns.forms.dialling import DiallingForm, initial_of
from campaigns.models import Campaign
from campaigns.queries.callbacks import callbacks_kept
from campaigns.services.policies import dialling_of, set_dialling
from convomono.lib import clock
from convomono.lib.answers import form_status

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_manager
@require_http_methods(["GET", "POST"])
def campaign_dialling(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    form = DiallingForm(request.POST or None, initial=initial_of(dialling_of(campaign)))
    if request.method == "POST" and form.is_valid():
        set_dialling(
            campaign=campaign, dialling=form.dialling(), actor=request.user, now=clock.now()
        )
        messages.success(request, _("Saved. It holds from the next call on."))
        return redirect("campaigns:campaign-dialling", campaign.pk)
    context = {
        "campaign": campaign,
        "form": form,
        "callbacks": callbacks_kept(campaign, now=clock.now()),
    }
    status = form_status(request)
    return render(request, "campaigns/campaign_dialling.html", context, status=status)
