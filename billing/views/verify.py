"""A public page that says whether a statement is one of ours, as it was issued."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_not_required
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from billing.services import find_statement

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MOST_BYTES = 100_000_000


@login_not_required
@require_http_methods(["GET", "POST"])
def statement_verify(request: HttpRequest) -> HttpResponse:
    digest = _digest_of_file(request) if request.method == "POST" else request.GET.get("digest", "")
    found = find_statement(digest=digest) if digest else None
    context = {"digest": digest.strip()[:64], "statement": found, "is_asked": bool(digest)}
    return render(request, "billing/statement_verify.html", context)


def _digest_of_file(request: HttpRequest) -> str:
    """Return the SHA-256 of what was sent, read in chunks; empty for no file or too large a one."""
    sent = request.FILES.get("statement")
    if sent is None or (sent.size or 0) > MOST_BYTES:
        return ""
    digest = hashlib.sha256()
    for chunk in sent.chunks():
        digest.update(chunk)
    return digest.hexdigest()
