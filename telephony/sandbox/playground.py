"""What an agent says next in a conversation without a phone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.sandbox.scripts import Script

_FAREWELL = re.compile(r"(?i)\b(good ?bye|bye|not interested|stop calling|no thanks?)\b")
_FIRST_SENTENCES = re.compile(r"^.*?[.!?](?:\s+.*?[.!?])?(?=\s|$)", re.DOTALL)
_LONGEST = 320


def next_line(
    script: Script, *, said: Sequence[str], asked: str, passages: Sequence[str]
) -> tuple[str, bool]:
    """Return the agent's next line and whether it hangs up; a question is answered if it can."""
    if _FAREWELL.search(asked):
        return "I understand. Thank you for your time, goodbye.", True
    if not asked or not said:
        opening = script.opening or f"Hello, I'm calling about {script.topic}."
        if not asked:
            return opening, False
    if passages:
        return _short(passages[0]), False
    if asked.rstrip().endswith("?"):
        return f"I don't have that at hand, but I can help you with {script.topic}.", False
    unsaid = [point for point in script.points if point not in said]
    if unsaid:
        return unsaid[0], False
    return f"So, shall we go ahead with {script.topic}?", False


def _short(passage: str) -> str:
    match = _FIRST_SENTENCES.match(passage)
    return (match[0] if match else passage)[:_LONGEST].strip()
