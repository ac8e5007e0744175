"""The agency's do-not-call list, which holds for every client: looking, adding, lists in and out, lifting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import agency_permission, get_or_404
from audit import actions
from audit.services import record
from convomono.lib import clock
from convomono.lib.csvio import csv_lines
from convomono.lib.htmx import render_page
from convomono.lib.pages import keyset_page
from leads.forms.suppressions import AgencyEntryForm, EntrySearch, LiftForm, ListForm
from leads.models import AgencyListing, Suppression
from leads.queries import entries_matching, suppression_lines
from leads.services.agency_list import (
    ListingUndoRefused,
    may_undo_listing,
    start_agency_listing,
    undo_agency_listing,
)
from leads.services.suppressions import lift_suppression, suppress
from leads.views.answers import csv_answer

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse, StreamingHttpResponse

    from accounts.access import UserRequest

_LATEST = 5  # lists shown beside the entries
_agency = Suppression.objects.filter(level=Suppression.Level.AGENCY)


@agency_permission("manage_campaigns")
@require_GET
def entry_list(request: UserRequest) -> HttpResponse:
    return _list(request, AgencyEntryForm())


def _list(request: UserRequest, form: AgencyEntryForm, *, status: int = 200) -> HttpResponse:
    search = EntrySearch(request.GET)
    asked = search.cleaned_data if search.is_valid() else {}
    page = keyset_page(
        entries_matching(**asked),
        order=("-created_at", "-pk"),
        token=request.GET.get("page"),
        read_from=Suppression.objects.select_related("client"),
    )
    context = {
        "search": search,
        "is_filtered": any(asked.values()),
        "page": page,
        "form": form,
        "listings": AgencyListing.objects.order_by("-created_at", "-pk")[:_LATEST],
    }
    return render_page(
        request,
        "leads/agency_entry_list.html",
        context,
        partial="entry-table",
        status=status,
    )


@agency_permission("manage_campaigns")
@require_POST
def entry_create(request: UserRequest) -> HttpResponse:
    form = AgencyEntryForm(request.POST)
    if not form.is_valid():
        return _list(request, form, status=422)
    suppress(
        level=Suppression.Level.AGENCY,
        client_id=None,
        campaign_id=None,
        phone_number=form.cleaned_data["e164"],
        source=form.cleaned_data["source"] or Suppression.Source.PERSON,
        reason=form.cleaned_data["reason"],
        actor=request.user,
        now=clock.now(),
    )
    messages.success(request, _("Nobody calls this number any more, for any client."))
    return redirect("agency-leads:entry-list")


@agency_permission("manage_campaigns")
@require_http_methods(["GET", "POST"])
def entry_import(request: UserRequest) -> HttpResponse:
    """Take over a list of numbers; a job does it, and the next page shows how far it is."""
    form = ListForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        listing = start_agency_listing(
            stream=form.stream(),
            country=form.cleaned_data["country"],
            reason=form.cleaned_data["reason"],
            actor=request.user,
            now=clock.now(),
            real_now=clock.real_now(),
        )
        return redirect("agency-leads:listing-detail", listing.pk)
    status = 422 if form.errors else 200
    return render(request, "leads/agency_entry_import.html", {"form": form}, status=status)


@agency_permission("manage_campaigns")
@require_GET
def listing_detail(request: UserRequest, listing_id: UUID) -> HttpResponse:
    listing = get_or_404(AgencyListing.objects.all(), listing_id)
    context = {"listing": listing, "may_undo": may_undo_listing(listing, now=clock.now())}
    return render_page(request, "leads/agency_listing.html", context, partial="listing-progress")


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


@agency_permission("manage_campaigns")
@require_GET
def entry_export(request: UserRequest) -> StreamingHttpResponse:
    """Stream the agency's list as CSV; who took it stands in the audit log."""
    record(
        actions.SUPPRESSIONS_EXPORTED,
        resource=request.user,
        actor=request.user,
        now=clock.now(),
        details={"level": "agency"},
    )
    rows = _agency.order_by("-created_at", "-pk")
    return csv_answer(csv_lines(suppression_lines(rows)), "do-not-call-agency.csv")


@agency_permission("manage_campaigns")
@require_http_methods(["GET", "POST"])
def entry_lift(request: UserRequest, entry_id: UUID) -> HttpResponse:
    """Take a number off the agency's list; a client's own list is the client's to change."""
    entry = get_or_404(_agency.all(), entry_id)
    form = LiftForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        lift_suppression(
            suppression=entry,
            reason=form.cleaned_data["reason"],
            actor=request.user,
            now=clock.now(),
        )
        messages.success(request, _("The number is off the agency's do-not-call list."))
        return redirect("agency-leads:entry-list")
    status = 422 if form.errors else 200
    context = {"form": form, "entry": entry}
    return render(request, "leads/agency_entry_lift.html", context, status=status)
