"""The client's do-not-call list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_or_404
from convomono.lib import clock
from convomono.lib.htmx import render_page
from convomono.lib.pages import list_page
from leads.forms.people import LiftForm, SuppressionForm, SuppressionSearch
from leads.models import Suppression
from leads.queries import suppressions_matching
from leads.services.suppressions import lift_suppression, suppress

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_viewer
@require_GET
def suppression_list(request: ClientRequest) -> HttpResponse:
    return _list(request, SuppressionForm())


def _list(request: ClientRequest, form: SuppressionForm, *, status: int = 200) -> HttpResponse:
    search = SuppressionSearch(request.GET)
    q = search.cleaned_data["q"] if search.is_valid() else ""
    context = {
        "search": search,
        "is_filtered": bool(q),
        "page": list_page(
            suppressions_matching(client=request.tenant, q=q), request.GET.get("page")
        ),
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
    form = SuppressionForm(request.POST)
    if not form.is_valid():
        return _list(request, form, status=422)
    suppress(
        level=Suppression.Level.CLIENT,
        client_id=request.tenant.pk,
        campaign_id=None,
        phone_number=form.cleaned_data["e164"],
        source=Suppression.Source.PERSON,
        reason=form.cleaned_data["reason"],
        actor=request.user,
        now=clock.now(),
    )
    messages.success(request, _("Nobody calls this number for you any more."))
    return redirect("leads:suppression-list")


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
