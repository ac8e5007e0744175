"""How a voice sounds: Retell's sample, fetched by us, as pages ask nobody else for anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_GET

from accounts.access import client_manager
from campaigns.voices import voice_choices
from convomono.lib.outbound import AddressRefused, AnswerRefused, Limits, Unreachable, fetch
from telephony.retell import retell_gateway

if TYPE_CHECKING:
    from accounts.access import ClientRequest

_LIMITS = Limits(
    seconds=8,
    bytes=3_000_000,
    redirects=2,
    types=("audio/mpeg", "audio/mp3", "audio/wav", "audio/x-wav", "audio/ogg", "audio/mp4"),
)
_KEPT_SECONDS = 24 * 3600
_OK = 200


@client_manager
@require_GET
def voice_sample(request: ClientRequest, voice_id: str) -> HttpResponse:
    choices = voice_choices(retell_gateway())
    url = next((one.preview_url for one in choices if one.voice_id == voice_id), "")
    if not url:
        raise Http404
    try:
        answer = fetch(url, limits=_LIMITS, trusted=settings.OUTBOUND_TRUSTED)
    except (AddressRefused, AnswerRefused, Unreachable):
        raise Http404 from None
    if answer.status != _OK:
        raise Http404
    sound = HttpResponse(answer.body, content_type=answer.headers.get("content-type", "audio/mpeg"))
    sound["Cache-Control"] = f"private, max-age={_KEPT_SECONDS}"
    sound["X-Content-Type-Options"] = "nosniff"
    return sound
