"""What was done during a call besides talking: functions called, keys pressed, messages sent."""

from __future__ import annotations

from typing import Any, Final, Literal, TypedDict

_SPOKEN: Final = ("agent", "user", "transfer_target")
_MOST: Final = 100
_LONGEST: Final = 2_000

type Kind = Literal["function", "key", "message", "note", "step"]


class Happening(TypedDict):
    """
    One thing done; `after` counts the spoken turns before it.

    `given` is what it was called with, `result` what came back (empty until it is known), `went_well`
    what Retell says of it, or None.
    """

    after: int
    kind: Kind
    name: str
    given: str
    result: str
    went_well: bool | None


def read_happenings(woven: object) -> list[Happening]:
    """
    Read Retell's woven transcript without what is said; anything unknown or broken is left out.

    Source: `transcript_with_tool_calls` of the call object (SDK 6.2.13).
    """
    found: list[Happening] = []
    calls: dict[str, Happening] = {}
    spoken = 0
    for entry in woven if isinstance(woven, list) else ():
        if not isinstance(entry, dict):
            continue
        role = entry.get("role")
        if role in _SPOKEN:
            spoken += 1
        elif role == "tool_call_result":
            _add_result(calls.get(_text(entry, "tool_call_id")), entry)
        elif (happening := _read(role, entry, spoken)) is not None and len(found) < _MOST:
            found.append(happening)
            if role == "tool_call_invocation":
                calls[_text(entry, "tool_call_id")] = happening
    return found


def _read(role: object, entry: dict[str, Any], after: int) -> Happening | None:
    if role == "tool_call_invocation":
        return _happening(after, "function", _text(entry, "name"), _text(entry, "arguments"))
    if role == "dtmf":
        return _happening(after, "key", _text(entry, "digit"))
    if role == "sms":
        return _happening(after, "message", "", _text(entry, "content"))
    if role == "injected":
        return _happening(after, "note", "", _text(entry, "content"))
    if role in ("node_transition", "state_transition"):
        name = _text(entry, "new_node_name") or _text(entry, "new_state_name")
        return _happening(after, "step", name) if name else None
    return None


def _happening(after: int, kind: Kind, name: str, given: str = "") -> Happening:
    return {
        "after": after,
        "kind": kind,
        "name": name,
        "given": given,
        "result": "",
        "went_well": None,
    }


def _add_result(call: Happening | None, entry: dict[str, Any]) -> None:
    if call is None:
        return
    call["result"] = _text(entry, "content")
    went_well = entry.get("successful")
    call["went_well"] = went_well if isinstance(went_well, bool) else None


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    return value.replace("\0", "")[:_LONGEST] if isinstance(value, str) else ""
