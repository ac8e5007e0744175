"""How an event joins what a call already knows, so that order and repeats don't matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.events import CallDetails, CallEvent

_RANKS: Final = {
    Call.Status.REGISTERED: 0,
    Call.Status.ONGOING: 1,
    Call.Status.ENDED: 2,
    Call.Status.NOT_CONNECTED: 2,
    Call.Status.ERROR: 2,
}
# What a call gets once, from whichever event says it first.
_FACTS: Final = (
    "agent_id",
    "agent_version",
    "from_number",
    "to_number",
    "started_at",
    "ended_at",
    "duration_ms",
    "disconnection_reason",
)
# An analysis is newer than any ending; what was fetched counts as one.
_KIND_ORDER: Final = {"started": 0, "ended": 1, "analyzed": 2, "swept": 2}
_STAMP_UNIT: Final = 10**15
_NEVER_NEWER: Final = 10**18
_PLAIN_PARTS: Final = ("latency", "dynamic_variables", "recording_url", "knowledge_url")
# The word for a call that Retell has no reason for, not even when asked.
NOT_REPORTED: Final = "not_reported"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an event that a newer event replaces as a whole."""

    name: str
    call_columns: Mapping[str, Any]
    detail_columns: Mapping[str, Any]


def merged_facts(call: Call, event: CallEvent) -> dict[str, Any]:
    """
    Return the columns of the call that this event changes, without the parts of `newer_parts`.

    The status only moves forward. A fact is kept as it first came: what was billed by must not
    change under the bill.
    """
    changes: dict[str, Any] = {}
    status = event.call_status
    if status in _RANKS and _RANKS[Call.Status(status)] > _RANKS[Call.Status(call.status)]:
        changes["status"] = status
    for name in _FACTS:
        value = getattr(event, name)
        if value not in (None, "") and getattr(call, name) in (None, ""):
            changes[name] = value
    if event.user_spoke and not call.user_spoke:
        changes["user_spoke"] = True
    if event.kind == "swept" and changes.get("status", call.status) in Call.OVER:
        _settle_for_good(call, changes)
    return changes


def _settle_for_good(call: Call, changes: dict[str, Any]) -> None:
    """Take what Retell doesn't tell even when asked as nothing: no time, no reason."""
    if call.duration_ms is None:
        changes.setdefault("duration_ms", 0)
    if not call.disconnection_reason:
        changes.setdefault("disconnection_reason", NOT_REPORTED)


def is_settled(call: Call) -> bool:
    """
    Tell whether the call may be judged and billed: over, with its reason and its duration.

    With less than that the result would depend on which event came first. The sweeper fetches
    what stays incomplete.
    """
    return call.is_over and call.duration_ms is not None and bool(call.disconnection_reason)


def newer_parts(event: CallEvent, stamps: Mapping[str, int]) -> tuple[list[Part], dict[str, int]]:
    """Return the parts of the event that are newer than what `stamps` tells of, and new stamps."""
    stamp = _KIND_ORDER[event.kind] * _STAMP_UNIT + event.event_ms
    parts = [part for part in _parts(event.details) if stamp > stamps.get(part.name, -1)]
    return parts, {**stamps, **{part.name: stamp for part in parts}}


def closed_stamps() -> dict[str, int]:
    """Return stamps that no event's part is newer than, for all that tells what was said."""
    return dict.fromkeys(("transcript", "analysis", *_PLAIN_PARTS), _NEVER_NEWER)


def _parts(details: CallDetails) -> list[Part]:
    """Name the parts that the event holds; what it lacks replaces nothing."""
    parts = []
    if details.transcript or details.transcript_object or details.happenings:
        spoken = {
            "transcript": details.transcript,
            "transcript_object": details.transcript_object,
            "happenings": details.happenings,
        }
        parts.append(Part("transcript", {"last_line": _last_line(details.transcript)}, spoken))
    if details.analysis:
        parts.append(_analysis_part(details.analysis))
    if details.call_cost:
        cost = {"retell_cost_micros": details.retell_cost_micros or 0}
        parts.append(Part("cost", cost, {"call_cost": dict(details.call_cost)}))
    plain = {name: getattr(details, name) for name in _PLAIN_PARTS}
    return parts + [Part(name, {}, {name: value}) for name, value in plain.items() if value]


def _last_line(transcript: str) -> str:
    """Return what was said last, whoever said it; cut where lists have no room for more."""
    line = transcript.rstrip().rpartition("\n")[2]
    return (line.partition(": ")[2] or line)[:160]


def _analysis_part(analysis: Mapping[str, Any]) -> Part:
    return Part(
        "analysis",
        {
            "in_voicemail": _yes_or_no(analysis.get("in_voicemail")),
            "is_successful": _yes_or_no(analysis.get("call_successful")),
            "user_sentiment": _text(analysis.get("user_sentiment"))[:16],
        },
        {
            "call_analysis": dict(analysis),
            "call_summary": _text(analysis.get("call_summary")),
        },
    )


def _yes_or_no(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
