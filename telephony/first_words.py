"""When the agent spoke first, as the times of a transcript's words tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# Source: 16 CFR 310.4(b)(4)(i) and 47 CFR 64.1200(a)(7): somebody has to speak within two seconds of the
# called person's completed greeting.
ABANDONED_AFTER_MS: Final = 2_000
# Stands where the agent never spoke: later than any word, and all that a column of 31 bits holds.
NEVER_SPOKE_MS: Final = 2**31 - 1
_LONGEST_SECONDS: Final = 7 * 24 * 3600


def agent_first_word_ms(turns: Iterable[object]) -> int | None:
    """
    Return after how many milliseconds the agent said its first word.

    Counted from the end of the person's greeting if the person spoke first, else from the start of the
    audio; 0 where it fell into the greeting. A greeting ends where two seconds of silence follow.
    `NEVER_SPOKE_MS` if somebody spoke and the agent never did; None where no words, or not all that this
    hangs on, have times. `turns` is Retell's `transcript_object`, of which anything may be missing.
    """
    heard: list[tuple[float, float]] = []
    is_timed, has_spoken = True, False
    for turn in turns:
        role = turn.get("role") if isinstance(turn, dict) else None
        if role not in ("agent", "user") or not _says_something(turn):
            continue
        words = _times(turn)
        if role == "agent":
            return _since(heard, words[0][0]) if words and is_timed else None
        heard += words
        is_timed, has_spoken = is_timed and bool(words), True
    return NEVER_SPOKE_MS if has_spoken else None


def _since(heard: list[tuple[float, float]], first: float) -> int:
    """Return the milliseconds from the end of the greeting to the agent's first word."""
    before = sorted(word for word in heard if word[0] < first)
    greeted = before[0][1] if before else 0.0
    for start, end in before:
        if (start - greeted) * 1000 > ABANDONED_AFTER_MS:
            break
        greeted = max(greeted, end)
    return max(0, round((first - greeted) * 1000))


def _says_something(turn: Any) -> bool:
    content = turn.get("content")
    return bool(turn.get("words")) or (isinstance(content, str) and bool(content.strip()))


def _times(turn: Any) -> list[tuple[float, float]]:
    """Return from when to when each word of a turn is heard, in seconds; a word without a time is left out."""
    words = turn.get("words")
    found = []
    for word in words if isinstance(words, list) else ():
        start = _seconds(word, "start")
        if start is not None:
            end = _seconds(word, "end")
            found.append((start, start if end is None else max(start, end)))
    return sorted(found)


def _seconds(word: object, name: str) -> float | None:
    value = word.get(name) if isinstance(word, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if 0 <= value <= _LONGEST_SECONDS else None
