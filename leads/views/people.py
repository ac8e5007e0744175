"""The list of leads with its views, adding a lead, and changing one where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_visible_or_404
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.htmx import render_page
from leads.forms.people import LeadEditForm, LeadForm
from leads.forms.table import LeadFilters, SaveViewForm, kept_query
from leads.lead_table import COLUMNS, lead_page, saved_views
from leads.models import Lead, SavedView
from leads.services.people import ERASED, LeadExists, PersonErased, change_lead, create_lead
from leads.services.saved_views import delete_view, may_forget, save_view

if TYPE_CHECKING:
    from typing import Any
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_viewer
@require_GET
def lead_list(request: ClientRequest) -> HttpResponse:
    filters = LeadFilters(request.GET, client=request.tenant)
    active = filters.active()
    views = saved_views(request.user)
    context = {
        "filters": filters,
        "page": lead_page(viewer=request.user, filters=active, token=request.GET.get("page")),
        "tabs": _tabs(views, str(request.GET.get("view", ""))),
        "view": next((one for one in views if str(one.pk) == request.GET.get("view")), None),
        "save_form": SaveViewForm(initial={"query": filters.query()}),
        **_table(request, filters),
    }
    return render_page(request, "leads/lead_list.html", context, partial="lead-table-swap")


def _tabs(views: list[SavedView], current: str) -> list[dict[str, Any]]:
    url = reverse("leads:lead-list")
    everybody = {"label": _("All leads"), "url": url, "current": not current}
    return [
        everybody,
        *(
            {
                "label": view.name,
                "url": f"{url}?{view.query}&view={view.pk}",
                "current": str(view.pk) == current,
            }
            for view in views
        ),
    ]


def _table(request: ClientRequest, filters: LeadFilters) -> dict[str, Any]:
    """Return what the table and each of its rows need."""
    shown = filters.shown_columns()
    return {
        "columns": [(name, COLUMNS[name]) for name in shown],
        "shown": shown,
        "is_filtered": filters.is_filtered,
        "query": filters.query(),
        "can_manage": can_manage(request.user),
        "zone": request.tenant.time_zone,
    }


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
        except PersonErased:
            form.add_error("phone_number", ERASED)
        else:
            messages.success(request, _("%s is in your list.") % lead)
            return redirect("leads:lead-list")
    status = INVALID if form.errors else 200
    return render(request, "leads/lead_create.html", {"form": form}, status=status)


@client_manager
@require_http_methods(["GET", "POST"])
def lead_edit(request: ClientRequest, lead_id: UUID) -> HttpResponse:
    """Change a lead on a page of its own, or, for htmx, in its row of the table."""
    lead = get_visible_or_404(request, Lead.objects.filter(erased_at=None), lead_id)
    form = LeadEditForm(request.POST or None, initial=LeadEditForm.initial_of(lead))
    query = request.GET.urlencode()
    if request.method == "POST" and form.is_valid():
        change_lead(
            lead=lead,
            fields=form.lead_fields(),
            names=form.asked(),
            tags=form.cleaned_data["tags"],
            tags_seen=form.tags_before(),
            actor=request.user,
            now=clock.now(),
        )
        if not _wants_row(request):
            messages.success(request, _("Saved."))
            return redirect("campaigns:lead-detail", lead.pk)
        filters = LeadFilters(QueryDict(query), client=request.tenant)
        context = {"lead": Lead.objects.get(pk=lead.pk), **_table(request, filters)}
        return render(request, "leads/lead_row.html", context)
    context = {"lead": lead, "form": form, "query": query}
    template = "leads/lead_row_edit.html" if _wants_row(request) else "leads/lead_edit.html"
    return render(request, template, context, status=INVALID if form.errors else 200)


@client_viewer
@require_GET
def lead_row(request: ClientRequest, lead_id: UUID) -> HttpResponse:
    """Put a row back whose change was given up; without htmx the lead's page answers."""
    lead = get_visible_or_404(request, Lead.objects.all(), lead_id)
    if not _wants_row(request):
        return redirect("campaigns:lead-detail", lead.pk)
    filters = LeadFilters(request.GET, client=request.tenant)
    return render(request, "leads/lead_row.html", {"lead": lead, **_table(request, filters)})


def _wants_row(request: ClientRequest) -> bool:
    htmx = request.htmx  # type: ignore[attr-defined]  # set by the middleware
    return bool(htmx and not htmx.boosted)


@client_viewer
@require_POST
def view_create(request: ClientRequest) -> HttpResponse:
    form = SaveViewForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.refusal())
        return redirect("leads:lead-list")
    query = LeadFilters(QueryDict(form.cleaned_data["query"]), client=request.tenant).query()
    view = save_view(
        client=request.tenant,
        name=form.cleaned_data["name"],
        query=kept_query(query),
        # What everybody sees is for managers to set up.
        is_shared=form.cleaned_data["is_shared"] and can_manage(request.user),
        actor=request.user,
        now=clock.now(),
    )
    return redirect(f"{reverse('leads:lead-list')}?{query}&view={view.pk}")


@client_viewer
@require_POST
def view_delete(request: ClientRequest, view_id: UUID) -> HttpResponse:
    view = get_visible_or_404(request, SavedView.objects.all(), view_id)
    if not may_forget(view=view, user=request.user, may_manage=can_manage(request.user)):
        raise Http404
    delete_view(view=view, actor=request.user, now=clock.now())
    messages.success(request, _("The view “%s” is gone.") % view.name)
    return redirect("leads:lead-list")
