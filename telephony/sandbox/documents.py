"""The call object, as Retell shows it at every stage of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony.sandbox import costs
from telephony.sandbox.analyses import analyse, empty_analysis
from telephony.sandbox.prompt_settings import transfer_number
from telephony.sandbox.scripts import read_script
from telephony.sandbox.transcripts import transcribe, transcript_fields

if TYPE_CHECKING:
    from telephony.sandbox.calls import Call
    from telephony.sandbox.transcripts import Utterance

ORG_ID = "org_c0nv0m0n0sandbox"
_RESPONSE_EVERY_MS = 11_000


def call_document(
    call: Call, *, now_ms: int, base_url: str, transcripts: bool = True
) -> dict[str, Any]:
    """Return the whole call, with as much of the conversation as has been spoken by now_ms."""
    document = _basics(call)
    if call.status == "registered":
        return {**document, "latency": {}, "call_cost": costs.initial_cost()}
    if not call.connected:
        return {**document, **_unconnected(call)}
    document["start_timestamp"] = call.started_ms
    if transcripts:
        document |= transcript_fields(_said(call, now_ms), call_id=call.call_id)
    if call.status == "ongoing":
        return {**document, "latency": {}, "call_cost": costs.initial_cost()}
    return {**document, **_finished(call, base_url)}


def started_document(call: Call) -> dict[str, Any]:
    """Return the little that call_started carries."""
    return {
        **_basics(call),
        "call_status": "ongoing",
        "latency": {},
        "call_cost": costs.initial_cost(),
        "start_timestamp": call.started_ms,
    }


def event_document(call: Call, *, now_ms: int, base_url: str) -> dict[str, Any]:
    """Return the call as a webhook carries it: the cost is sparser where nobody answered."""
    document = call_document(call, now_ms=now_ms, base_url=base_url)
    if not call.connected:
        document["call_cost"] = costs.unconnected_cost()
    return document


def turn_ends(call: Call) -> list[int]:
    """Return the moments at which somebody finishes a sentence."""
    script = read_script(agent=call.agent, llm=call.llm, variables=call.variables)
    started_ms = call.started_ms or 0
    said = transcribe(script=script, plan=call.plan)
    return [started_ms + round(utterance.end * 1000) for utterance in said]


def list_item(call: Call, *, now_ms: int, base_url: str) -> dict[str, Any]:
    """Return a row of list-calls: everything but the transcripts."""
    document = call_document(call, now_ms=now_ms, base_url=base_url, transcripts=False)
    return {name: value for name, value in document.items() if "transcript" not in name}


def _basics(call: Call) -> dict[str, Any]:
    document: dict[str, Any] = {
        "call_id": call.call_id,
        "call_type": "phone_call",
        "agent_id": call.agent["agent_id"],
        "agent_version": call.agent["version"],
        "agent_name": call.agent.get("agent_name") or "",
        "retell_llm_dynamic_variables": call.variables,
        "custom_sip_headers": {
            "X-RetellAI-CallId": call.call_id,
            "X-RetellAI-Direction": "Outbound",
            "X-RetellAI-OrgId": ORG_ID,
        },
        "call_status": call.status,
        "data_storage_setting": "everything",
        "opt_in_signed_url": False,
        "from_number": call.from_number,
        "to_number": call.to_number,
        "direction": "outbound",
    }
    if call.metadata is not None:
        document["metadata"] = call.metadata
    if call.batch_call_id:
        document["batch_call_id"] = call.batch_call_id
    return document


def _unconnected(call: Call) -> dict[str, Any]:
    document: dict[str, Any] = {
        "call_cost": costs.initial_cost(),
        "disconnection_reason": call.reason,
        "duration_ms": 0,
        "transcript": "",
        "transcript_with_tool_calls": [],
    }
    if call.analysed:
        document["call_analysis"] = empty_analysis()
    return document


def _said(call: Call, now_ms: int) -> list[Utterance]:
    script = read_script(agent=call.agent, llm=call.llm, variables=call.variables)
    utterances = transcribe(script=script, plan=call.plan)
    until = ((call.ended_ms or now_ms) - (call.started_ms or now_ms)) / 1000
    return [utterance for utterance in utterances if utterance.end <= until + 0.01]


def _finished(call: Call, base_url: str) -> dict[str, Any]:
    responses = 1 + call.duration_ms // _RESPONSE_EVERY_MS
    recording = f"{base_url}/recordings/{call.call_id}"
    document: dict[str, Any] = {
        "latency": costs.latency(call.plan, responses),
        "call_cost": costs.call_cost(
            duration_ms=call.duration_ms,
            agent=call.agent,
            llm=call.llm,
            analysed=call.analysed,
            factor=call.cost_factor,
        ),
        "disconnection_reason": call.reason,
        "end_timestamp": call.ended_ms,
        "duration_ms": call.duration_ms,
        "recording_url": f"{recording}.wav",
        "recording_multi_channel_url": f"{recording}-multichannel.wav",
        "public_log_url": f"{recording}.log",
        "llm_token_usage": costs.token_usage(call.plan, responses),
        "collected_dynamic_variables": {},
    }
    if call.reason == "call_transfer":
        document["transfer_destination"] = transfer_number(call.llm)
    if call.llm.get("knowledge_base_ids"):
        document["knowledge_base_retrieved_contents_url"] = f"{recording}-knowledge.json"
    if call.analysed:
        script = read_script(agent=call.agent, llm=call.llm, variables=call.variables)
        document["call_analysis"] = analyse(
            plan=call.plan, reason=call.reason or "", script=script, agent=call.agent
        )
    return document
