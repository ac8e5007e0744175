"""Webhook signatures of Retell, on bytes and without its SDK, for the intake's short path."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TOLERANCE_MS = 300_000
_SIGNATURE = re.compile(rb"v=([0-9]{1,19}),d=([0-9a-f]{64})")


def sign(body: bytes, key: bytes, stamp_ms: int) -> str:
    """Return the header that Retell would send with these bytes."""
    return f"v={stamp_ms},d={_digest(body, key, stamp_ms)}"


def is_signature(header: bytes) -> bool:
    """Tell whether a header has the form of a signature, whoever made it up."""
    return _SIGNATURE.fullmatch(header) is not None


def verify_signature(body: bytes, header: bytes | str, keys: Sequence[bytes], now_ms: int) -> bool:
    """
    Tell whether one of the keys signed body, with a timestamp at most five minutes from now_ms.

    The same rules as the SDK's verify, and False where that one raises. now_ms is real time.
    Source: retell-sdk 6.2.13, lib/webhook_auth.py.
    """
    if isinstance(header, str):
        header = header.encode("latin-1", "replace")
    match = _SIGNATURE.fullmatch(header)
    if match is None:
        return False
    stamp = int(match[1])
    if abs(now_ms - stamp) > TOLERANCE_MS:
        return False
    digest = match[2].decode()
    found = False
    for key in keys:  # all of them, so that the time taken doesn't say which one fitted
        found |= hmac.compare_digest(_digest(body, key, stamp), digest)
    return found


def _digest(body: bytes, key: bytes, stamp_ms: int) -> str:
    return hmac.new(key, body + str(stamp_ms).encode(), hashlib.sha256).hexdigest()
