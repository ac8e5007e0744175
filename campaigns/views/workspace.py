"""The agency's look at what exists at Retell, and the button that puts it right."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import agency_permission
from accounts.models import Client
from campaigns import jobs
from campaigns.services.workspace import request_repair, survey
from convomono.lib import clock
from convomono.lib.jobs import enqueue
from telephony.provider import ProviderError
from telephony.retell import retell_gateway

if TYPE_CHECKING:
    from django.http import HttpResponse

    from accounts.access import UserRequest

MOST_SHOWN = 500


@agency_permission("manage_campaigns")
@require_GET
def workspace(request: UserRequest) -> HttpResponse:
    problem, found = "", []
    try:
        found = survey(gateway=retell_gateway(), now=clock.now(), real_now=clock.real_now())
    except ProviderError as error:
        problem = jobs.what_to_do(error)
    shown = found[:MOST_SHOWN]
    names = dict(
        Client.objects.filter(pk__in={one.client_id for one in shown if one.client_id}).values_list(
            "pk", "name"
        )
    )
    counts = Counter(one.state for one in found)
    context = {
        "rows": [(one, names.get(one.client_id, "") if one.client_id else "") for one in shown],
        "counts": {state: counts[state] for state in ("ours", "left_over", "missing", "foreign")},
        "hidden": len(found) - len(shown),
        "needs_repair": counts["left_over"] + counts["missing"],
        "problem": problem,
    }
    return render(request, "campaigns/workspace.html", context)


@agency_permission("manage_campaigns")
@require_POST
def workspace_repair(request: UserRequest) -> HttpResponse:
    request_repair(actor=request.user, now=clock.now())
    enqueue(jobs.repair_workspace, queue="calls")
    messages.success(request, _("A worker puts it right now. Look again in a minute."))
    return redirect("agency-campaigns:workspace")
