"""Whether the beginning of a call said what it must: who calls, that an AI calls, that it is recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, groupby
from typing import TYPE_CHECKING, Any, Final, TypedDict

from telephony.disclosure.ai import tells_ai
from telephony.disclosure.naming import names
from telephony.disclosure.recording import tells_recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME: Final = "name"
AI: Final = "ai"
RECORDING: Final = "recording"
NOTICES: Final = (NAME, AI, RECORDING)
# What else is kept of a call that was looked at: nothing is missing; the call ended before the opening did; a
# notice is asked for in a language whose words for it nobody has written down.
GIVEN: Final = "given"
CUT: Final = "cut"
UNREAD: Final = "unread"
# Each way of leaving something out, as it is kept: the codes in their order.
MISSES: Final = tuple(" ".join(some) for size in (1, 2, 3) for some in combinations(NOTICES, size))

# An opening is two turns of the agent's that say something, and no more than this of them.
_TURNS: Final = 2
_MOST_TURNS: Final = 4
_MOST_CHARS: Final = 600
_FEWEST_WORDS: Final = 6  # "Hello? Is this Anna?" is no turn of its own
_UNPUNCTUATED_CHARS: Final = 40
_ENDS: Final = re.compile(r"[.!?…]['\"”\u2019)]*\s*$")


class MustSay(TypedDict):
    """
    What the agent has to say first in one call, as it was decided when the call was dialled.

    The business is always named; `notices` are the others, asked for by `rules`. `languages` ("en-US") are what
    the agent speaks.
    """

    business: str
    languages: list[str]
    notices: list[str]
    rules: list[str]


@dataclass(frozen=True, slots=True)
class Opening:
    """
    What the agent said first; what follows is no part of it once it `is_whole`.

    `is_cut` if the call ended before: nobody answered the agent, or it broke off in the middle of a sentence.
    """

    text: str
    is_whole: bool
    is_cut: bool


def misses_with(notice: str) -> tuple[str, ...]:
    """Return each kept value that leaves out this notice."""
    return tuple(miss for miss in MISSES if notice in miss.split())


def judged(turns: object, must_say: Mapping[str, Any]) -> str:
    """
    Return what a call keeps of its opening: `GIVEN`, `CUT`, `UNREAD` or one of `MISSES`.

    Empty if nothing is asked of it or the agent never spoke. `turns` is Retell's `transcript_object`, of which
    anything may be missing.
    """
    if not must_say or not isinstance(turns, list):
        return ""
    opening = opening_of(turns)
    if not opening.text:
        return ""
    left_out, is_read = missing(
        opening.text,
        business=must_say["business"],
        languages=tuple(must_say["languages"]),
        notices=tuple(must_say["notices"]),
    )
    if left_out:
        return CUT if opening.is_cut else " ".join(left_out)
    return GIVEN if is_read else UNREAD


@lru_cache(
    maxsize=256
)  # the analysis of a call brings the same transcript as its end, seconds later
def missing(
    text: str, *, business: str, languages: tuple[str, ...], notices: tuple[str, ...]
) -> tuple[tuple[str, ...], bool]:
    """Return what an opening leaves out, and whether all that is asked for could be looked for."""
    said: dict[str, bool | None] = {NAME: names(text, business)}
    if AI in notices:
        said[AI] = tells_ai(text, languages, business=business)
    if RECORDING in notices:
        said[RECORDING] = tells_recording(text, languages)
    left_out = tuple(notice for notice, is_said in said.items() if is_said is False)
    return left_out, None not in said.values()


def opening_of(turns: Iterable[object]) -> Opening:
    """Return the agent's first turns: until two of them said something, four in all, or 600 characters."""
    spoken = [(role, text) for role, text in map(_read, turns) if text]
    said: list[str] = []
    counted, chars = 0, 0
    for role, group in groupby(spoken, key=lambda turn: turn[0]):
        if role != "agent":
            continue
        if counted == _TURNS or len(said) == _MOST_TURNS or chars >= _MOST_CHARS:
            break
        text = " ".join(text for _role, text in group)
        said.append(text)
        counted += len(text.split()) >= _FEWEST_WORDS
        chars += len(text)
    text = "\n".join(said)[:_MOST_CHARS]
    is_whole = counted == _TURNS or len(said) == _MOST_TURNS or chars >= _MOST_CHARS
    is_unanswered = bool(spoken) and spoken[-1][0] == "agent"
    is_cut = not is_whole and (is_unanswered or _breaks_off(text))
    return Opening(text, is_whole, is_cut)


def _read(turn: object) -> tuple[str, str]:
    """Return who speaks and what; nothing for what isn't speech."""
    if not isinstance(turn, dict) or turn.get("role") not in ("agent", "user"):
        return "", ""
    content = turn.get("content")
    return str(turn["role"]), content.strip() if isinstance(content, str) else ""


def _breaks_off(text: str) -> bool:
    """Tell whether a text ends in the middle of a sentence; not of one that is written without any marks."""
    if _ENDS.search(text):
        return False
    return bool(re.search(r"[.!?,…]", text)) or len(text) < _UNPUNCTUATED_CHARS
