"""What a status code of Retell or Twilio means to us: refused, busy, or nobody knows."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from telephony.provider import (
    DoNotCall,
    NotFound,
    PaymentRequired,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorised,
    Unavailable,
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
    *,
    status: int,
    body: object,
    headers: Mapping[str, str],
    lost: type[ProviderError],
    who: str = "Retell",
) -> ProviderError:
    """Name a 4xx or 5xx; lost is what it is when the request may have taken effect after all."""
    message = _message(status, body, who)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(message, _wait_seconds(headers))
    if status in _MAYBE_DONE or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return lost(message)
    return _rejection(status, message)(message, status)


def explained(error: ProviderError, *, who: str) -> str:
    """Return what a person reads of a failure of Retell or Twilio, and may do about it."""
    if isinstance(error, RateLimited):
        if error.wait_seconds is None:
            return _("%(who)s is busy. Try again in a minute.") % {"who": who}
        seconds = max(1, round(error.wait_seconds))
        return _("%(who)s is busy. Try again in %(seconds)s s.") % {"who": who, "seconds": seconds}
    if isinstance(error, Unavailable):
        return _("%(who)s can't be reached just now. Try again in a minute.") % {"who": who}
    if isinstance(error, Unauthorised):
        return _("%(who)s refuses our key. Check the variables it is set by.") % {"who": who}
    return str(error)


def _rejection(status: int, message: str) -> type[Rejected]:
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and "cannot find" in message.lower():
        return NotFound  # Retell's usual "not found"
    if status == HTTPStatus.BAD_REQUEST and _DO_NOT_CALL.search(message):
        return DoNotCall
    return _KINDS.get(status, Rejected)


def _message(status: int, body: object, who: str) -> str:
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])
    return f"{who} answered {status}."


def _wait_seconds(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue  # absent, or a date: the caller's own back-off serves
    return None
