"""The addresses of the agency's do-not-call list, and of the lists it takes over; `do_not_call` does what both faces do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import FileResponse, Http404
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import agency_permission, get_or_404
from audit import actions
from audit.services import record
from convomono.lib import clock, files
from convomono.lib.htmx import render_page
from leads.models import AgencyListing
from leads.services.agency_list import ListingUndoRefused, may_undo_listing, undo_agency_listing
from leads.views import do_not_call
from leads.views.do_not_call import Face

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse, StreamingHttpResponse

    from accounts.access import UserRequest

AGENCY = Face()


@agency_permission("manage_campaigns")
@require_GET
def entry_list(request: UserRequest) -> HttpResponse:
    return do_not_call.entry_list(request, AGENCY)


@agency_permission("manage_campaigns")
@require_POST
def entry_create(request: UserRequest) -> HttpResponse:
    return do_not_call.entry_create(request, AGENCY)


@agency_permission("manage_campaigns")
@require_http_methods(["GET", "POST"])
def entry_import(request: UserRequest) -> HttpResponse:
    return do_not_call.entry_import(request, AGENCY)


@agency_permission("manage_campaigns")
@require_GET
def entry_export(request: UserRequest) -> StreamingHttpResponse:
    return do_not_call.entry_export(request, AGENCY)


@agency_permission("manage_campaigns")
@require_http_methods(["GET", "POST"])
def entry_lift(request: UserRequest, entry_id: UUID) -> HttpResponse:
    return do_not_call.entry_lift(request, AGENCY, get_or_404(AGENCY.entries(), entry_id))


@agency_permission("manage_campaigns")
@require_GET
def listing_detail(request: UserRequest, listing_id: UUID) -> HttpResponse:
    listing = get_or_404(AgencyListing.objects.all(), listing_id)
    context = {
        "listing": listing,
        "may_undo": may_undo_listing(listing, now=clock.now()),
        "may_download": _has_file(listing),
    }
    return render_page(request, "leads/agency_listing.html", context, partial="listing-progress")


@agency_permission("manage_campaigns")
@require_GET
def listing_file(request: UserRequest, listing_id: UUID) -> FileResponse:
    """Hand out what of a list was no number, as a download."""
    listing = get_or_404(AgencyListing.objects.all(), listing_id)
    if not _has_file(listing):
        raise Http404
    try:
        content = files.open_stored(listing.stored_name)
    except FileNotFoundError:
        raise Http404 from None
    record(
        actions.LEADS_ROWS_DOWNLOADED,
        resource=listing,
        actor=request.user,
        now=clock.now(),
        details={"level": "agency", "lines": listing.refused_count},
    )
    return FileResponse(content, as_attachment=True, filename="not-listed.csv")


def _has_file(listing: AgencyListing) -> bool:
    """Tell whether there is something to hand out: a list that is still being read isn't."""
    return listing.status != AgencyListing.Status.RUNNING and bool(listing.stored_name)


@agency_permission("manage_campaigns")
@require_POST
def listing_undo(request: UserRequest, listing_id: UUID) -> HttpResponse:
    listing = get_or_404(AgencyListing.objects.all(), listing_id)
    try:
        undo_agency_listing(
            listing=listing, actor=request.user, now=clock.now(), real_now=clock.real_now()
        )
    except ListingUndoRefused:
        messages.error(request, _("This list can't be taken back any more."))
    return redirect("agency-leads:listing-detail", listing.pk)
