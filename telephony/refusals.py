"""What a status code of Retell means to us: refused, busy, or nobody knows."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from telephony.provider import (
    DoNotCall,
    NotFound,
    PaymentRequired,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorised,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_DO_NOT_CALL = re.compile(r"do.?not.?call|\bdnc\b", re.IGNORECASE)
_MAYBE_DONE = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT}
_KINDS: dict[int, type[Rejected]] = {
    HTTPStatus.UNAUTHORIZED: Unauthorised,
    HTTPStatus.PAYMENT_REQUIRED: PaymentRequired,
    HTTPStatus.NOT_FOUND: NotFound,
}


def refusal(
    *, status: int, body: object, headers: Mapping[str, str], lost: type[ProviderError]
) -> ProviderError:
    """Name a 4xx or 5xx; lost is what it is when the request may have taken effect after all."""
    message = _message(status, body)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(message, _wait_seconds(headers))
    if status in _MAYBE_DONE or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return lost(message)
    return _rejection(status, message)(message, status)


def _rejection(status: int, message: str) -> type[Rejected]:
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and "cannot find" in message.lower():
        return NotFound  # Retell's usual "not found"
    if status == HTTPStatus.BAD_REQUEST and _DO_NOT_CALL.search(message):
        return DoNotCall
    return _KINDS.get(status, Rejected)


def _message(status: int, body: object) -> str:
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return f"Retell answered {status}."


def _wait_seconds(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue  # absent, or a date: the caller's own back-off serves
    return None
