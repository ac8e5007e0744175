"""Reads an event of Retell's into values of ours; nearly everything in it may be missing."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from convomono.lib.money import micros_from_cents
from telephony.events import CallDetails, CallEvent, EventKind
from telephony.happenings import read_happenings
from telephony.transfers import BRIDGED, CANCELLED, STARTED

# That a transfer's leg ended says that there was one, and not whether somebody took it.
_TRANSFERS: Final = {
    "transfer_started": STARTED,
    "transfer_bridged": BRIDGED,
    "transfer_cancelled": CANCELLED,
    "transfer_ended": STARTED,
}
KINDS: Final[dict[str, EventKind]] = {
    "call_started": "started",
    "call_ended": "ended",
    "call_analyzed": "analyzed",
    "call_swept": "swept",
    **dict.fromkeys(_TRANSFERS, "transfer"),
}
# These tell nothing of how a call ended, whatever they hold: their call goes on, or its end tells it.
_OF_A_CALL_THAT_GOES_ON: Final = ("started", "transfer")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MS = 4_102_444_800_000  # the year 2100: what is later is no time but an accident
_LONGEST_MS = 7 * 24 * 3600 * 1000
_MOST_CENTS = 10_000_000


class PayloadUnusable(Exception):
    """The body isn't an event about a call; the message says what it lacks."""


def parse(body: str | bytes) -> Any:
    """
    Return the JSON value.

    :raises PayloadUnusable: if it is none: NaN, lone surrogates and endless nesting included
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PayloadUnusable(f"Not JSON: {error}") from None


def call_event(body: str | bytes) -> CallEvent:
    """
    Read a stored body.

    Source: Retell's call object (SDK 6.2.13) and one observed payload of a call that never
    connected, which lacks times, recording and transcript.

    :raises PayloadUnusable: if it is no event of a kind we apply, or names no call
    """
    payload = parse(body)
    call = payload.get("call") if isinstance(payload, dict) else None
    if not isinstance(call, dict) or not _text(call, "call_id", 100):
        raise PayloadUnusable("It names no call.")
    name = _text(payload, "event", 64)
    kind = KINDS.get(name)
    if kind is None:
        raise PayloadUnusable("It is no event that we apply.")
    goes_on, is_transfer = kind in _OF_A_CALL_THAT_GOES_ON, kind == "transfer"
    started_at = _instant(call, "start_timestamp")
    ended_at = _instant(call, "end_timestamp")
    status = _text(call, "call_status", 16) or ("ongoing" if goes_on else "")
    metadata = _mapping(call, "metadata")
    return CallEvent(
        kind=kind,
        provider_call_id=_text(call, "call_id", 100),
        event_ms=_whole(payload, "event_timestamp", most=_LATEST_MS) or 0,
        call_type=_text(call, "call_type", 16) or "phone_call",
        call_status="ongoing" if is_transfer else status,
        direction=_text(call, "direction", 8) or "outbound",
        agent_id=_text(call, "agent_id", 80),
        agent_version=_whole(call, "agent_version", most=2**31 - 1),
        from_number=_text(call, "from_number", 32),
        to_number=_text(call, "to_number", 32),
        disconnection_reason="" if goes_on else _text(call, "disconnection_reason", 64),
        started_at=started_at,
        ended_at=None if goes_on else ended_at,
        duration_ms=None if goes_on else _duration_ms(call, status, started_at, ended_at),
        user_spoke=_user_spoke(call),
        attempt_id=_uuid(metadata.get("attempt_id")),
        transfer_status=_TRANSFERS.get(name, ""),
        transfer_destination=_destination(payload, call) if is_transfer else "",
        details=CallDetails() if is_transfer else _details(call),
    )


def _destination(payload: dict[str, Any], call: dict[str, Any]) -> str:
    """Return whom a transfer is to; where Retell puts it, beside the call or in it, isn't documented."""
    name = "transfer_destination"
    return _text(payload, name, 200) or _text(call, name, 200)


def _details(call: dict[str, Any]) -> CallDetails:
    cost = _mapping(call, "call_cost")
    spoken = call.get("transcript_object")
    return CallDetails(
        transcript=_text(call, "transcript", None),
        transcript_object=spoken if isinstance(spoken, list) else [],
        happenings=read_happenings(call.get("transcript_with_tool_calls")),
        analysis=_mapping(call, "call_analysis"),
        call_cost=cost,
        retell_cost_micros=_cost_micros(cost),
        latency=_mapping(call, "latency"),
        dynamic_variables=_mapping(call, "retell_llm_dynamic_variables"),
        recording_url=_text(call, "recording_url", 1000),
        knowledge_url=_text(call, "knowledge_base_retrieved_contents_url", 1000),
    )


def _duration_ms(
    call: dict[str, Any], status: str, started_at: datetime | None, ended_at: datetime | None
) -> int | None:
    """Return connected time; None if the event doesn't tell."""
    told = _whole(call, "duration_ms", most=_LONGEST_MS)
    if told is not None:
        return told
    if status == "not_connected":
        return 0
    if started_at and ended_at and ended_at >= started_at:
        return (ended_at - started_at) // timedelta(milliseconds=1)
    return None


def _user_spoke(call: dict[str, Any]) -> bool:
    """Tell whether the person said something: never inferred from how long the call was."""
    for name in ("transcript_object", "transcript_with_tool_calls"):
        lines = call.get(name)
        if isinstance(lines, list) and any(map(_is_said_by_user, lines)):
            return True
    said = _text(call, "transcript", None)
    return any(line.removeprefix("User:").strip() for line in _user_lines(said))


def _user_lines(transcript: str) -> list[str]:
    return [line for line in transcript.splitlines() if line.startswith("User:")]


def _is_said_by_user(line: object) -> bool:
    if not isinstance(line, dict) or line.get("role") != "user":
        return False
    content = line.get("content")
    return isinstance(content, str) and bool(content.strip())


def _cost_micros(cost: dict[str, Any]) -> int | None:
    """Return Retell's fractional cents in micros of a dollar."""
    cents = cost.get("combined_cost")
    if isinstance(cents, bool) or not isinstance(cents, int | float) or not math.isfinite(cents):
        return None
    return micros_from_cents(min(max(cents, 0), _MOST_CENTS))


def _text(mapping: dict[str, Any], name: str, longest: int | None) -> str:
    """Return a text without NULs; empty if there is none."""
    value = mapping.get(name)
    return value.replace("\0", "")[:longest] if isinstance(value, str) else ""


def _whole(mapping: dict[str, Any], name: str, *, most: int) -> int | None:
    value = mapping.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and 0 <= value <= most else None


def _instant(mapping: dict[str, Any], name: str) -> datetime | None:
    stamp = _whole(mapping, name, most=_LATEST_MS)
    return _EPOCH + timedelta(milliseconds=stamp) if stamp else None


def _mapping(mapping: dict[str, Any], name: str) -> dict[str, Any]:
    value = mapping.get(name)
    return value if isinstance(value, dict) else {}


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
