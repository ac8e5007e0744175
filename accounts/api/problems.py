"""One shape for every error of the API: problem+json (RFC 9457) with `code` and `fields`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from rest_framework.exceptions import (
    APIException,
    NotFound,
    PermissionDenied as ApiPermissionDenied,
    ValidationError,
)
from rest_framework.views import exception_handler

if TYPE_CHECKING:
    from rest_framework.response import Response


class BodyTooLarge(APIException):
    """The body is larger than any request of the API has to be."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"
    default_detail = "The body is too large: send it in parts."


class Conflict(APIException):
    """The request is fine, but not in the state things are in."""

    status_code = HTTPStatus.CONFLICT
    default_code = "conflict"


def problem_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Turn whatever a view raised into a problem; None for what is a bug (a 500 elsewhere)."""
    if isinstance(exc, Http404):
        exc = NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = ApiPermissionDenied()
    elif isinstance(exc, RequestDataTooBig):
        exc = BodyTooLarge()
    response = exception_handler(exc, context)
    if response is None:
        return None
    response.data = _problem(exc, response.status_code)
    response.content_type = "application/problem+json"
    return response


def _problem(exc: Exception, status: int) -> dict[str, Any]:
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": getattr(exc, "default_code", "error"),
    }
    if isinstance(exc, ValidationError):
        problem["detail"] = "Some fields are missing or wrong."
        problem["fields"] = exc.detail if isinstance(exc.detail, dict) else {"": exc.detail}
    elif isinstance(exc, APIException):
        problem["detail"] = str(exc.detail)
        codes = exc.get_codes()
        problem["code"] = codes if isinstance(codes, str) else problem["code"]
    return problem
