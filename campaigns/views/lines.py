"""The agency's page about lines: who has how many, and what each client is granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _, gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import agency_permission, agency_staff, get_or_404
from accounts.models import Client
from campaigns.models import ClientShare
from campaigns.queries.lines import line_rows
from campaigns.services.sharing import set_share
from convomono.lib import clock
from convomono.lib.answers import form_status
from convomono.lib.htmx import render_page

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import UserRequest


class ShareForm(forms.Form):
    """A client's part of the lines that all share."""

    weight = forms.IntegerField(
        label=gettext_lazy("Weight"),
        min_value=1,
        max_value=100,
        help_text=gettext_lazy("A client with 2 gets twice the lines of one with 1."),
    )
    least_lines = forms.IntegerField(
        label=gettext_lazy("Guaranteed lines"),
        min_value=0,
        max_value=1000,
        help_text=gettext_lazy("Below this number it is served before all others."),
    )


@agency_staff
@require_GET
def line_list(request: UserRequest) -> HttpResponse:
    rows = line_rows()
    context = {
        "rows": rows,
        "used": sum(row.used for row in rows),
        "may_change": request.user.has_agency_permission("manage_clients"),
        "updates": request.GET.get("updates") != "off",
    }
    return render_page(request, "campaigns/line_list.html", context, partial="line-table")


@agency_permission("manage_clients")
@require_http_methods(["GET", "POST"])
def line_share(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = get_or_404(Client.objects.all(), client_id)
    share = ClientShare.objects.filter(client=client).first() or ClientShare()
    initial = {"weight": share.weight, "least_lines": share.least_lines}
    form = ShareForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        set_share(client=client, **form.cleaned_data, actor=request.user, now=clock.now())
        messages.success(request, _("Saved. It holds from the next free line on."))
        return redirect("agency-campaigns:line-list")
    status = form_status(request)
    context = {"client": client, "form": form}
    return render(request, "campaigns/line_share.html", context, status=status)
