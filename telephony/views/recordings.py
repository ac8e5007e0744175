"""Listening to a call: the player on its page, and the link to the sound, which expires."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import FileResponse, Http404, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET, require_safe

from accounts.access import client_viewer, get_visible_or_404
from convomono.lib import clock, files
from convomono.lib.htmx import render_page
from telephony.models import Call, CallDetail, Recording
from telephony.recordings import FETCHED_WITHIN
from telephony.sounds import find_sound, sound_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from accounts.access import ClientRequest

_RANGE: Final = re.compile(r"bytes=([0-9]{1,12})-([0-9]{0,12})")
_CHUNK: Final = 65536
_PARTIAL, _UNSATISFIABLE = 206, 416


@client_viewer
@require_GET
def call_recording(request: ClientRequest, call_id: UUID) -> HttpResponse:
    call = get_visible_or_404(request, Call.objects.all(), call_id)
    start = request.GET.get("t", "")
    detail = CallDetail.objects.filter(call=call).only("recording_url").first()
    theirs = detail.recording_url if detail else ""
    context = {
        "call": call,
        "is_asked_from": bool(start),
        "sound_url": sound_url(call, start=start),
        "is_coming": bool(theirs) and settings.RECORDINGS_COPY and _is_coming(call),
        "provider_url": theirs if theirs.startswith("https://") else "",
    }
    return render_page(request, "telephony/call_recording.html", context, partial="call-recording")


def _is_coming(call: Call) -> bool:
    """Tell whether a worker is about to copy the sound, or tries again."""
    tried = Recording.objects.filter(call=call).values_list("status", flat=True).first()
    is_fresh = call.created_at > clock.now() - FETCHED_WITHIN
    return is_fresh and tried in (None, Recording.Status.PENDING)


@login_not_required
@require_safe
def recording_file(request: HttpRequest, token: str) -> HttpResponseBase:
    """Answer with the sound, or with the part of it that a player asks for; the link is the right."""
    recording = find_sound(token)
    if recording is None:
        raise Http404
    try:
        sound = files.open_stored(recording.stored_name)
    except FileNotFoundError:
        raise Http404 from None
    response = _answer(request.headers.get("Range", ""), sound, recording)
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-store"
    response["Content-Disposition"] = f'inline; filename="call{recording.stored_name[-4:]}"'
    return response


def _answer(wanted: str, sound: IO[bytes], recording: Recording) -> HttpResponseBase:
    size, kind = recording.size_bytes, recording.content_type
    match = _RANGE.fullmatch(wanted)
    if match is None:  # no range, or one of the rare kinds, which may be ignored
        return FileResponse(sound, content_type=kind)
    start = int(match[1])
    end = min(int(match[2] or size - 1), size - 1)
    if start > end:
        sound.close()
        return HttpResponse(status=_UNSATISFIABLE, headers={"Content-Range": f"bytes */{size}"})
    sound.seek(start)
    part = StreamingHttpResponse(_part(sound, end - start + 1), status=_PARTIAL, content_type=kind)
    part["Content-Range"] = f"bytes {start}-{end}/{size}"
    part["Content-Length"] = str(end - start + 1)
    return part


def _part(sound: IO[bytes], length: int) -> Iterator[bytes]:
    with sound:
        while length > 0 and (chunk := sound.read(min(_CHUNK, length))):
            length -= len(chunk)
            yield chunk
