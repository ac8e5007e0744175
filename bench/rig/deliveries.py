"""Signed Retell deliveries of any size, as complete HTTP requests ready to send."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from itertools import cycle, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KB = 1024
MIXED_SIZES = (4 * KB, 4 * KB, 4 * KB, 32 * KB, 128 * KB)
TURN = {
    "role": "agent",
    "content": "Hello Jane, your check-up is on Friday at ten. Does that still suit you?",
    "words": [
        {"word": "Hello", "start": 0.7, "end": 1.1},
        {"word": "Jane", "start": 1.2, "end": 1.6},
    ],
}
TURN_BYTES = len(json.dumps(TURN)) + 2


def event_body(number: int, *, size: int) -> bytes:
    """Return a call_ended event of about `size` bytes; each number is another call."""
    started = 1_790_000_000_000 + number
    call = {
        "call_type": "phone_call",
        "call_id": f"call_{number:032x}",
        "agent_id": f"agent_{number % 40:028x}",
        "agent_version": 1,
        "call_status": "ended",
        "direction": "outbound",
        "from_number": "+12135550100",
        "to_number": f"+1415555{number % 100:04d}",
        "start_timestamp": started,
        "end_timestamp": started + 61_234,
        "duration_ms": 61_234,
        "disconnection_reason": "user_hangup",
        "metadata": {"attempt_id": f"attempt-{number}"},
        "call_cost": {"combined_cost": 70, "total_duration_seconds": 61, "product_costs": []},
        "transcript_object": [],
    }
    document = {"event": "call_ended", "call": call}
    turns = max(0, size - len(json.dumps(document))) // TURN_BYTES
    call["transcript_object"] = [TURN] * turns
    return json.dumps(document).encode()


def signature(body: bytes, key: bytes) -> bytes:
    """Sign as Retell does: HMAC-SHA256 of the raw body followed by the milliseconds."""
    stamp = str(time.time_ns() // 1_000_000).encode()
    return b"v=%s,d=%s" % (stamp, hmac.new(key, body + stamp, hashlib.sha256).hexdigest().encode())


def request(body: bytes, *, path: str, host: str, key: bytes) -> bytes:
    """Return the HTTP request that delivers this body, signed now."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nX-Retell-Signature: "
    )
    return b"".join((head.encode(), signature(body, key), b"\r\n\r\n", body))


def requests(
    count: int, *, path: str, host: str, key: bytes, start: int, sizes: Sequence[int] = (4 * KB,)
) -> list[bytes]:
    """Return HTTP requests with that many different events, the sizes in turn."""
    numbers: Iterator[int] = iter(range(start, start + count))
    return [
        request(event_body(number, size=size), path=path, host=host, key=key)
        for number, size in zip(numbers, islice(cycle(sizes), count), strict=True)
    ]
