"""The agency's live page, its kill switches, and the end of a call in progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import (
    agency_permission,
    agency_staff,
    client_manager,
    get_or_404,
    get_visible_or_404,
)
from accounts.models import Client
from campaigns import halt_jobs
from campaigns.forms.stops import LiveCallFilterForm, StopForm
from campaigns.queries.agency_live import agency_live, live_calls
from campaigns.queries.progress import unrecalled
from campaigns.services import lifecycle, stopping
from campaigns.services.resuming import OF_THE_AGENCY, NothingHalted
from campaigns.views.live import last_dial
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.htmx import render_page
from telephony.models import Call

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest, UserRequest

LIVE = "agency-campaigns:live"


@agency_staff
@require_GET
def live(request: UserRequest) -> HttpResponse:
    context = {
        "page": agency_live(now=clock.now()),
        "may_stop": request.user.has_agency_permission("manage_campaigns"),
        "updates": request.GET.get("updates") != "off",
    }
    return render_page(request, "campaigns/live_agency.html", context, partial="agency-live")


@agency_staff
@require_GET
def live_call_list(request: UserRequest) -> HttpResponse:
    form = LiveCallFilterForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    context = {
        "form": form,
        "is_filtered": any(asked.values()),
        "found": live_calls(
            client_id=asked.get("client"),
            status=asked.get("status", ""),
            token=request.GET.get("page"),
            now=clock.now(),
        ),
        "may_stop": request.user.has_agency_permission("manage_campaigns"),
        "updates": request.GET.get("updates") != "off",
    }
    return render_page(request, "campaigns/live_agency_calls.html", context, partial="live-calls")


@agency_permission("manage_campaigns")
@require_http_methods(["GET", "POST"])
def stop_everything(request: UserRequest) -> HttpResponse:
    return _stop(request, None)


@agency_permission("manage_campaigns")
@require_POST
def resume_halted(request: UserRequest, reason: str) -> HttpResponse:
    """Let every launch go on that one refusal of the voice platform has paused, of all clients."""
    if reason not in OF_THE_AGENCY:
        raise Http404
    try:
        launches = halt_jobs.resume_halted(reason=reason, actor=request.user, now=clock.now())
    except NothingHalted:
        messages.info(request, _("None of them is paused any more."))
    else:
        said = ngettext(
            "%(n)d launch goes on where it stopped.",
            "%(n)d launches go on where they stopped.",
            launches,
        )
        messages.success(request, said % {"n": launches})
    return redirect(LIVE)


@agency_permission("manage_campaigns")
@require_http_methods(["GET", "POST"])
def stop_client(request: UserRequest, client_id: UUID) -> HttpResponse:
    return _stop(request, get_or_404(Client.objects.all(), client_id))


@agency_permission("manage_campaigns")
@require_POST
def resume_everything(request: UserRequest) -> HttpResponse:
    return _resume(request, None)


@agency_permission("manage_campaigns")
@require_POST
def resume_client(request: UserRequest, client_id: UUID) -> HttpResponse:
    return _resume(request, get_or_404(Client.objects.all(), client_id))


@agency_permission("manage_campaigns")
@require_POST
def call_end(request: UserRequest, call_id: UUID) -> HttpResponse:
    _end(request, get_visible_or_404(request, Call.objects.all(), call_id))
    if request.POST.get("from") == "calls":
        # Back to the page of the list that it was ended from.
        return redirect(f"{reverse('agency-campaigns:live-calls')}?{request.GET.urlencode()}")
    return redirect(LIVE)


@client_manager
@require_POST
def client_call_end(request: ClientRequest, call_id: UUID) -> HttpResponse:
    call = get_visible_or_404(request, Call.objects.all(), call_id)
    _end(request, call)
    if request.POST.get("from") == "calls":
        return redirect(f"{reverse('campaigns:call-list')}?{request.GET.urlencode()}")
    if request.POST.get("from") == "campaign" and call.campaign_id:
        return redirect("campaigns:campaign-detail", call.campaign_id)
    return redirect("campaigns:call-detail", call.pk)


def _stop(request: UserRequest, client: Client | None) -> HttpResponse:
    form = StopForm(request.POST if request.method == "POST" else None)
    if request.method == "GET" or not form.is_valid():
        context = {"form": form, "client": client, "page": agency_live(now=clock.now())}
        status = 200 if request.method == "GET" else INVALID
        return render(request, "campaigns/live_stop.html", context, status=status)
    try:
        receipt = stopping.stop_dialling(
            client=client, reason=form.cleaned_data["reason"], actor=request.user, now=clock.now()
        )
    except stopping.AlreadyStopped:
        messages.info(request, _("It was stopped already."))
        return redirect(LIVE)
    if receipt.at_retell:
        messages.success(request, _("Stopped."))
        messages.error(request, unrecalled(receipt.at_retell))
    else:
        messages.success(request, f"{_('Stopped.')} {last_dial(receipt.last_dialled_at)}")
    if form.cleaned_data["end_calls"]:
        _end_all(request, client)
    return redirect(LIVE)


def _end_all(request: UserRequest, client: Client | None) -> None:
    ended = lifecycle.end_calls(client=client, actor=request.user, now=clock.now())
    sentence = ngettext("%(n)d call is being ended.", "%(n)d calls are being ended.", ended)
    messages.info(request, sentence % {"n": ended})


def _resume(request: UserRequest, client: Client | None) -> HttpResponse:
    try:
        stopping.resume_dialling(client=client, actor=request.user, now=clock.now())
    except stopping.NotStopped:
        messages.info(request, _("It wasn't stopped."))
    else:
        messages.success(request, _("Dialling goes on where it stopped."))
    return redirect(LIVE)


def _end(request: UserRequest, call: Call) -> None:
    if lifecycle.end_call(call=call, actor=request.user, now=clock.now()):
        messages.success(request, _("The call is being ended."))
    else:
        messages.info(request, _("The call is over, or is being ended already."))
