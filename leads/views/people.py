"""The list of leads, adding one, and the export of what the list shows."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import can_manage, client_manager, client_viewer
from audit import actions
from audit.services import record
from convomono.lib import clock
from convomono.lib.csvio import csv_lines
from convomono.lib.htmx import render_page
from convomono.lib.pages import list_page
from leads.forms.people import LeadFilters, LeadForm
from leads.queries import lead_lines, leads_matching
from leads.services.people import LeadExists, create_lead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_viewer
@require_GET
def lead_list(request: ClientRequest) -> HttpResponse:
    filters = LeadFilters(request.GET, client_id=request.tenant.pk)
    active = filters.active()
    page = list_page(leads_matching(viewer=request.user, filters=active), request.GET.get("page"))
    context = {
        "filters": filters,
        "page": page,
        "is_filtered": bool(active.keys() - {"sort"}),
        "can_manage": can_manage(request.user),
        "zone": request.tenant.time_zone,
    }
    return render_page(request, "leads/lead_list.html", context, partial="lead-table")


@client_manager
@require_GET
def lead_export(request: ClientRequest) -> StreamingHttpResponse:
    """Stream the filtered list as CSV; who took it stands in the audit log."""
    active = LeadFilters(request.GET, client_id=request.tenant.pk).active()
    record(
        actions.LEADS_EXPORTED,
        resource=request.tenant,
        actor=request.user,
        now=clock.now(),
        details={"filters": sorted(active)},
    )
    rows = leads_matching(viewer=request.user, filters=active)
    return csv_answer(csv_lines(lead_lines(rows)), "leads.csv")


def csv_answer(lines: Iterator[str], file_name: str) -> StreamingHttpResponse:
    """Answer with a file that is made while it is sent, never shown inside a page."""
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


@client_manager
@require_http_methods(["GET", "POST"])
def lead_create(request: ClientRequest) -> HttpResponse:
    zone = request.tenant.time_zone
    form = LeadForm(
        request.POST or None, zone=zone, today=clock.now().astimezone(ZoneInfo(zone)).date()
    )
    if request.method == "POST" and form.is_valid():
        try:
            lead = create_lead(
                client=request.tenant,
                phone_number=form.cleaned_data["phone_number"],
                country=form.cleaned_data["country"],
                fields=form.lead_fields(),
                consent=form.consent(),
                tags=form.cleaned_data["tags"],
                actor=request.user,
                now=clock.now(),
            )
        except LeadExists as exc:
            form.add_error(
                "phone_number",
                _("%s has this number already.") % (exc.lead.full_name or _("A lead")),
            )
        else:
            messages.success(request, _("%s is in your list.") % lead)
            return redirect("leads:lead-list")
    status = 422 if form.errors else 200
    return render(request, "leads/lead_create.html", {"form": form}, status=status)
