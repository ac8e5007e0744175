"""Launches that need a second person: asking, deciding, and the client's rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import (
    can_manage,
    client_launcher,
    client_manager,
    client_owner,
    client_viewer,
    get_visible_or_404,
)
from billing.services import InsufficientCredits
from campaigns.forms.approvals import AskForm, DeclineForm, LaunchRuleForm
from campaigns.models import Campaign, LaunchRequest
from campaigns.queries.approvals import request_page, requests_of
from campaigns.services import lifecycle
from campaigns.services.approving import launch_rule, set_launch_rule
from campaigns.views.launch import launch_context
from convomono.lib import clock
from convomono.lib.answers import INVALID, form_status
from convomono.lib.ids import uuid7
from convomono.lib.pages import list_page

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_viewer
@require_GET
def request_list(request: ClientRequest) -> HttpResponse:
    rows = requests_of(LaunchRequest.objects.visible_to(request.user))
    context = {
        "page": list_page(rows, request.GET.get("page"), size=20),
        "rule": launch_rule(request.tenant.pk),
        "is_owner": request.user.client_role == "owner",
    }
    return render(request, "campaigns/launch_request_list.html", context)


@client_viewer
@require_GET
def request_detail(request: ClientRequest, launch_request_id: UUID) -> HttpResponse:
    return _page(request, _found(request, launch_request_id), DeclineForm())


@client_manager
@require_http_methods(["GET", "POST"])
def launch_ask(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    """Show the check before the launch to whoever may not launch alone, and ask somebody who may."""
    campaign = get_visible_or_404(
        request,
        Campaign.objects.select_related("client", "retry_policy", "calling_window"),
        campaign_id,
    )
    form = AskForm(request.POST or None, initial={"request_id": uuid7()})
    if request.method == "POST" and form.is_valid():
        return _asked(request, campaign, form)
    context = {**launch_context(request, campaign), "asks": True, "ask_form": form}
    status = form_status(request)
    return render(request, "campaigns/launch.html", context, status=status)


def _asked(request: ClientRequest, campaign: Campaign, form: AskForm) -> HttpResponse:
    try:
        row = lifecycle.ask_for_launch(
            campaign=campaign,
            request_id=form.cleaned_data["request_id"],
            starts_at=form.cleaned_data["starts_at"],
            note=form.cleaned_data["note"],
            actor=request.user,
            now=clock.now(),
            is_sandbox=settings.SANDBOX,
        )
    except lifecycle.LaunchRefused:
        messages.error(request, _("Something has changed: it can't be launched like this."))
    except lifecycle.RequestWaits:
        messages.info(request, _("Somebody has asked for this launch already."))
    else:
        messages.success(request, _("Asked. Everybody who may approve it has been told."))
        return redirect("campaigns:launch-request", row.pk)
    return redirect("campaigns:launch-ask", campaign.pk)


@client_launcher
@require_POST
def request_approve(request: ClientRequest, launch_request_id: UUID) -> HttpResponse:
    row = _found(request, launch_request_id)
    try:
        batch_call = lifecycle.approve_launch(
            request=row, actor=request.user, now=clock.now(), is_sandbox=settings.SANDBOX
        )
    except lifecycle.OwnRequest:
        messages.error(request, _("You asked for it yourself: somebody else has to approve it."))
    except lifecycle.RequestOver:
        messages.error(request, _("Not launched: the request is out of date or was decided."))
    except lifecycle.LaunchRefused as refused:
        for finding in refused.findings:
            messages.error(request, finding.sentence)
    except (lifecycle.CampaignNotReady, lifecycle.NobodyWaits, lifecycle.LaunchInProgress):
        messages.error(
            request, _("Not launched: another launch took the leads, or it isn't ready.")
        )
    except InsufficientCredits:
        messages.error(request, _("Not launched: the balance has fewer minutes than that."))
    else:
        messages.success(request, _("Approved and launched."))
        return redirect("campaigns:campaign-detail", batch_call.campaign_id)
    return redirect("campaigns:launch-request", row.pk)


@client_launcher
@require_POST
def request_decline(request: ClientRequest, launch_request_id: UUID) -> HttpResponse:
    row = _found(request, launch_request_id)
    form = DeclineForm(request.POST)
    if not form.is_valid():
        return _page(request, row, form)
    try:
        lifecycle.decline_launch(
            request=row,
            reason=form.cleaned_data["reason"],
            actor=request.user,
            now=clock.now(),
        )
    except lifecycle.OwnRequest:
        messages.error(request, _("It is your own request: withdraw it instead."))
    except lifecycle.RequestOver:
        messages.info(request, _("Somebody has decided it already."))
    else:
        messages.success(request, _("Declined. Nothing was launched."))
    return redirect("campaigns:launch-request", row.pk)


@client_manager
@require_POST
def request_withdraw(request: ClientRequest, launch_request_id: UUID) -> HttpResponse:
    row = _found(request, launch_request_id)
    try:
        lifecycle.withdraw_launch(request=row, actor=request.user, now=clock.now())
    except lifecycle.OthersRequest:
        messages.error(request, _("Only who asked for it can take it back."))
    except lifecycle.RequestOver:
        messages.info(request, _("Somebody has decided it already."))
    else:
        messages.success(request, _("Taken back. Nothing was launched."))
    return redirect("campaigns:launch-request", row.pk)


@client_owner
@require_http_methods(["GET", "POST"])
def rule_edit(request: ClientRequest) -> HttpResponse:
    rule = launch_rule(request.tenant.pk)
    initial = {"is_active": rule.is_active, "above_minutes": rule.above_seconds // 60}
    form = LaunchRuleForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        set_launch_rule(
            client_id=request.tenant.pk,
            is_active=form.cleaned_data["is_active"],
            above_seconds=form.cleaned_data["above_minutes"] * 60,
            actor=request.user,
            now=clock.now(),
        )
        messages.success(request, _("Saved. It holds from the next launch on."))
        return redirect("campaigns:launch-request-list")
    status = form_status(request)
    return render(request, "campaigns/launch_rule_edit.html", {"form": form}, status=status)


def _found(request: ClientRequest, launch_request_id: UUID) -> LaunchRequest:
    rows = LaunchRequest.objects.select_related("campaign", "client")
    return get_visible_or_404(request, rows, launch_request_id)


def _page(request: ClientRequest, row: LaunchRequest, form: DeclineForm) -> HttpResponse:
    page = request_page(row, request.user, may_manage=can_manage(request.user))
    context = {"page": page, "row": row, "form": form}
    status = INVALID if form.is_bound else 200
    return render(request, "campaigns/launch_request.html", context, status=status)
