"""The campaign list and the page a campaign is written on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_visible_or_404
from campaigns import script
from campaigns.forms.campaign import CampaignForm, initial_of
from campaigns.forms.lists import CampaignFilterForm
from campaigns.models import Campaign
from campaigns.queries.progress import campaign_list as listed, campaign_rows, live_campaign_ids
from campaigns.services import lifecycle
from campaigns.services.authoring import CampaignContent, content_of
from campaigns.voices import voice_choices
from convomono.lib import clock
from convomono.lib.htmx import render_page
from convomono.lib.pages import list_page
from telephony.retell import retell_gateway

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest

INVALID = 422
# Whom the preview beside the script speaks to.
SAMPLE_LEAD = {
    "first_name": "Ada",
    "last_name": "Byron",
    "full_name": "Ada Byron",
    "company": "Analytical Engines",
    "email": "ada@example.com",
    "phone_number": "+1 212 555 0142",
}


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
        live_ids=live_campaign_ids(request.tenant.pk) if status == "live" else (),
    )
    page = list_page(rows, request.GET.get("page"), size=20)
    context = {
        "form": form,
        "page": page,
        "rows": campaign_rows(page.rows),
        "is_filtered": any(asked.values()),
        "may_manage": can_manage(request.user),
    }
    return render_page(request, "campaigns/campaign_list.html", context, partial="campaign-table")


@client_manager
@require_http_methods(["GET", "POST"])
def campaign_create(request: ClientRequest) -> HttpResponse:
    blank = CampaignContent(name="", is_any_hour=False)
    form = _form(request, blank)
    if request.method == "POST" and form.is_valid():
        campaign = lifecycle.create_campaign(
            client=request.tenant, content=form.content(), actor=request.user, now=clock.now()
        )
        messages.success(request, _("“%(name)s” is saved as a draft.") % {"name": campaign.name})
        return redirect("campaigns:campaign-detail", campaign.pk)
    return _form_page(request, form, campaign=None)


@client_manager
@require_http_methods(["GET", "POST"])
def campaign_edit(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    form = _form(request, content_of(campaign))
    if request.method == "POST" and form.is_valid():
        try:
            changed = lifecycle.update_campaign(
                campaign=campaign, content=form.content(), actor=request.user, now=clock.now()
            )
        except lifecycle.CampaignArchived:
            messages.error(request, _("This campaign is archived and stays as it is."))
        else:
            messages.success(request, _("Saved.") if changed else _("Nothing was changed."))
        return redirect("campaigns:campaign-detail", campaign.pk)
    return _form_page(request, form, campaign=campaign)


@client_manager
@require_POST
def script_check(request: ClientRequest) -> HttpResponse:
    texts = (request.POST.get("opening_line", ""), request.POST.get("script_raw", ""))
    context = _script_context(request, opening_line=texts[0], script_raw=texts[1])
    return render(request, "campaigns/script_check.html", context)


@client_manager
@require_POST
def campaign_duplicate(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    name = _("%(name)s (copy)") % {"name": campaign.name[:110]}
    copy = lifecycle.duplicate_campaign(
        campaign=campaign, name=name, actor=request.user, now=clock.now()
    )
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
    return redirect("campaigns:campaign-detail", campaign.pk)


def _form(request: ClientRequest, content: CampaignContent) -> CampaignForm:
    return CampaignForm(
        request.POST if request.method == "POST" else None,
        initial=initial_of(content),
        voices=voice_choices(retell_gateway()),
        is_sandbox=settings.SANDBOX,
        kept_voice=(content.voice_id, content.voice_name or content.voice_id),
        kept_settings=content.settings,
    )


def _form_page(
    request: ClientRequest, form: CampaignForm, *, campaign: Campaign | None
) -> HttpResponse:
    context = {
        "form": form,
        "campaign": campaign,
        **_script_context(
            request,
            opening_line=str(form["opening_line"].value() or ""),
            script_raw=str(form["script_raw"].value() or ""),
        ),
    }
    status = INVALID if form.is_bound else 200
    return render(request, "campaigns/campaign_edit.html", context, status=status)


def _script_context(
    request: ClientRequest, *, opening_line: str, script_raw: str
) -> dict[str, Any]:
    """Say what the helper beside the script shows: variables, problems, how it sounds."""
    names = script.own_variables(opening_line, script_raw)
    return {
        "variables": script.LEAD_VARIABLES,
        "own_columns": script.unknown_variables(names, known=()),
        "problems": script.check(
            script=script_raw, opening_line=opening_line, business=request.tenant.name
        ),
        "preview": script.render(opening_line, SAMPLE_LEAD),
        "is_empty": not script_raw.strip() and not opening_line.strip(),
    }
