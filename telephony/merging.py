"""How an event joins what a call already knows, so that order and repeats don't matter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from telephony import transfers
from telephony.disclosure import judged
from telephony.events import CallChange, CallState
from telephony.first_words import agent_first_word_ms
from telephony.models import Call
from telephony.provider_costs import product_costs
from telephony.rules import RULES_VERSION, classify

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from telephony.events import CallDetails, CallEvent
    from telephony.models import CallDetail
    from telephony.rules import Outcome

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
_JUDGED_BY: Final = ("duration_ms", "disconnection_reason")
# An analysis is newer than any ending; what was fetched counts as one.
_KIND_ORDER: Final = {"started": 0, "ended": 1, "analyzed": 2, "swept": 2}
_STAMP_UNIT: Final = 10**15
_NEVER_NEWER: Final = 10**18
_PLAIN_PARTS: Final = ("latency", "dynamic_variables", "recording_url", "knowledge_url")
# The word for a call that Retell has no reason for, not even when asked.
NOT_REPORTED: Final = "not_reported"


# What has to be known of a call's large parts to merge more of them.
KNOWN_DETAIL: Final = ("call_id", "stamps", "call_analysis")


@dataclass(frozen=True, slots=True)
class Merged:
    """
    What an event changes: columns of the call, columns of its large parts, and the change as news.

    `detail` is None if the large parts have nothing to write; a row that isn't there yet is written
    even with nothing in it.
    """

    columns: dict[str, Any]
    detail: dict[str, Any] | None
    change: CallChange


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an event that a newer event replaces as a whole."""

    name: str
    call_columns: Mapping[str, Any]
    detail_columns: Mapping[str, Any]


def merge(call: Call, detail: CallDetail | None, event: CallEvent, *, now: datetime) -> Merged:
    """
    Bring `call` up to an event; nothing is written. Any order and number of times ends alike.

    `detail` needs the columns of `KNOWN_DETAIL` and stays as it is.
    """
    before = state_of(call)
    contradiction = contradicted(call, event)
    columns = merged_facts(call, event)
    large: dict[str, Any] | None = None
    analysis: Mapping[str, Any] = {}
    if event.kind != "started":
        parts, stamps = newer_parts(event, detail.stamps if detail else {})
        if parts or detail is None:
            large = {"stamps": stamps}
        for part in parts:
            columns |= part.call_columns
            large = {**(large or {}), **part.detail_columns}
            if part.name == "transcript":
                columns["disclosure"] = judged(event.details.transcript_object, call.must_say)
        analysis = (large or {}).get("call_analysis", detail.call_analysis if detail else {})
    if analysis and call.analyzed_at is None:
        columns["analyzed_at"] = now
    for name, value in columns.items():
        setattr(call, name, value)
    outcome = _judge(call, columns)
    change = _change(event, call, before, outcome, analysis)
    return Merged(columns, large, replace(change, contradiction=contradiction))


def contradicted(call: Call, event: CallEvent) -> str:
    """
    Say where the event tells otherwise what the call was billed and judged by; empty if it agrees.

    The first holds, whichever that was; reconciliation compares it with Retell's books.
    """
    found = []
    for name in _JUDGED_BY:
        known, told = getattr(call, name), getattr(event, name)
        if known not in (None, "") and told not in (None, "") and known != told:
            found.append(f"{name}: {known} holds, {told} was told.")
    return " ".join(found)


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
    reason = changes.get("disconnection_reason", call.disconnection_reason)
    transfer = transfers.furthest(
        call.transfer_status, event.transfer_status, transfers.REASONS.get(reason, "")
    )
    if transfer != call.transfer_status:
        changes["transfer_status"] = transfer
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
    if event.kind == "transfer":  # nothing but a transfer is told of, and the furthest is shown
        order, told = transfers.ORDER[event.transfer_status], _transfer_parts(event)
    else:
        order, told = _KIND_ORDER[event.kind], _parts(event.details)
    stamp = order * _STAMP_UNIT + event.event_ms
    parts = [part for part in told if stamp > stamps.get(part.name, -1)]
    return parts, {**stamps, **{part.name: stamp for part in parts}}


def _transfer_parts(event: CallEvent) -> list[Part]:
    told = {"transfer_destination": event.transfer_destination}
    return [Part("transfer", told, {})] if event.transfer_destination else []


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
        told = {
            "last_line": _last_line(details.transcript),
            "agent_first_word_ms": agent_first_word_ms(details.transcript_object),
        }
        parts.append(Part("transcript", told, spoken))
    if details.analysis:
        parts.append(_analysis_part(details.analysis))
    if details.call_cost:
        cost = {"retell_cost_micros": details.retell_cost_micros or 0}
        kept = {
            "call_cost": dict(details.call_cost),
            "product_costs": product_costs(details.call_cost),
        }
        parts.append(Part("cost", cost, kept))
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


def _judge(call: Call, columns: dict[str, Any]) -> Outcome | None:
    """Classify a call that is settled, again with each event: an analysis may know better."""
    if not is_settled(call):
        return None
    outcome = classify(
        disconnection_reason=call.disconnection_reason,
        user_spoke=call.user_spoke,
        in_voicemail=call.in_voicemail,
        duration_ms=call.duration_ms,
        call_status=call.status,
    )
    if call.outcome_class != outcome.outcome_class.value:
        call.outcome_class = outcome.outcome_class.value
        call.outcome_rules_version = RULES_VERSION
        columns["outcome_class"] = call.outcome_class
        columns["outcome_rules_version"] = RULES_VERSION
    return outcome


def state_of(call: Call) -> CallState:
    """Return the call as it is at this moment."""
    return CallState(
        status=call.status,
        outcome_class=call.outcome_class,
        disconnection_reason=call.disconnection_reason,
        duration_ms=call.duration_ms,
        user_spoke=call.user_spoke,
        in_voicemail=call.in_voicemail,
        is_successful=call.is_successful,
        retell_cost_micros=call.retell_cost_micros,
        billed_seconds=call.billed_seconds,
        client_cost_micros=call.client_cost_micros,
        from_number=call.from_number,
        corrected_outcome=call.corrected_outcome,
        is_test=call.is_test,
    )


def _change(
    event: CallEvent,
    call: Call,
    before: CallState,
    outcome: Outcome | None,
    analysis: Mapping[str, Any],
) -> CallChange:
    data = analysis.get("custom_analysis_data")
    return CallChange(
        kind=event.kind,
        call_id=call.pk,
        provider_call_id=call.provider_call_id,
        client_id=call.client_id,
        campaign_id=call.campaign_id,
        batch_call_id=call.batch_call_id,
        enrolment_id=call.enrolment_id,
        attempt_id=call.attempt_id,
        lead_id=call.lead_id,
        call_type=call.call_type,
        direction=call.direction,
        from_number=call.from_number,
        to_number=call.to_number,
        created_at=call.created_at,
        started_at=call.started_at,
        ended_at=call.ended_at,
        before=before,
        after=state_of(call),
        outcome=outcome,
        analysis_data=data if isinstance(data, dict) else {},
        counted=call.counted,
    )
