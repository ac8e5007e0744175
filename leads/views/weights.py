"""The weights of the lead score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import client_manager
from convomono.lib import clock
from convomono.lib.answers import INVALID
from leads.forms.weights import WeightsForm
from leads.services.scoring import weighing_of
from leads.services.weights import change_weights

if TYPE_CHECKING:
    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_manager
@require_http_methods(["GET", "POST"])
def score_weights(request: ClientRequest) -> HttpResponse:
    now = weighing_of(request.tenant.pk)
    form = WeightsForm(request.POST or None, initial={**now.weights, "tag_name": now.tag})
    if request.method == "POST" and form.is_valid():
        change_weights(
            client=request.tenant,
            weights=form.weights(),
            tag=form.cleaned_data["tag_name"].strip(),
            actor=request.user,
            now=clock.now(),
        )
        messages.success(request, _("Every score is computed anew; this may take a minute."))
        return redirect("leads:lead-list")
    status = INVALID if form.errors else 200
    return render(request, "leads/score_weights.html", {"form": form}, status=status)
