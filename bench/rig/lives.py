"""What Retell tells of calls from beginning to end, in the order in which it would arrive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bench.rig.deliveries import TURN, TURN_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of ten calls five reach a person and two a machine; the others nobody.
ENDINGS = (*["user_hangup"] * 5, *["voicemail_reached"] * 2, *["dial_no_answer"] * 2, "dial_busy")
CONNECTED = frozenset({"user_hangup", "voicemail_reached"})
CALLS_A_SECOND = 50
RING_SECONDS, TALK_SECONDS = 15.0, 30.0
ANALYSIS_SECONDS = {True: 5.0, False: 1.0}
FIRST_MS = 1_790_000_000_000
BODY_BYTES = 4096
ANALYSIS = {
    "call_summary": "They talked about the check-up on Friday, and it suits.",
    "user_sentiment": "Positive",
    "call_successful": True,
    "custom_analysis_data": {"converted": True},
}


def bodies(start: int, count: int) -> list[bytes]:
    """Return the events of so many calls, as deliveries of one stream; calls are numbered as they ring."""
    told = [one for number in range(start, start + count) for one in _life(number, number - start)]
    return [json.dumps(body).encode() for _, body in sorted(told, key=lambda one: one[0])]


def _life(number: int, place: int) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield the events of a call, each with the second at which it comes."""
    reason = ENDINGS[place % len(ENDINGS)]
    is_connected = reason in CONNECTED
    began = place / CALLS_A_SECOND
    picked_up = FIRST_MS + int(began * 1000)
    call: dict[str, Any] = {
        "call_type": "phone_call",
        "call_id": f"call_{number:032x}",
        "agent_id": "agent_bench",
        "agent_version": 1,
        "direction": "outbound",
        "from_number": "+12135550100",
        "to_number": f"+1213{number % 10_000_000:07}",
    }
    over = {"call_status": "not_connected", "disconnection_reason": reason, "duration_ms": 0}
    ended = began + RING_SECONDS
    if is_connected:
        started = {"call_status": "ongoing", "start_timestamp": picked_up}
        yield began, _event("call_started", {**call, **started}, picked_up)
        ended, length = began + TALK_SECONDS, int(TALK_SECONDS * 1000) + number % 30_000
        over = _talked(reason, picked_up, length)
    at = picked_up + 60_000
    yield ended, _event("call_ended", {**call, **over}, at)
    is_machine = reason == "voicemail_reached"
    found = {**ANALYSIS, "in_voicemail": is_machine} if is_connected else {"call_summary": ""}
    analysed = ended + ANALYSIS_SECONDS[is_connected]
    yield analysed, _event("call_analyzed", {**call, **over, "call_analysis": found}, at + 1)


def _talked(reason: str, picked_up: int, length: int) -> dict[str, Any]:
    turns = [TURN, {**TURN, "role": "user"}] * (BODY_BYTES // TURN_BYTES // 2)
    return {
        "call_status": "ended",
        "disconnection_reason": reason,
        "start_timestamp": picked_up,
        "end_timestamp": picked_up + length,
        "duration_ms": length,
        "transcript": "Agent: Hello.\nUser: Hello.\n",
        "transcript_object": turns,
        "latency": {"e2e": {"p50": 980.0, "p90": 1372.0, "num": 3}},
        "call_cost": {"combined_cost": 17.7333333, "product_costs": []},
        "recording_url": "https://recordings.invalid/one.wav",
    }


def _event(name: str, call: dict[str, Any], at: int) -> dict[str, Any]:
    return {"event": name, "call": call, "event_timestamp": at}
