"""What was said and done in a call, line by line, as its page and a shared page show it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from campaigns.transfers import TOOL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telephony.happenings import Happening
    from telephony.lookups import Passage
    from telephony.models import CallDetail

_MOST_GIVEN = 12


@dataclass(frozen=True)
class Turn:
    """
    One thing said; `at_seconds` counts from the answer.

    `words_at` are the seconds at which each word of `text` begins, separated by spaces; empty where
    Retell doesn't tell them for every word. `passages` were looked up to say it.
    """

    speaker: str
    text: str
    at_seconds: float | None
    words_at: str = ""
    passages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done:
    """One thing done between two turns: `given` are the names and values it was done with."""

    done: str
    given: list[tuple[str, str]]
    result: str
    went_wrong: bool


def script_of(detail: CallDetail | None, passages: Sequence[Passage] = ()) -> list[Turn | Done]:
    """Return what was said and done, in order."""
    if detail is None:
        return []
    looked_up: dict[int, list[str]] = {}
    for passage in passages:
        if passage["response_id"] is not None:
            looked_up.setdefault(passage["response_id"], []).append(passage["text"])
    happenings: list[Happening] = detail.happenings
    lines: list[Turn | Done] = []
    for index, item in enumerate(detail.transcript_object):
        lines += [_done(one) for one in happenings if one["after"] == index]
        turn = _turn(item, looked_up) if isinstance(item, dict) else None
        if turn is not None:
            lines.append(turn)
    last = len(detail.transcript_object)
    return lines + [_done(one) for one in happenings if one["after"] >= last]


def loose_passages(lines: Sequence[Turn | Done], passages: Sequence[Passage]) -> list[str]:
    """Return the passages that belong to no line that is shown, each once."""
    shown = {text for line in lines if isinstance(line, Turn) for text in line.passages}
    return list(dict.fromkeys(one["text"] for one in passages if one["text"] not in shown))


def _turn(item: dict[str, Any], looked_up: Mapping[int, list[str]]) -> Turn | None:
    text = str(item.get("content") or "").strip()
    if not text or item.get("role") not in ("agent", "user"):
        return None
    starts = _word_starts(item)
    metadata = item.get("metadata")
    response_id = metadata.get("response_id") if isinstance(metadata, dict) else None
    passages = looked_up.get(response_id, ()) if isinstance(response_id, int) else ()
    return Turn(
        speaker=item["role"],
        text=text,
        at_seconds=starts[0] if starts else None,
        words_at=" ".join(f"{one:g}" for one in starts) if len(starts) == len(text.split()) else "",
        passages=tuple(passages) if item["role"] == "agent" else (),
    )


def _word_starts(item: dict[str, Any]) -> list[float]:
    """Return when each word begins; what comes after a word without a time isn't told."""
    words = item.get("words")
    starts: list[float] = []
    for word in words if isinstance(words, list) else ():
        start = word.get("start") if isinstance(word, dict) else None
        if isinstance(start, bool) or not isinstance(start, int | float):
            break
        starts.append(float(start))
    return starts


def _done(happening: Happening) -> Done:
    return Done(
        done=_what(happening),
        given=_given(happening["given"]),
        result=happening["result"] if happening["kind"] == "function" else "",
        went_wrong=happening["went_well"] is False,
    )


def _what(happening: Happening) -> str:
    name = happening["name"]
    if happening["kind"] == "function":
        known = {"end_call": _("Ended the call"), TOOL: _("Transferred the call")}
        name = TOOL if name.startswith(f"{TOOL}_") else name  # one for each person
        return known.get(name) or _("Used the function %(name)s") % {"name": name or "–"}
    if happening["kind"] == "key":
        return _("Pressed %(key)s") % {"key": name}
    if happening["kind"] == "message":
        return _("Sent a message")
    if happening["kind"] == "step":
        return _("Went on to %(name)s") % {"name": name}
    return _("Was told something during the call")


def _given(text: str) -> list[tuple[str, str]]:
    """Return the arguments of a function by name; a text that is none of that stands alone."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = text
    if isinstance(told, dict):
        pairs = list(told.items())[:_MOST_GIVEN]
        return [(str(name).replace("_", " ").capitalize(), _value(one)) for name, one in pairs]
    return [("", _value(told))] if told not in ("", None) else []


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
