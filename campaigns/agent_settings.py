"""A campaign as the settings of its agent at Retell, and the fingerprint that tells two apart."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from campaigns.settings_schema import with_defaults
from telephony.provider import AgentSettings, AnalysisField, LlmSettings, Voicemail

if TYPE_CHECKING:
    from campaigns.models import Campaign

CONVERTED_FIELD = "converted"
_EVENTS = ("call_started", "call_ended", "call_analyzed")


def llm_settings(campaign: Campaign, *, knowledge_base_id: str) -> LlmSettings:
    """Return the prompt engine's settings; without an opening line the agent finds its own words."""
    return LlmSettings(
        general_prompt=campaign.script_raw,
        begin_message=campaign.opening_line or None,
        knowledge_base_ids=(knowledge_base_id,) if knowledge_base_id else (),
        general_tools=(
            {
                "type": "end_call",
                "name": "end_call",
                "description": "End the call when the conversation is over, or when asked to.",
            },
        ),
    )


def agent_settings(campaign: Campaign, *, webhook_url: str, time_zone: str) -> AgentSettings:
    """Return the voice agent's settings."""
    chosen = with_defaults(campaign.settings)
    leaves_message = chosen["voicemail_action"] == "leave_message"
    return AgentSettings(
        agent_name=campaign.name,
        voice_id=campaign.voice_id,
        language=chosen["language"],
        voice_speed=chosen["voice_speed"],
        end_call_after_silence_ms=chosen["end_call_after_silence_ms"],
        max_call_duration_ms=chosen["max_call_duration_ms"],
        ring_duration_ms=chosen["ring_duration_ms"],
        voicemail=(
            Voicemail(action="static_text", text=chosen["voicemail_message"])
            if leaves_message
            else Voicemail(action="hangup")
        ),
        enable_dnc_detection=chosen["enable_dnc_detection"],
        timezone=time_zone,
        analysis=_analysis(chosen["conversion"]),
        webhook_url=webhook_url,
        webhook_events=_EVENTS,
    )


def _analysis(conversion: str) -> tuple[AnalysisField, ...]:
    if not conversion:
        return ()
    return (AnalysisField(name=CONVERTED_FIELD, description=conversion, kind="boolean"),)


def fingerprint(*, llm: LlmSettings, agent: AgentSettings) -> str:
    """
    Return a hash of everything an agent is made of.

    The agent's name isn't part of it: renaming a campaign needs no new version.
    """
    spoken = {**asdict(agent), "agent_name": ""}
    body = json.dumps([asdict(llm), spoken], sort_keys=True, default=dict)
    return hashlib.sha256(body.encode()).hexdigest()
