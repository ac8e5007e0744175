"""The campaign list, and what a press of a button does to a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.contrib import messages
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_visible_or_404
from campaigns.forms.lists import CampaignBulkForm, CampaignFilterForm
from campaigns.leasing import lease_look
from campaigns.models import Campaign
from campaigns.queries.approvals import waiting_requests
from campaigns.queries.campaigns import campaign_list as listed, campaign_rows, campaigns_that
from campaigns.queries.ranking import sorted_campaigns
from campaigns.services import lifecycle
from campaigns.views.lists import view_tabs
from convomono.lib import clock
from convomono.lib.htmx import render_page
from convomono.lib.pages import list_page
from leads.forms.table import SaveViewForm
from leads.lead_table import saved_views
from leads.models import SavedView

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_viewer
@require_GET
def campaign_list(request: ClientRequest) -> HttpResponse:
    form = CampaignFilterForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    status = asked.get("status", "")
    rows = listed(
        Campaign.objects.visible_to(request.user),
        search=asked.get("q", ""),
        status=status,
        among=campaigns_that(request.tenant.pk, status),
    )
    rows = sorted_campaigns(rows, asked.get("sort", ""), request.tenant.pk)
    page = list_page(rows, request.GET.get("page"), size=20)
    views = saved_views(request.user, SavedView.List.CAMPAIGNS)
    opened = request.GET.get("view", "")
    asked_for = waiting_requests(request.tenant.pk)
    context = {
        "form": form,
        "tabs": view_tabs(views, opened),
        "view": next((one for one in views if str(one.pk) == opened), None),
        "save_form": SaveViewForm(initial={"query": form.query()}),
        "query": form.query(),
        "page": page,
        "rows": campaign_rows(
            page.rows,
            now=clock.now(),
            asked=asked_for,
            nobody_dials=lease_look.nobody_dials(real_now=clock.real_now()),
        ),
        "is_filtered": any(asked.values()),
        "may_manage": can_manage(request.user),
        "requests_waiting": len(asked_for),
    }
    return render_page(
        request, "campaigns/campaign_list.html", context, partial="campaign-table-swap"
    )


@client_manager
@require_POST
def campaign_duplicate(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    return _open_copy(request, _duplicate(campaign, request))


def _duplicate(campaign: Campaign, request: ClientRequest) -> Campaign:
    name = _("%(name)s (copy)") % {"name": campaign.name[:110]}
    return lifecycle.duplicate_campaign(
        campaign=campaign, name=name, actor=request.user, now=clock.now()
    )


def _open_copy(request: ClientRequest, copy: Campaign) -> HttpResponse:
    messages.success(request, _("This is the copy: a draft without leads."))
    return redirect("campaigns:campaign-edit", copy.pk)


@client_manager
@require_POST
def campaign_archive(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    try:
        lifecycle.archive_campaign(campaign=campaign, actor=request.user, now=clock.now())
    except lifecycle.CampaignLive:
        messages.error(request, _("It still dials: stop it first, then archive it."))
    else:
        messages.success(request, _("Archived. Its calls and reports stay."))
    return redirect("campaigns:campaign-detail", campaign.pk)


@client_manager
@require_POST
def campaign_bulk(request: ClientRequest) -> HttpResponse:
    """Do the same with all the chosen campaigns; say how many, and name those left as they were."""
    form = CampaignBulkForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose campaigns first, then what to do with them."))
        return redirect("campaigns:campaign-list")
    do = form.cleaned_data["do"]
    if do == "compare":
        chosen = urlencode({"campaign": form.cleaned_data["campaign"]}, doseq=True)
        return redirect(f"{reverse('campaigns:campaign-compare')}?{chosen}")
    mine = Campaign.objects.visible_to(request.user).order_by("pk")
    rows = list(mine.filter(pk__in=form.cleaned_data["campaign"]))
    if do == "duplicate":
        return _duplicate_all(request, rows)
    done, left = 0, []
    for campaign in rows:
        try:
            if do == "pause":
                lifecycle.pause_campaign(campaign=campaign, actor=request.user, now=clock.now())
            else:
                lifecycle.archive_campaign(campaign=campaign, actor=request.user, now=clock.now())
        except (lifecycle.BatchCallNotRunning, lifecycle.CampaignLive):
            left.append(campaign.name)
        else:
            done += 1
    if done:
        said = ngettext("Done for %(n)d campaign.", "Done for %(n)d campaigns.", done)
        messages.success(request, said % {"n": done})
    if left:
        sentence = (
            _("Not dialling, so not paused: %(names)s.")
            if do == "pause"
            else _("Still dialling, so not archived: %(names)s. Stop them first.")
        )
        messages.info(request, sentence % {"names": ", ".join(left)})
    return redirect("campaigns:campaign-list")


def _duplicate_all(request: ClientRequest, rows: list[Campaign]) -> HttpResponse:
    copies = [_duplicate(campaign, request) for campaign in rows]
    if len(copies) == 1:
        return _open_copy(request, copies[0])
    messages.success(request, _("%(n)d copies made: drafts without leads.") % {"n": len(copies)})
    return redirect("campaigns:campaign-list")


@client_manager
@require_POST
def campaign_prepare(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.select_related("client"), campaign_id)
    try:
        lifecycle.prepare_campaign(campaign=campaign, actor=request.user, now=clock.now())
    except lifecycle.ScriptRefused as refused:
        for problem in refused.problems:
            messages.error(request, problem.sentence)
        return redirect("campaigns:campaign-edit", campaign.pk)
    except lifecycle.CampaignNotDraft:
        messages.info(request, _("It is ready already."))
    if request.POST.get("from") == "test":
        return redirect("campaigns:campaign-step", campaign.pk, "test")
    return redirect("campaigns:campaign-detail", campaign.pk)
