"""The list of calls, and the page of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import (
    agency_permission,
    can_manage,
    client_manager,
    client_viewer,
    get_or_404,
    get_visible_or_404,
)
from accounts.acting import SESSION_KEY
from campaigns.forms.lists import CallFilterForm
from campaigns.forms.shares import ShareForm
from campaigns.models import CallShare, Campaign
from campaigns.queries.calls import CallFilter, call_list as listed, call_page
from campaigns.queries.live import call_rows
from campaigns.services.call_shares import MOST_OPEN, token_of
from convomono.lib import clock
from convomono.lib.htmx import render_page
from convomono.lib.pages import list_page
from leads.models import Suppression
from leads.services import suppress
from telephony.models import Call

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest, UserRequest
    from accounts.models import User

MOST_CAMPAIGNS = 200


@client_viewer
@require_GET
def call_list(request: ClientRequest) -> HttpResponse:
    campaigns = Campaign.objects.visible_to(request.user).order_by("-created_at", "-pk")
    names = dict(campaigns.values_list("pk", "name")[:MOST_CAMPAIGNS])
    form = CallFilterForm(request.GET, campaigns=list(names.items()))
    wanted = form.wanted()
    calls = listed(Call.objects.visible_to(request.user), wanted, zone=get_current_timezone())
    page = list_page(calls, request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "rows": [
            (row, names.get(row.call.campaign_id, "") if row.call.campaign_id else "")
            for row in call_rows(page.rows, now=clock.now())
        ],
        "is_filtered": wanted != CallFilter(),
        "is_live": wanted.status in Call.LIVE,
        "may_manage": can_manage(request.user),
        # "Hold still" on the page: for those who read more slowly than it changes.
        "updates": request.GET.get("updates") != "off",
    }
    return render_page(request, "campaigns/call_list.html", context, partial="call-table")


@client_viewer
@require_GET
def call_detail(request: ClientRequest, call_id: UUID) -> HttpResponse:
    call = get_visible_or_404(request, Call.objects.all(), call_id)
    page = call_page(call, now=clock.now())
    may_manage = can_manage(request.user)
    context = {
        "page": page,
        "may_manage": may_manage,
        "may_list_for_all": page.listed_level != Suppression.Level.AGENCY
        and hasattr(request, "acting"),
    }
    if may_manage:
        context |= {"share_form": ShareForm(), "shares": _shares(request, call)}
    return render_page(request, "campaigns/call_detail.html", context, partial="call-page")


def _shares(request: ClientRequest, call: Call) -> list[tuple[CallShare, str]]:
    """Return the links that lead somewhere, each with its whole address."""
    rows = CallShare.objects.filter(
        client_id=call.client_id, call=call, revoked_at=None, expires_at__gt=clock.real_now()
    )
    return [
        (row, request.build_absolute_uri(reverse("shared-call", args=[token_of(row)])))
        for row in rows.order_by("-created_at", "-pk")[:MOST_OPEN]
    ]


@client_manager
@require_POST
def call_suppress(request: ClientRequest, call_id: UUID) -> HttpResponse:
    call = get_visible_or_404(request, Call.objects.all(), call_id)
    _suppress(call, level=Suppression.Level.CLIENT, actor=request.user)
    messages.success(request, _("Nobody at your company will call this number again."))
    return redirect("campaigns:call-detail", call.pk)


@agency_permission("manage_campaigns")
@require_POST
def agency_call_suppress(request: UserRequest, call_id: UUID) -> HttpResponse:
    """Put the number of a call on the agency's list; whoever works as a client comes back to its page."""
    call = get_or_404(Call.objects.all(), call_id)
    _suppress(call, level=Suppression.Level.AGENCY, actor=request.user)
    messages.success(request, _("Nobody calls this number any more, for any client."))
    if SESSION_KEY in request.session:
        return redirect("campaigns:call-detail", call.pk)
    return redirect("agency-leads:entry-list")


def _suppress(call: Call, *, level: Suppression.Level, actor: User) -> None:
    if not call.person_number:
        raise Http404
    suppress(
        level=level,
        client_id=call.client_id,
        campaign_id=None,
        phone_number=call.person_number,
        source=Suppression.Source.PERSON,
        reason=_("From the page of a call"),
        call_id=call.pk,
        actor=actor,
        now=clock.now(),
    )
