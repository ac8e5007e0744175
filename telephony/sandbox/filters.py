"""The typed filters and the cursor of list-calls, version 3."""

from __future__ import annotations

import base64
import operator
from typing import TYPE_CHECKING, Any

from telephony.sandbox.refusals import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telephony.sandbox.calls import Call

type Criterion = dict[str, Any]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "sw": lambda value, wanted: str(value).startswith(wanted),
    "ew": lambda value, wanted: str(value).endswith(wanted),
    "co": lambda value, wanted: wanted in str(value),
    "in": lambda value, wanted: value in wanted,
    "bt": lambda value, wanted: wanted[0] <= value <= wanted[1],
}
_OPERATORS = {
    "string": {"eq", "ne", "sw", "ew", "co"},
    "number": {"eq", "ne", "gt", "ge", "lt", "le"},
    "enum": {"in"},
    "range": {"bt"},
    "boolean": {"eq"},
    "present": {"pr", "np"},
}
# Read from the call itself, cheaply; the others need its whole document.
_QUICK: dict[str, Callable[[Call], Any]] = {
    "batch_call_id": lambda call: call.batch_call_id,
    "call_id": lambda call: call.call_id,
    "call_status": lambda call: call.status,
    "call_type": lambda call: "phone_call",
    "data_storage_setting": lambda call: "everything",
    "direction": lambda call: "outbound",
    "disconnection_reason": lambda call: call.reason,
    "duration_ms": lambda call: None if call.live else call.duration_ms,
    "end_timestamp": lambda call: call.ended_ms if call.connected else None,
    "from_number": lambda call: call.from_number,
    "start_timestamp": lambda call: call.started_ms,
    "to_number": lambda call: call.to_number,
    "agent_tag": lambda call: call.agent.get("agent_tag"),
}
_PATHS = {
    "call_successful": ("call_analysis", "call_successful"),
    "combined_cost": ("call_cost", "combined_cost"),
    "e2e_latency_p50": ("latency", "e2e", "p50"),
    "in_voicemail": ("call_analysis", "in_voicemail"),
    "user_sentiment": ("call_analysis", "user_sentiment"),
}
_KEYED = ("custom_analysis_data", "custom_attributes", "dynamic_variables", "metadata")


def matches(criterion: Criterion, value: Any) -> bool:
    """
    Tell whether one typed filter lets a value through; an absent value passes only np and ne.

    :raises Refused: if type and op don't go together
    """
    kind, op = str(criterion.get("type")), str(criterion.get("op"))
    if op not in _OPERATORS.get(kind, set()):
        raise bad_request(f"Filter type {kind} has no operator {op}.")
    if kind == "present":
        return (value is not None) == (op == "pr")
    if value is None:
        return op == "ne"
    wanted = criterion["value"]
    # True is no number, and "5" no 5: metadata may hold anything.
    if kind in {"number", "range"} and (isinstance(value, bool) or not _is_number(value)):
        return False
    return _COMPARE[op](value, wanted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def select(
    calls: Iterable[Call],
    criteria: dict[str, Any],
    document: Callable[[Call], dict[str, Any]],
) -> list[Call]:
    """Return the calls that every filter lets through, in the order given."""
    quick = {name: it for name, it in criteria.items() if name in _QUICK}
    slow = {name: it for name, it in criteria.items() if name not in _QUICK}
    unknown = set(slow) - set(_PATHS) - set(_KEYED) - {"agent", "tool_calls"}
    if unknown:
        raise bad_request(f"Unknown filter {min(unknown)}.")
    found = [it for it in calls if all(matches(c, _QUICK[n](it)) for n, c in quick.items())]
    for name, criterion in slow.items():
        found = [call for call in found if _slow_match(call, name, criterion, document)]
    return found


def _slow_match(
    call: Call, name: str, criterion: Any, document: Callable[[Call], dict[str, Any]]
) -> bool:
    if name == "agent":
        return any(_is_agent(call, wanted) for wanted in criterion)
    if name == "tool_calls":
        return _has_tools(document(call), criterion)
    if name in _PATHS:
        return matches(criterion, _inside(document(call), _PATHS[name]))
    values = _keyed_values(call, name, document)
    return all(matches(it, values.get(it.get("key"))) for it in criterion)


def _inside(document: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = document
    for step in path:
        value = (value or {}).get(step)
    return value


def _keyed_values(
    call: Call, name: str, document: Callable[[Call], dict[str, Any]]
) -> dict[str, Any]:
    if name == "metadata":
        return call.metadata or {}
    if name == "dynamic_variables":
        return dict(call.variables)
    if name == "custom_attributes":
        return {}
    return _inside(document(call), ("call_analysis", "custom_analysis_data")) or {}


def _is_agent(call: Call, wanted: Criterion) -> bool:
    versions = wanted.get("version") or [call.agent["version"]]
    return call.agent["agent_id"] == wanted["agent_id"] and call.agent["version"] in versions


def _has_tools(document: dict[str, Any], criteria: list[Criterion]) -> bool:
    made = [
        item
        for item in document.get("transcript_with_tool_calls") or ()
        if item["role"] == "tool_call_invocation"
    ]
    return all(
        any(
            tool["name"] == wanted.get("name", tool["name"])
            and tool["type"] == wanted.get("type", tool["type"])
            and matches(wanted.get("success") or {"type": "present", "op": "pr"}, True)
            for tool in made
        )
        for wanted in criteria
    )


def cursor(call_id: str) -> str:
    return base64.urlsafe_b64encode(call_id.encode()).decode()


def page_of[T](
    items: list[T], *, limit: int, skip: int, after: str | None, key: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """Return one page and the cursor to the next; None when there is none."""
    start = skip
    if after is not None:
        keys = [cursor(key(item)) for item in items]
        if after not in keys:
            raise bad_request("pagination_key is invalid.")
        start = keys.index(after) + 1
    page = items[start : start + limit]
    more = len(items) > start + limit
    return page, cursor(key(page[-1])) if more and page else None
