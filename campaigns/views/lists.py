"""Views of the campaign list that people keep, and campaigns side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import can_manage, client_viewer, get_visible_or_404
from campaigns.forms.lists import CampaignFilterForm, ComparedForm
from campaigns.models import Campaign
from campaigns.queries.ranking import compared, is_certain
from convomono.lib import clock
from leads.forms.table import SaveViewForm, kept_query
from leads.models import SavedView
from leads.services.saved_views import delete_view, may_forget, save_view

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


def view_tabs(views: Sequence[SavedView], current: str) -> list[dict[str, Any]]:
    """Return the tabs above the list: all campaigns, then what was kept."""
    url = reverse("campaigns:campaign-list")
    kept = [
        {
            "label": view.name,
            "url": f"{url}?{view.query}&view={view.pk}",
            "current": str(view.pk) == current,
        }
        for view in views
    ]
    return [{"label": _("All campaigns"), "url": url, "current": not current}, *kept]


@client_viewer
@require_GET
def campaign_compare(request: ClientRequest) -> HttpResponse:
    form = ComparedForm(request.GET)
    if not form.is_valid():
        messages.info(
            request, _("Choose two campaigns or more, up to six, to see them side by side.")
        )
        return redirect("campaigns:campaign-list")
    chosen = form.cleaned_data["campaign"]
    found = {
        row.pk: row
        for row in Campaign.objects.visible_to(request.user)
        .select_related("calling_window", "retry_policy")
        .filter(pk__in=chosen)
    }
    if len(found) != len(chosen):
        raise Http404
    rows = compared([found[key] for key in chosen])
    context = {"rows": rows, "is_certain": is_certain(rows)}
    return render(request, "campaigns/campaign_compare.html", context)


@client_viewer
@require_POST
def view_create(request: ClientRequest) -> HttpResponse:
    form = SaveViewForm(request.POST)
    if not form.is_valid():
        messages.error(request, form.refusal())
        return redirect("campaigns:campaign-list")
    query = CampaignFilterForm(QueryDict(form.cleaned_data["query"])).query()
    view = save_view(
        client=request.tenant,
        name=form.cleaned_data["name"],
        query=kept_query(query),
        # What everybody sees is for managers to set up.
        is_shared=form.cleaned_data["is_shared"] and can_manage(request.user),
        of_list=SavedView.List.CAMPAIGNS,
        actor=request.user,
        now=clock.now(),
    )
    return redirect(f"{reverse('campaigns:campaign-list')}?{query}&view={view.pk}")


@client_viewer
@require_POST
def view_delete(request: ClientRequest, view_id: UUID) -> HttpResponse:
    rows = SavedView.objects.filter(of_list=SavedView.List.CAMPAIGNS)
    view = get_visible_or_404(request, rows, view_id)
    if not may_forget(view=view, user=request.user, may_manage=can_manage(request.user)):
        raise Http404
    delete_view(view=view, actor=request.user, now=clock.now())
    messages.success(request, _("The view “%s” is gone.") % view.name)
    return redirect("campaigns:campaign-list")
