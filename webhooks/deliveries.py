"""What a signed delivery is, told from its bytes alone: its key, its kind, whether we can use it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from webhooks.models import WebhookEvent
from webhooks.payloads import KINDS, PayloadUnusable, parse

_Status = WebhookEvent.Status
# The drain applies these; their call takes part in the key.
_APPLIED = frozenset(KINDS) - {"call_swept"}  # that is the sweeper's own
_ONCE_PER_CALL = frozenset({"call_started", "call_ended"})
# Each turn of each live call: the whole transcript comes with call_ended.
_NOT_KEPT = frozenset({"transcript_updated"})
_LONGEST_CALL_ID = 100
_LONGEST_TYPE = 64


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the inbox before it is one; `is_kept` is False for what is acknowledged and dropped."""

    key: str
    event_type: str
    provider_call_id: str
    status: str
    body: str
    error: str = ""
    is_kept: bool = True


def read_delivery(body: bytes) -> Delivery:
    """Tell what the body is; whatever a valid signature stands under becomes a row."""
    try:
        text = body.decode()
        payload = parse(body)
        return _event(payload, text, body)
    except UnicodeDecodeError:
        return _dead(body, "Not UTF-8.")
    except PayloadUnusable as error:
        return _dead(body, str(error))


def is_same_news(first: str, second: str) -> bool:
    """Tell whether two bodies say the same; a repeated delivery may carry a new event_timestamp."""
    if first == second:
        return True
    try:
        return bool(_news(parse(first)) == _news(parse(second)))
    except PayloadUnusable:
        return False


def _news(payload: Any) -> Any:
    return payload.get("call") if isinstance(payload, dict) else payload


def _event(payload: Any, text: str, body: bytes) -> Delivery:
    if not isinstance(payload, dict):
        raise PayloadUnusable("It is no event.")
    event_type, call_id = payload.get("event"), _call_id(payload)
    if not isinstance(event_type, str) or not event_type or "\0" in event_type:
        raise PayloadUnusable("It names no event.")
    if event_type in _APPLIED:
        _check_call_id(call_id)
        return Delivery(_key(event_type, call_id, body), event_type, call_id, _Status.PENDING, text)
    event_type = event_type[:_LONGEST_TYPE]
    known = call_id if len(call_id) <= _LONGEST_CALL_ID and "\0" not in call_id else ""
    key = f"{event_type}:{body_digest(body)}"
    is_kept = event_type not in _NOT_KEPT
    return Delivery(key, event_type, known, _Status.IGNORED, text, is_kept=is_kept)


def _call_id(payload: dict[str, Any]) -> str:
    call = payload.get("call")
    call_id = call.get("call_id") if isinstance(call, dict) else None
    return call_id if isinstance(call_id, str) else ""


def _check_call_id(call_id: str) -> None:
    if not call_id or len(call_id) > _LONGEST_CALL_ID or "\0" in call_id:
        raise PayloadUnusable("It names no call.")


def _key(event_type: str, call_id: str, body: bytes) -> str:
    if event_type in _ONCE_PER_CALL:
        return f"{call_id}:{event_type}"
    return f"{event_type}:{body_digest(body)}"


def _dead(body: bytes, error: str) -> Delivery:
    text = body.decode(errors="backslashreplace")
    return Delivery(f"dead:{body_digest(body)}", "", "", _Status.DEAD, text, error[:400])


def body_digest(body: bytes) -> str:
    """Return the SHA-256 of a body, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()
