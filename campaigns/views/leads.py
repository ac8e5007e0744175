"""One lead: what was done with it, why, and what it agreed to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_visible_or_404
from campaigns.queries.leads import lead_page
from convomono.lib import clock
from leads.models import Lead
from leads.services import suppress

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_viewer
@require_GET
def lead_detail(request: ClientRequest, lead_id: UUID) -> HttpResponse:
    lead = get_visible_or_404(request, Lead.objects.select_related("lead_import"), lead_id)
    context = {
        "page": lead_page(lead, now=clock.now()),
        "may_manage": can_manage(request.user) and lead.erased_at is None,
        "zone": request.tenant.time_zone,
    }
    return render(request, "campaigns/lead_detail.html", context)


@client_manager
@require_POST
def lead_suppress(request: ClientRequest, lead_id: UUID) -> HttpResponse:
    lead = get_visible_or_404(request, Lead.objects.filter(erased_at=None), lead_id)
    suppress(
        level="client",
        client_id=lead.client_id,
        campaign_id=None,
        phone_number=lead.phone_number,
        source="person",
        reason=_("From the page of a lead"),
        actor=request.user,
        now=clock.now(),
    )
    messages.success(request, _("Nobody at your company will call this number again."))
    return redirect("campaigns:lead-detail", lead.pk)
