"""The live page of a campaign, and the buttons on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import (
    can_manage,
    client_launcher,
    client_manager,
    client_viewer,
    get_visible_or_404,
)
from campaigns.forms.lists import EnrolmentFilterForm
from campaigns.leasing import lease_look
from campaigns.models import BatchCall, Campaign, TopUp
from campaigns.queries.leads import enrolment_list, enrolment_page, with_sentences
from campaigns.queries.live import last_dialled_at, live_page, newest_launches
from campaigns.queries.progress import at_retell, unrecalled
from campaigns.services import lifecycle
from convomono.lib import clock
from convomono.lib.display import exact_instant
from convomono.lib.htmx import render_page

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from accounts.access import ClientRequest


@client_viewer
@require_GET
def campaign_detail(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    # Launches know their campaign: one look for both.
    launches = BatchCall.objects.visible_to(request.user).select_related("campaign__top_up")
    newest = newest_launches(campaign_id, launches)
    campaign = (
        newest[0].campaign
        if newest
        else get_visible_or_404(request, Campaign.objects.select_related("top_up"), campaign_id)
    )
    context = {
        "campaign": campaign,
        "page": live_page(
            campaign,
            now=clock.now(),
            nobody_dials=lease_look.nobody_dials(real_now=clock.real_now()),
            newest=newest,
        ),
        "may_manage": can_manage(request.user),
        "may_launch": can_manage(request.user) and request.user.can_launch,
        # "Hold still" on the page: for those who read more slowly than it changes.
        "updates": request.GET.get("updates") != "off",
    }
    return render_page(request, "campaigns/campaign_detail.html", context, partial="campaign-live")


@client_viewer
@require_GET
def campaign_leads(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    form = EnrolmentFilterForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    rows = enrolment_list(
        campaign,
        status=asked.get("status", ""),
        search=asked.get("q", ""),
        launched=asked.get("launched", ""),
        far=asked.get("far", ""),
    )
    page = enrolment_page(rows, token=request.GET.get("page"))
    context = {
        "campaign": campaign,
        "form": form,
        "page": page,
        "rows": with_sentences(page.rows, now=clock.now()),
        "is_filtered": any(asked.values()),
        "may_manage": can_manage(request.user),
    }
    return render_page(request, "campaigns/campaign_leads.html", context, partial="enrolment-table")


@client_manager
@require_POST
def campaign_pause(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    try:
        paused = lifecycle.pause_campaign(campaign=campaign, actor=request.user, now=clock.now())
    except lifecycle.BatchCallNotRunning:
        messages.info(request, _("It wasn't dialling."))
    else:
        _tell_paused(request, paused)
    return redirect("campaigns:campaign-detail", campaign.pk)


def _tell_paused(request: HttpRequest, paused: list[BatchCall]) -> None:
    if not paused:  # between two launches of new leads
        messages.success(request, _("Paused: new leads are launched once you resume it."))
        return
    said = _("Paused. Calls in progress go on; no new one starts.")
    if at_retell(paused):
        said = _("Paused. Calls in progress go on.")
    messages.success(request, said)
    tell_last_dial(request, last_dialled_at(paused), at_retell(paused))


def tell_last_dial(request: HttpRequest, last_dialled: datetime | None, in_lists: int) -> None:
    """Say which dial was the last, or that so many people in lists are dialled all the same."""
    if in_lists:
        messages.error(request, unrecalled(in_lists))
    else:
        messages.info(request, last_dial(last_dialled))


def last_dial(last_dialled: datetime | None) -> str:
    """
    Say which dial was the last, once a stop is committed.

    Each dial writes its instant under the condition that its launch runs, so none can come after it.
    """
    if last_dialled is None:
        return _("No call was dialled before, and none is from now on.")
    when = exact_instant(last_dialled)
    return _("The last call was dialled at %(when)s, and none after it.") % {"when": when}


@client_launcher
@require_POST
def campaign_resume(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    try:
        resumed = lifecycle.resume_campaign(campaign=campaign, actor=request.user, now=clock.now())
    except lifecycle.BatchCallNotPaused:
        messages.info(request, _("It wasn't paused."))
    else:
        said = _("It goes on where it stopped.")
        messages.success(
            request, said if resumed else _("New leads are launched by themselves again.")
        )
    return redirect("campaigns:campaign-detail", campaign.pk)


@client_manager
@require_http_methods(["GET", "POST"])
def campaign_stop(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    if request.method == "GET":
        context = {
            "campaign": campaign,
            "page": live_page(campaign, now=clock.now()),
            "has_top_up": TopUp.objects.filter(campaign=campaign, is_active=True).exists(),
        }
        return render(request, "campaigns/campaign_stop.html", context)
    try:
        stopped = lifecycle.stop_campaign(campaign=campaign, actor=request.user, now=clock.now())
    except lifecycle.BatchCallOver:
        messages.info(request, _("It was over already."))
        return redirect("campaigns:campaign-detail", campaign.pk)
    if not stopped:
        messages.success(request, _("New leads are no longer launched by themselves."))
    else:
        waiting = sum(row.queued_count for row in stopped)
        sentence = ngettext(
            "Stopped: %(n)d lead is no longer called.",
            "Stopped: %(n)d leads are no longer called.",
            waiting,
        )
        messages.success(request, sentence % {"n": waiting})
        tell_last_dial(request, last_dialled_at(stopped), at_retell(stopped))
    return redirect("campaigns:campaign-detail", campaign.pk)
