"""Large files in parts: each part is kept at once, so a broken connection costs one part only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import client_manager
from convomono.lib.files import append_stored, folder_bytes, stored_size

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.access import ClientRequest

PART_MAX_BYTES = 8 * 1024 * 1024
# A client's unfinished uploads: how many, and as many files of the largest size.
MOST_UPLOADS, MOST_FILES = 20, 4
_CONFLICT, _TOO_LARGE = 409, 413


def part_name(client_id: UUID, upload_id: UUID) -> str:
    """Return where a growing upload is kept: one client never sees another's."""
    return f"parts/{client_id}/{upload_id}"


def _is_full(client_id: UUID) -> bool:
    """Tell whether a client's unfinished uploads take as much room as they may."""
    count, size = folder_bytes(f"parts/{client_id}")
    return count >= MOST_UPLOADS or size >= MOST_FILES * settings.LEAD_UPLOAD_MAX_BYTES


@client_manager
@require_http_methods(["GET", "POST"])
def import_part(request: ClientRequest, part_key: UUID) -> HttpResponse:
    """
    Say how much of an upload is here (GET), or take the bytes from offset `?at=` on (POST).

    Answers {"size": bytes so far}; 409 with the same if `at` leaves a gap.
    """
    name = part_name(request.tenant.pk, part_key)
    if request.method == "GET":
        return JsonResponse({"size": stored_size(name)})
    asked = request.GET.get("at", "")[:15]
    at = int(asked) if asked.isascii() and asked.isdigit() else 0
    chunk = request.read(PART_MAX_BYTES + 1)
    if len(chunk) > PART_MAX_BYTES or at + len(chunk) > settings.LEAD_UPLOAD_MAX_BYTES:
        return JsonResponse({"detail": _("The file is too large.")}, status=_TOO_LARGE)
    if at == 0 and not stored_size(name) and _is_full(request.tenant.pk):
        text = _("Too many uploads wait unfinished. Finish them, or try again in two days.")
        return JsonResponse({"detail": text}, status=_TOO_LARGE)
    try:
        return JsonResponse({"size": append_stored(name, chunk, at=at)})
    except ValueError:
        return JsonResponse({"size": stored_size(name)}, status=_CONFLICT)
