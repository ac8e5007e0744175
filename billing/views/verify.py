"""A public page that says whether a statement, an invoice or a credit note is one of ours, as it was made."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_not_required
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from billing.services import find_genuine
from leads.upload_cap import CappedUpload, was_stopped

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MOST_BYTES = 100_000_000  # a month of some 400,000 calls


@csrf_exempt  # the cap must be set before the token is read from the body; then it is checked
@login_not_required
@require_http_methods(["GET", "POST"])
def statement_verify(request: HttpRequest) -> HttpResponse:
    # Anybody may send a file here: no more of it than this reaches the disk.
    request.upload_handlers = [
        CappedUpload(request, MOST_BYTES),
        TemporaryFileUploadHandler(request),
    ]
    return _statement_verify(request)


@csrf_protect
def _statement_verify(request: HttpRequest) -> HttpResponse:
    digest = _digest_of_file(request) if request.method == "POST" else request.GET.get("digest", "")
    found = find_genuine(digest=digest) if digest else None
    refused = was_stopped(request)
    context = {
        "digest": digest.strip()[:64],
        "found": found,
        "is_asked": bool(digest),
        "error": _("That file is larger than any paper of ours.") if refused else "",
    }
    status = 413 if refused else 200
    return render(request, "billing/statement_verify.html", context, status=status)


def _digest_of_file(request: HttpRequest) -> str:
    """Return the SHA-256 of what was sent, read in chunks; empty for no file or too large a one."""
    sent = request.FILES.get("statement")
    if sent is None or was_stopped(request):
        return ""
    digest = hashlib.sha256()
    for chunk in sent.chunks():
        digest.update(chunk)
    return digest.hexdigest()
