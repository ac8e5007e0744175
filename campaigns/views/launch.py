"""The pre-flight check, and the button that launches."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy as lazy
from django.views.decorators.http import require_http_methods

from accounts.access import client_launcher, get_visible_or_404
from billing.services import InsufficientCredits
from campaigns.forms.approvals import AskForm
from campaigns.forms.campaign import LaunchForm
from campaigns.models import BatchCall, Campaign
from campaigns.preflight import preflight
from campaigns.queries.approvals import approvers, waiting_request
from campaigns.services import lifecycle
from campaigns.services.approving import needs_approval
from convomono.lib import clock
from convomono.lib.answers import form_status
from convomono.lib.display import brief_instant
from convomono.lib.ids import uuid7

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse
    from django.utils.functional import _StrPromise

    from accounts.access import ClientRequest
    from campaigns.preflight import Preflight


# Why a press launched nothing, in the words of the page that is shown again.
REFUSALS: dict[type[Exception], _StrPromise] = {
    lifecycle.LaunchRefused: lazy("Something has changed: it can't be launched like this."),
    lifecycle.LeadsChanged: lazy("More leads have come since: look at the figures again."),
    lifecycle.ApprovalNeeded: lazy("A launch of this size needs a second person: ask for it."),
    lifecycle.CampaignNotReady: lazy("Somebody edited the campaign: make it ready again."),
    lifecycle.LaunchKeyUsed: lazy("This page belongs to another launch: press again."),
    lifecycle.LaunchInProgress: lazy("Somebody else has just launched these leads."),
    lifecycle.NobodyWaits: lazy("Somebody else has just launched these leads."),
    InsufficientCredits: lazy("The balance has changed: look at the figures again."),
}


@client_launcher
@require_http_methods(["GET", "POST"])
def campaign_launch(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(
        request,
        Campaign.objects.select_related("client", "retry_policy", "calling_window"),
        campaign_id,
    )
    form = LaunchForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            batch_call = _launch(request, campaign, form)
        except tuple(REFUSALS) as refused:
            messages.error(request, REFUSALS[type(refused)])
        else:
            said = _("Launched. The first calls start now.")
            if batch_call.scheduled_at > clock.now():
                at = brief_instant(batch_call.scheduled_at)
                said = _("Launched. The first calls start at %(at)s.") % {"at": at}
            messages.success(request, said)
            return redirect("campaigns:campaign-detail", batch_call.campaign_id)
        return redirect("campaigns:campaign-launch", campaign.pk)
    status = form_status(request)
    context = launch_context(request, campaign)
    if request.method == "POST":
        # What was typed, with what is wrong in it; the figures are those of now.
        shown = cast("LaunchForm", context["form"]).initial
        context["form"] = LaunchForm({**shown, "starts_at": request.POST.get("starts_at", "")})
    return render(request, "campaigns/launch.html", context, status=status)


def _launch(request: ClientRequest, campaign: Campaign, form: LaunchForm) -> BatchCall:
    return lifecycle.launch_campaign(
        campaign=campaign,
        launch_key=form.cleaned_data["launch_key"],
        leads=form.cleaned_data["leads"],
        seconds=form.cleaned_data["seconds"],
        scheduled_at=form.cleaned_data["starts_at"],
        mode=form.cleaned_data["mode"] or BatchCall.Mode.DISPATCHER,
        actor=request.user,
        now=clock.now(),
        is_sandbox=settings.SANDBOX,
    )


def _mode(request: ClientRequest) -> str:
    """Return how the launch is to be dialled, as the address says; call by call unless it does."""
    asked = request.GET.get("mode", "")
    return asked if asked in BatchCall.Mode.values else BatchCall.Mode.DISPATCHER


def _check(campaign: Campaign, mode: str) -> Preflight:
    return preflight(
        campaign,
        clock.now(),
        is_sandbox=settings.SANDBOX,
        calls_per_second=settings.RETELL_CALLS_PER_SECOND,
        mode=mode,
    )


def launch_context(request: ClientRequest, campaign: Campaign) -> dict[str, object]:
    """Return the check before a launch, with the form to launch or to ask for it."""
    asked_mode = mode = _mode(request)
    check = _check(campaign, mode)
    asks = _asks(campaign, check)
    if asks and mode != BatchCall.Mode.DISPATCHER:
        # What a second person makes is dialled call by call: they may stop it.
        mode = BatchCall.Mode.DISPATCHER
        check = _check(campaign, mode)
        asks = _asks(campaign, check)
    return {
        "asks": asks,
        "ask_form": AskForm(initial={"request_id": uuid7()}),
        "waiting": waiting_request(campaign),
        "approvers": approvers(campaign.client_id, without=request.user.pk),
        "campaign": campaign,
        "check": check,
        "mode": mode,
        "is_mode_refused": mode != asked_mode,
        "modes": [
            {"label": label, "url": f"?mode={value}", "current": value == mode}
            for value, label in BatchCall.Mode.choices
        ],
        "form": LaunchForm(
            initial={
                "launch_key": uuid7(),
                "leads": check.counts.callable,
                "seconds": check.reserve_seconds,
                "mode": mode,
            }
        ),
        "findings": [(finding, fixes(campaign).get(finding.fix)) for finding in check.findings],
    }


def _asks(campaign: Campaign, check: Preflight) -> bool:
    return needs_approval(
        client_id=campaign.client_id, seconds=max(check.needed_seconds, check.reserve_seconds)
    )


def _step(campaign: Campaign, slug: str) -> str:
    return reverse("campaigns:campaign-step", args=[campaign.pk, slug])


def fixes(campaign: Campaign) -> dict[str, tuple[str, str]]:
    """Return where each kind of finding is put right: address and label."""
    return {
        "script": (_step(campaign, "script"), _("To the script")),
        "hours": (_step(campaign, "hours"), _("Change the hours")),
        "numbers": (_step(campaign, "numbers"), _("To the numbers")),
        "prepare": (_step(campaign, "test"), _("Make it ready")),
        "try": (_step(campaign, "test"), _("To the test call")),
        "upload": (
            f"{reverse('leads:import-create')}?campaign={campaign.pk}",
            _("Upload leads"),
        ),
        "billing": (reverse("billing:wallet"), _("Billing")),
    }
