"""The line of leads of a campaign, and a person's hand on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy as _lazy
from django.views.decorators.http import require_GET, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_visible_or_404
from campaigns.models import Campaign, Enrolment
from campaigns.queries.line import (
    apart,
    asked_back,
    held_back,
    in_line,
    line,
    live_launches,
    taken_out,
)
from campaigns.services import queueing
from convomono.lib import clock
from convomono.lib.htmx import render_page
from convomono.lib.pages import list_page

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet
    from django.http import HttpResponse

    from accounts.access import ClientRequest

# What is asked for -> what does it, and the sentence that follows.
CHANGES = {
    "up": (queueing.move_up, _lazy("%(who)s is called next.")),
    "back": (queueing.move_back, _lazy("%(who)s is back at the old place.")),
    "hold": (queueing.hold_back, _lazy("%(who)s is held back until you release them.")),
    "release": (queueing.let_go, _lazy("%(who)s is in line again.")),
    "remove": (
        queueing.take_out,
        _lazy("%(who)s is out of the line. You can put them back below."),
    ),
    "return": (queueing.put_back, _lazy("%(who)s is in line again.")),
}


# The lists beside the line, each of which has pages of its own.
APART = {
    "asked": _lazy("Promised callbacks"),
    "held": _lazy("Held back"),
    "removed": _lazy("Taken out"),
}


@client_viewer
@require_GET
def campaign_line(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    launches, now = live_launches(campaign), clock.now()
    show, asked_page = request.GET.get("show", ""), request.GET.get("page")
    shown: dict[str, Any]
    if show in APART:
        apart_page = list_page(_apart(show, launches, now), asked_page)
        rows = apart(apart_page.rows, now=now)
        shown = {"page": apart_page, "rows": rows, "title": APART[show]}
    else:
        page = list_page(in_line(launches, now=now), asked_page)
        start = page.start_index() or 1
        shown = {"page": page, "line": line(launches, now=now, rows=page.rows, start=start)}
    context = {
        "campaign": campaign,
        "on_page": "line",
        **shown,
        "may_manage": can_manage(request.user),
        # "Hold still" on the page: for those who read more slowly than it changes.
        "updates": request.GET.get("updates") != "off",
    }
    return render_page(request, "campaigns/campaign_line.html", context, partial="whole-line")


@client_manager
@require_POST
def line_change(
    request: ClientRequest, campaign_id: UUID, enrolment_id: UUID, change: str
) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    rows = Enrolment.objects.filter(campaign=campaign).select_related("lead", "campaign")
    enrolment = get_visible_or_404(request, rows, enrolment_id)
    if change not in CHANGES:
        raise Http404
    verb, sentence = CHANGES[change]
    who = enrolment.lead.full_name or _("The lead")
    try:
        verb(enrolment=enrolment, actor=request.user, now=clock.now())
    except queueing.NotDue:
        messages.info(request, _("%(who)s isn't due yet, and is called no sooner.") % {"who": who})
    except queueing.LaunchIsOver:
        messages.info(
            request, _("The launch is over. Enrol the lead in another campaign to call them.")
        )
    except queueing.NotInLine:
        messages.info(request, _("%(who)s isn't in line any more.") % {"who": who})
    else:
        messages.success(request, str(sentence) % {"who": who})
    if request.POST.get("on") == "line":
        # Back to the page of the line that it was changed on.
        address = reverse("campaigns:campaign-line", args=[campaign.pk])
        return redirect(f"{address}?{request.GET.urlencode()}" if request.GET else address)
    return redirect("campaigns:campaign-detail", campaign.pk)


def _apart(show: str, launches: list[UUID], now: datetime) -> QuerySet[Enrolment]:
    if show == "asked":
        return asked_back(launches, now=now)
    return held_back(launches) if show == "held" else taken_out(launches)
