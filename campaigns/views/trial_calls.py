"""A test call to a phone of one's own: asked for, watched until it rings, then on the page of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from accounts.access import client_manager, get_visible_or_404
from billing.services import InsufficientCredits
from campaigns.dialling.waiting import waiting_sentence
from campaigns.forms.trial_calls import TrialCallForm
from campaigns.models import Campaign, TrialCall
from campaigns.queries.versions import find_version
from campaigns.queries.writing import speak_to
from campaigns.services.trial_calls import (
    MOST_A_DAY,
    MOST_SECONDS,
    NoCallerNumber,
    TooManyTrials,
    TrialRefused,
    ask_trial_call,
)
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.display import minutes
from convomono.lib.htmx import render_page
from convomono.lib.ids import uuid7

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest
    from campaigns.models import CampaignVersion

SHOWN = 5


@client_manager
@require_http_methods(["GET", "POST"])
def trial_call(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.select_related("client"), campaign_id)
    version = find_version(campaign, campaign.published_version or 0)
    form = TrialCallForm(request.POST or None, initial={"key": uuid7()})
    refusals: list[str] = []
    if request.method == "POST" and version is not None and form.is_valid():
        try:
            trial = _ask(request, campaign, version, form)
        except TrialRefused as refused:
            refusals = [reason.sentence for reason in refused.reasons]
        except (TooManyTrials, NoCallerNumber, InsufficientCredits) as refused:
            refusals = [_sentence(refused)]
        else:
            return redirect("campaigns:trial-state", campaign.pk, trial.pk)
    context = {
        "campaign": campaign,
        "version": version,
        "form": form,
        "refusals": refusals,
        "trials": _latest(campaign),
        "most_seconds": MOST_SECONDS,
        "is_sandbox": settings.SANDBOX,
    }
    failed = request.method == "POST"
    return render_page(
        request,
        "campaigns/trial_call.html",
        context,
        partial="trial-call",
        status=INVALID if failed else 200,
    )


@client_manager
@require_GET
def trial_state(request: ClientRequest, campaign_id: UUID, trial_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    trials = TrialCall.objects.filter(campaign=campaign)
    trial = get_visible_or_404(request, trials, trial_id)
    if trial.call_id is not None:
        address = reverse("campaigns:call-detail", args=[trial.call_id])
        # A whole page takes the place of this one: a fragment of it won't do.
        is_fragment = request.headers.get("HX-Request")
        return HttpResponseClientRedirect(address) if is_fragment else redirect(address)
    context = {"campaign": campaign, "trial": trial}
    return render_page(request, "campaigns/trial_state.html", context, partial="trial-state")


def _ask(
    request: ClientRequest, campaign: Campaign, version: CampaignVersion, form: TrialCallForm
) -> TrialCall:
    data = form.cleaned_data
    return ask_trial_call(
        campaign=campaign,
        version=version,
        number=data["parsed"],
        variables=speak_to(campaign, data["lead"]),
        key=data["key"],
        is_sandbox=settings.SANDBOX,
        actor=request.user,
        now=clock.now(),
    )


def _latest(campaign: Campaign) -> list[TrialCall]:
    rows = TrialCall.objects.filter(client_id=campaign.client_id, campaign=campaign)
    return list(rows.order_by("-created_at", "-pk")[:SHOWN])


def _sentence(refused: Exception) -> str:
    if isinstance(refused, NoCallerNumber):
        return waiting_sentence(refused.code, facts={})
    if isinstance(refused, InsufficientCredits):
        return _("A test call sets %(needed)s minutes aside; %(free)s are available.") % {
            "needed": minutes(refused.needed_seconds),
            "free": minutes(refused.available_seconds),
        }
    return _("That were %(n)d test calls within a day: the next one can be made tomorrow.") % {
        "n": MOST_A_DAY
    }
