"""Correcting what a call came to, from its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import client_manager, get_visible_or_404
from convomono.lib import clock
from telephony.models import Call
from telephony.services.calls import CallMovedOn
from webhooks.services.corrections import NotCorrectable, correct_outcome

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_manager
@require_POST
def call_outcome(request: ClientRequest, call_id: UUID) -> HttpResponse:
    call = get_visible_or_404(request, Call.objects.all(), call_id)
    correction = request.POST.get("outcome", "")
    if correction and correction not in Call.Correction.values:
        messages.error(request, _("Choose what the call came to."))
        return redirect("campaigns:call-detail", call.pk)
    try:
        correct_outcome(call=call, correction=correction, actor=request.user, now=clock.now())
    except NotCorrectable:
        messages.error(request, _("There is nothing to correct: the call isn't over."))
    except CallMovedOn:
        messages.error(request, _("News of this call came in just now. Try again."))
    else:
        said = (
            _("Corrected: lists and reports go by that now.")
            if correction
            else _("Taken back: lists and reports go by what was reported.")
        )
        messages.success(request, said)
    return redirect("campaigns:call-detail", call.pk)
