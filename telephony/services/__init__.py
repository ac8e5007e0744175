"""What happens to calls and to the numbers we call from."""

from __future__ import annotations

from telephony.services.calls import (
    PlacedAttempt,
    apply_event,
    forget_calls,
    is_expecting_news,
    record_placed_call,
    record_settlement,
)
from telephony.services.numbers import (
    NumberExists,
    NumberIsReleased,
    add_number,
    assign_number,
    buy_number,
    release_number,
    rest_number,
    touch_number,
)

__all__ = [
    "NumberExists",
    "NumberIsReleased",
    "PlacedAttempt",
    "add_number",
    "apply_event",
    "assign_number",
    "buy_number",
    "forget_calls",
    "is_expecting_news",
    "record_placed_call",
    "record_settlement",
    "release_number",
    "rest_number",
    "touch_number",
]
