"""The link to one call: made and taken back on its page, opened by whoever has it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import client_manager, get_visible_or_404
from campaigns.forms.shares import ShareForm
from campaigns.models import CallShare
from campaigns.queries.transcripts import Turn, script_of
from campaigns.services.call_shares import (
    NothingShared,
    TooManyShares,
    find_share,
    note_opened,
    revoke_share,
    share_call,
)
from convomono.lib import clock
from convomono.lib.often import is_too_often
from telephony.models import Call, CallDetail
from telephony.sounds import sound_url

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from accounts.access import ClientRequest

A_MINUTE: Final = 60
PER_MINUTE: Final = 60  # times that one link may be opened
_TOO_MANY = 429


@client_manager
@require_POST
def call_share(request: ClientRequest, call_id: UUID) -> HttpResponse:
    call = get_visible_or_404(request, Call.objects.all(), call_id)
    form = ShareForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose what the link shows, and for how long."))
        return redirect("campaigns:call-detail", call.pk)
    try:
        share_call(
            call=call,
            shows=form.cleaned_data["shows"],
            days=form.cleaned_data["days"],
            actor=request.user,
            now=clock.real_now(),
        )
    except NothingShared:
        messages.error(request, _("Choose the transcript, the recording, or both."))
    except TooManyShares:
        messages.error(request, _("This call has ten links already: take one back first."))
    else:
        messages.success(request, _("Whoever has the link below can open it, without signing in."))
    return redirect("campaigns:call-detail", call.pk)


@client_manager
@require_POST
def share_revoke(request: ClientRequest, share_id: UUID) -> HttpResponse:
    shares = CallShare.objects.select_related("call")
    share = get_visible_or_404(request, shares, share_id)
    if revoke_share(share=share, actor=request.user, now=clock.real_now()):
        messages.success(request, _("The link leads nowhere any more."))
    return redirect("campaigns:call-detail", share.call_id)


@login_not_required
@require_GET
def shared_call(request: HttpRequest, token: str) -> HttpResponse:
    """Show what was shared of a call, and nothing else of it; the link is the right."""
    share = find_share(token, real_now=clock.real_now())
    if share is None:
        return _private(render(request, "campaigns/call_shared_gone.html", status=404))
    if _is_too_often(token):
        answer = render(request, "campaigns/call_shared_often.html", status=_TOO_MANY)
        answer["Retry-After"] = str(A_MINUTE)
        return _private(answer)
    note_opened(share=share, now=clock.real_now())
    detail = CallDetail.objects.filter(call=share.call).first()
    start = request.GET.get("t", "")
    context = {
        "share": share,
        "call": share.call,
        "turns": [one for one in script_of(detail) if isinstance(one, Turn)]
        if share.shows_transcript
        else [],
        "sound_url": sound_url(share.call, start=start) if share.shows_recording else "",
    }
    with timezone.override(share.client.time_zone):
        return _private(render(request, "campaigns/call_shared.html", context))


def _private(answer: HttpResponse) -> HttpResponse:
    """Keep the page out of indexes, caches and other sites' logs."""
    answer["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    answer["Cache-Control"] = "private, no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return answer


def _is_too_often(token: str) -> bool:
    name = f"shared:{hashlib.sha256(token.encode()).hexdigest()[:32]}"
    return is_too_often(name, most=PER_MINUTE, seconds=A_MINUTE, real_now=clock.real_now())
