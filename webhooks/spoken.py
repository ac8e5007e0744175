"""Passes on what is said in a call while it is said: to open pages, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from convomono.lib import live
from webhooks.payloads import PayloadUnusable, parse

if TYPE_CHECKING:
    from webhooks.deliveries import Delivery

SPOKEN: Final = "transcript_updated"
_MOST_TURNS: Final = 40
_LONGEST_TURN: Final = 600


def pass_on(delivery: Delivery) -> None:
    """Publish the latest turns of a signed event; it isn't stored, and a body without any is nothing."""
    if delivery.event_type != SPOKEN or not delivery.provider_call_id:
        return
    try:
        call = parse(delivery.body).get("call") or {}
    except (PayloadUnusable, AttributeError):
        return
    turns = [turn for line in _lines(call) if (turn := _turn(line)) is not None]
    if turns:
        live.said(provider_call_id=delivery.provider_call_id, turns=turns[-_MOST_TURNS:])


def _lines(call: dict[str, Any]) -> list[Any]:
    for name in ("transcript_with_tool_calls", "transcript_object"):
        lines = call.get(name)
        if isinstance(lines, list) and lines:
            return lines
    return []


def _turn(line: object) -> dict[str, Any] | None:
    """Return who said what; tool calls and whatever else stands there are none of it."""
    if not isinstance(line, dict) or line.get("role") not in ("agent", "user"):
        return None
    content = line.get("content")
    if not isinstance(content, str) or not content.strip():
        return None
    words = line.get("words")
    first = words[0] if isinstance(words, list) and words else None
    start = first.get("start") if isinstance(first, dict) else None
    at_seconds = float(start) if isinstance(start, int | float) else None
    return {"speaker": line["role"], "text": content[:_LONGEST_TURN], "at_seconds": at_seconds}
