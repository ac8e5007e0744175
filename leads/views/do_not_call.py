"""A do-not-call list, for whoever keeps it: looking, adding, lists in and out, lifting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from audit import actions
from audit.services import record
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.csvio import csv_lines
from convomono.lib.htmx import render_page
from convomono.lib.pages import keyset_page
from leads.forms.suppressions import (
    AgencyEntryForm,
    ClientListForm,
    EntrySearch,
    LiftForm,
    ListForm,
    SuppressionForm,
    SuppressionSearch,
)
from leads.imports.packed import FileRefused
from leads.models import AgencyListing, Suppression
from leads.queries import (
    entries_matching,
    suppression_lines,
    suppressions_matching,
    with_campaigns,
    with_lists,
)
from leads.services.agency_list import start_agency_listing
from leads.services.operations import start_listing
from leads.services.suppressions import lift_suppression, suppress
from leads.views.answers import csv_answer

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpResponse, StreamingHttpResponse

    from accounts.access import UserRequest
    from accounts.models import Client

_LATEST = 5  # lists shown beside the entries


@dataclass(frozen=True)
class Face:
    """Whose list it is: a client's, or, without one, the agency's, who sees every client's beside it."""

    client: Client | None = None
    may_change: bool = True

    @property
    def layout(self) -> str:
        return "layouts/app.html" if self.client else "layouts/agency.html"

    @property
    def title(self) -> str:
        return _("Do-not-call list") if self.client else _("Do not call")

    @property
    def zone(self) -> str:
        return self.client.time_zone if self.client else ""

    def url(self, name: str, *ids: object) -> str:
        prefix = "leads:suppression-" if self.client else "agency-leads:entry-"
        return reverse(prefix + name, args=ids)

    @property
    def urls(self) -> dict[str, str]:
        return {name: self.url(name) for name in ("list", "create", "import", "export")}

    def entries(self) -> QuerySet[Suppression]:
        """Return the entries that can be lifted here: a client's own list is the client's to change."""
        if self.client:
            return Suppression.objects.filter(client=self.client)
        return Suppression.objects.filter(level=Suppression.Level.AGENCY)

    def context(self, **more: Any) -> dict[str, Any]:
        return {"face": self, "layout": self.layout, "zone": self.zone, **more}


def new_form(face: Face, data: Any = None) -> AgencyEntryForm:
    """Return the form for one number."""
    return SuppressionForm(data, client=face.client) if face.client else AgencyEntryForm(data)


def entry_list(
    request: UserRequest, face: Face, *, form: AgencyEntryForm | None = None, status: int = 200
) -> HttpResponse:
    search = SuppressionSearch(request.GET) if face.client else EntrySearch(request.GET)
    asked = search.cleaned_data if search.is_valid() else {}
    rows = (
        suppressions_matching(client=face.client, **asked)
        if face.client
        else entries_matching(**asked)
    )
    page = keyset_page(
        rows,
        order=("-created_at", "-pk"),
        token=request.GET.get("page"),
        read_from=None if face.client else Suppression.objects.select_related("client"),
    )
    listings = AgencyListing.objects.order_by("-created_at", "-pk")[:_LATEST]
    context = face.context(
        search=search,
        is_filtered=any(asked.values()),
        page=page,
        entries=with_campaigns(page.rows, client=face.client)
        if face.client
        else with_lists(page.rows),
        form=form or new_form(face),
        listings=[] if face.client else listings,
    )
    return render_page(
        request, "leads/entry_list.html", context, partial="entry-table", status=status
    )


def entry_create(request: UserRequest, face: Face) -> HttpResponse:
    form = new_form(face, request.POST)
    if not form.is_valid():
        return entry_list(request, face, form=form, status=INVALID)
    level, campaign_id = Suppression.Level.AGENCY, None
    if isinstance(form, SuppressionForm):
        campaign = form.campaign()
        campaign_id = campaign[0] if campaign else None
        level = Suppression.Level.CAMPAIGN if campaign_id else Suppression.Level.CLIENT
    suppress(
        level=level,
        client_id=face.client.pk if face.client else None,
        campaign_id=campaign_id,
        phone_number=form.cleaned_data["e164"],
        source=form.cleaned_data["source"] or Suppression.Source.PERSON,
        reason=form.cleaned_data["reason"],
        actor=request.user,
        now=clock.now(),
    )
    messages.success(
        request,
        _("Nobody calls this number for you any more.")
        if face.client
        else _("Nobody calls this number any more, for any client."),
    )
    return redirect(face.url("list"))


def entry_import(request: UserRequest, face: Face) -> HttpResponse:
    """Take over a list of numbers; a job does it, and the next page shows how far it is."""
    given = (request.POST or None, request.FILES or None)
    form = ClientListForm(*given, client=face.client) if face.client else ListForm(*given)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(_begin_listing(request, face, form))
        except FileRefused as exc:
            form.add_error("file" if form.cleaned_data["file"] else "pasted", str(exc))
    status = INVALID if form.errors else 200
    return render(request, "leads/entry_import.html", face.context(form=form), status=status)


def _begin_listing(request: UserRequest, face: Face, form: ListForm) -> str:
    """Begin what a valid form asks for, and return the address of the page that shows how far it is."""
    asked: dict[str, Any] = {
        "stream": form.stream(),
        "country": form.cleaned_data["country"],
        "reason": form.cleaned_data["reason"],
        "actor": request.user,
        "now": clock.now(),
        "real_now": clock.real_now(),
    }
    if face.client and isinstance(form, ClientListForm):
        operation = start_listing(client=face.client, campaign=form.campaign(), **asked)
        return reverse("leads:operation-detail", args=[operation.pk])
    return reverse("agency-leads:listing-detail", args=[start_agency_listing(**asked).pk])


def entry_export(request: UserRequest, face: Face) -> StreamingHttpResponse:
    """Stream the list as CSV; who took it stands in the audit log."""
    record(
        actions.SUPPRESSIONS_EXPORTED,
        resource=face.client or request.user,
        actor=request.user,
        now=clock.now(),
        details={} if face.client else {"level": "agency"},
    )
    name = "do-not-call.csv" if face.client else "do-not-call-agency.csv"
    rows = face.entries().order_by("-created_at", "-pk")
    return csv_answer(csv_lines(suppression_lines(rows)), name)


def entry_lift(request: UserRequest, face: Face, entry: Suppression) -> HttpResponse:
    form = LiftForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        lift_suppression(
            suppression=entry,
            reason=form.cleaned_data["reason"],
            actor=request.user,
            now=clock.now(),
        )
        messages.success(
            request,
            _("The number is off your do-not-call list.")
            if face.client
            else _("The number is off the agency's do-not-call list."),
        )
        return redirect(face.url("list"))
    status = INVALID if form.errors else 200
    context = face.context(form=form, entry=entry)
    return render(request, "leads/entry_lift.html", context, status=status)
