"""What a request gets that the database could not serve: 503 and when to come again, as a page or as a problem."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.http import HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views.defaults import server_error as broken

from convomono.lib.db import outage

if TYPE_CHECKING:
    from django.http import HttpRequest

RETRY_AFTER_SECONDS = 5
PROBLEM = {
    "type": "about:blank",
    "title": HTTPStatus.SERVICE_UNAVAILABLE.phrase,
    "status": HTTPStatus.SERVICE_UNAVAILABLE,
    "code": "database_unavailable",
    "detail": "The database does not answer. Look whether this request took effect before you send it again.",
}


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request that ended in an exception; Django logs it, and `settings/logs.py` shortens it."""
    if not outage(sys.exc_info()[1]):
        return broken(request)
    answer: HttpResponse
    if request.path.startswith("/api/"):
        answer = JsonResponse(PROBLEM, content_type="application/problem+json")
    else:
        answer = HttpResponse(render_to_string("503.html"))
    answer.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer
