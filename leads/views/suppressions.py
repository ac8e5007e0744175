"""The client's do-not-call list: looking, adding, lists in and out, lifting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_or_404
from audit import actions
from audit.services import record
from convomono.lib import clock
from convomono.lib.csvio import csv_lines
from convomono.lib.htmx import render_page
from convomono.lib.pages import keyset_page
from leads.forms.suppressions import LiftForm, ListForm, SuppressionForm, SuppressionSearch
from leads.models import Suppression
from leads.queries import suppression_lines, suppressions_matching, with_campaigns
from leads.services.operations import start_listing
from leads.services.suppressions import lift_suppression, suppress
from leads.views.answers import csv_answer

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse, StreamingHttpResponse

    from accounts.access import ClientRequest


@client_viewer
@require_GET
def suppression_list(request: ClientRequest) -> HttpResponse:
    return _list(request, SuppressionForm(client=request.tenant))


def _list(request: ClientRequest, form: SuppressionForm, *, status: int = 200) -> HttpResponse:
    search = SuppressionSearch(request.GET)
    asked = search.cleaned_data if search.is_valid() else {}
    page = keyset_page(
        suppressions_matching(client=request.tenant, **asked),
        order=("-created_at", "-pk"),
        token=request.GET.get("page"),
    )
    context = {
        "search": search,
        "is_filtered": any(asked.values()),
        "page": page,
        "entries": with_campaigns(page.rows, client=request.tenant),
        "form": form,
        "can_manage": can_manage(request.user),
        "zone": request.tenant.time_zone,
    }
    return render_page(
        request, "leads/suppression_list.html", context, partial="suppression-table", status=status
    )


@client_manager
@require_POST
def suppression_create(request: ClientRequest) -> HttpResponse:
    form = SuppressionForm(request.POST, client=request.tenant)
    if not form.is_valid():
        return _list(request, form, status=422)
    campaign_id = form.campaign_id_or_none()
    suppress(
        level=Suppression.Level.CAMPAIGN if campaign_id else Suppression.Level.CLIENT,
        client_id=request.tenant.pk,
        campaign_id=campaign_id,
        phone_number=form.cleaned_data["e164"],
        source=form.cleaned_data["source"] or Suppression.Source.PERSON,
        reason=form.cleaned_data["reason"],
        actor=request.user,
        now=clock.now(),
    )
    messages.success(request, _("Nobody calls this number for you any more."))
    return redirect("leads:suppression-list")


@client_manager
@require_http_methods(["GET", "POST"])
def suppression_import(request: ClientRequest) -> HttpResponse:
    """Take over a list of numbers; a job does it, and the next page shows how far it is."""
    form = ListForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        operation = start_listing(
            client=request.tenant,
            stream=form.stream(),
            country=form.cleaned_data["country"],
            reason=form.cleaned_data["reason"],
            actor=request.user,
            now=clock.now(),
            real_now=clock.real_now(),
        )
        return redirect("leads:operation-detail", operation.pk)
    status = 422 if form.errors else 200
    return render(request, "leads/suppression_import.html", {"form": form}, status=status)


@client_manager
@require_GET
def suppression_export(request: ClientRequest) -> StreamingHttpResponse:
    """Stream the client's list as CSV; who took it stands in the audit log."""
    record(
        actions.SUPPRESSIONS_EXPORTED,
        resource=request.tenant,
        actor=request.user,
        now=clock.now(),
    )
    rows = suppressions_matching(client=request.tenant).order_by("-created_at", "-pk")
    return csv_answer(csv_lines(suppression_lines(rows)), "do-not-call.csv")


@client_manager
@require_http_methods(["GET", "POST"])
def suppression_lift(request: ClientRequest, suppression_id: UUID) -> HttpResponse:
    row = get_or_404(Suppression.objects.filter(client=request.tenant), suppression_id)
    form = LiftForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        lift_suppression(
            suppression=row,
            reason=form.cleaned_data["reason"],
            actor=request.user,
            now=clock.now(),
        )
        messages.success(request, _("The number is off your do-not-call list."))
        return redirect("leads:suppression-list")
    context = {"form": form, "suppression": row, "zone": request.tenant.time_zone}
    status = 422 if form.errors else 200
    return render(request, "leads/suppression_lift.html", context, status=status)
