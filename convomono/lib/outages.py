"""What a request gets that failed, or was for nothing we have: a page, or a problem for programs."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.http import HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views.defaults import page_not_found, server_error as broken

from convomono.lib.db import outage

if TYPE_CHECKING:
    from django.http import HttpRequest

RETRY_AFTER_SECONDS = 5
_UNAVAILABLE = (
    "The database does not answer. Look whether this request took effect before you send it again."
)
_BROKEN = "This is our mistake, and it is in our log. Look whether the request took effect before you send it again."


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request that ended in an exception; Django logs it, and `settings/logs.py` shortens it."""
    is_for_programs = _is_for_programs(request)
    if not outage(sys.exc_info()[1]):
        failed = HTTPStatus.INTERNAL_SERVER_ERROR
        return _problem(failed, "server_error", _BROKEN) if is_for_programs else broken(request)
    answer: HttpResponse
    if is_for_programs:
        answer = _problem(HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable", _UNAVAILABLE)
    else:
        answer = HttpResponse(render_to_string("503.html"), status=HTTPStatus.SERVICE_UNAVAILABLE)
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for an address that leads nowhere."""
    if _is_for_programs(request):
        return _problem(HTTPStatus.NOT_FOUND, "not_found", "There is no such address.")
    return page_not_found(request, exception)


def _is_for_programs(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def _problem(status: HTTPStatus, code: str, detail: str) -> JsonResponse:
    """Return what the API's own views answer to an error (`accounts.api.problems`)."""
    told = {"type": "about:blank", "title": status.phrase, "status": status}
    told |= {"code": code, "detail": detail}
    return JsonResponse(told, status=status, content_type="application/problem+json")
