"""A campaign as the settings of its agent at Retell, and the fingerprint that tells two apart."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from campaigns.agent_choices import MODELS
from campaigns.dialling.callbacks import CALLBACK_FIELD, CALLBACK_QUESTION
from campaigns.settings_schema import (
    DETAILS,
    CampaignSettings,
    has_special_words,
    languages,
    with_defaults,
)
from campaigns.transfers import transfer_tools
from telephony.provider import AgentSettings, AnalysisField, LlmSettings, Voicemail

if TYPE_CHECKING:
    from campaigns.models import Campaign

CONVERTED_FIELD = "converted"
# A variable of every prompt engine of ours; its value ties it to a row.
MARK = "convomono"
_EVENTS = (
    *("call_started", "call_ended", "call_analyzed"),
    *("transfer_started", "transfer_bridged", "transfer_cancelled", "transfer_ended"),
)
_SPOKEN = ("transcript_updated",)
# Settings that there were not always: unset they are no part of a fingerprint, so older ones stay true.
_LATER = ("voicemail_detection", "menu_detection", "custom_stt")


def llm_settings(
    campaign: Campaign, *, knowledge_base_ids: tuple[str, ...], mark: str = ""
) -> LlmSettings:
    """Return the prompt engine's settings; without an opening line the agent finds its own words."""
    chosen = with_defaults(campaign.settings)
    return LlmSettings(
        model=MODELS.get(chosen["model_tier"]),
        general_prompt=campaign.script_raw,
        begin_message=campaign.opening_line or None,
        start_speaker=chosen["starts"],
        model_temperature=chosen["temperature"],
        knowledge_base_ids=knowledge_base_ids,
        default_dynamic_variables={MARK: mark} if mark else {},
        general_tools=(
            {
                "type": "end_call",
                "name": "end_call",
                "description": "End the call when the conversation is over, or when asked to.",
            },
            *transfer_tools(chosen["transfers"]),
        ),
    )


def agent_settings(
    campaign: Campaign, *, webhook_url: str, time_zone: str, mark: str = ""
) -> AgentSettings:
    """Return the voice agent's settings."""
    chosen = with_defaults(campaign.settings)
    return AgentSettings(
        agent_name=f"{campaign.name} {mark}".strip(),
        voice_id=campaign.voice_id,
        language=_language(chosen),
        voice_speed=chosen["voice_speed"],
        end_call_after_silence_ms=chosen["end_call_after_silence_ms"],
        max_call_duration_ms=chosen["max_call_duration_ms"],
        ring_duration_ms=chosen["ring_duration_ms"],
        voicemail=_voicemail(chosen),
        enable_dnc_detection=chosen["enable_dnc_detection"],
        timezone=chosen["time_zone"] or time_zone,
        analysis=_analysis(chosen),
        post_call_analysis_model=MODELS.get(chosen["analysis_tier"]),
        responsiveness=chosen["responsiveness"],
        interruption_sensitivity=chosen["interruption_sensitivity"],
        enable_backchannel=chosen["enable_backchannel"],
        ambient_sound=chosen["ambient_sound"] or None,
        boosted_keywords=tuple(chosen["keywords"]),
        hang_up_on_menus=chosen["hang_up_on_menus"],
        voicemail_detection=chosen["voicemail_detection"],
        menu_detection=chosen["menu_detection"],
        screening=_screening(chosen),
        voice_temperature=chosen["voice_temperature"],
        volume=chosen["volume"],
        begin_message_delay_ms=chosen["begin_message_delay_ms"],
        denoising_mode=chosen["denoising_mode"],
        stt_mode=chosen["stt_mode"],
        custom_stt=_listener(chosen),
        voice_model=chosen["voice_model"] or None,
        fallback_voice_ids=tuple(filter(None, [chosen["fallback_voice_id"]])),
        enable_dynamic_responsiveness=chosen["enable_dynamic_responsiveness"],
        enable_dynamic_voice_speed=chosen["enable_dynamic_voice_speed"],
        backchannel_frequency=chosen["backchannel_frequency"],
        backchannel_words=tuple(chosen["backchannel_words"]),
        ambient_sound_volume=chosen["ambient_sound_volume"],
        reminder_trigger_ms=chosen["reminder_trigger_ms"],
        reminder_max_count=chosen["reminder_max_count"],
        manners=tuple(chosen["manners"]),
        # The languages may have been changed since it was chosen.
        vocab_specialization=(
            chosen["vocab_specialization"] if has_special_words(chosen) else "general"
        ),
        pronunciations=tuple((word, sound) for word, sound in chosen["pronunciations"]),
        webhook_url=webhook_url,
        webhook_events=_EVENTS + (_SPOKEN if chosen["live_transcript"] else ()),
    )


def _language(chosen: CampaignSettings) -> str | tuple[str, ...]:
    # One stays a word: so the fingerprints of campaigns from before there were several stay true.
    several = languages(chosen)
    return several if len(several) > 1 else several[0]


def _voicemail(chosen: CampaignSettings) -> Voicemail | None:
    text = chosen["voicemail_message"]
    return {
        "hangup": Voicemail(action="hangup"),
        "leave_message": Voicemail(action="static_text", text=text),
        "prompt": Voicemail(action="prompt", text=text),
        "off": None,
    }[chosen["voicemail_action"]]


def _listener(chosen: CampaignSettings) -> tuple[str, int] | None:
    if chosen["stt_mode"] != "custom":
        return None
    return chosen["stt_provider"], chosen["endpointing_ms"]


def _screening(chosen: CampaignSettings) -> tuple[str, str] | None:
    if not chosen["screening_identity"]:
        return None
    return chosen["screening_identity"], chosen["screening_purpose"]


def _analysis(chosen: CampaignSettings) -> tuple[AnalysisField, ...]:
    asked = [
        AnalysisField(
            name=question["name"],
            description=question["description"],
            kind=question["kind"],
            choices=tuple(question["choices"]),
            required=question.get("required", False),
            examples=tuple(question.get("examples", ())),
            condition=question.get("condition", ""),
        )
        for question in chosen["questions"]
    ]
    if chosen["conversion"]:
        goal = AnalysisField(name=CONVERTED_FIELD, description=chosen["conversion"], kind="boolean")
        asked.insert(0, goal)
    # Every agent notes when somebody wants to be called back: the dialler keeps that promise.
    asked.append(AnalysisField(name=CALLBACK_FIELD, description=CALLBACK_QUESTION))
    return tuple(asked)


def fingerprint(*, llm: LlmSettings, agent: AgentSettings) -> str:
    """
    Return a hash of everything an agent is made of.

    Its name and its mark aren't part of it: renaming a campaign needs no new version.
    """
    spoken = {**asdict(agent), "agent_name": ""}
    for name in _LATER:
        if not spoken[name]:
            del spoken[name]
    for asked in spoken["analysis"]:
        for name in DETAILS:
            if not asked[name]:
                del asked[name]
    prompt = {**asdict(llm), "default_dynamic_variables": {}}
    body = json.dumps([prompt, spoken], sort_keys=True, default=dict)
    return hashlib.sha256(body.encode()).hexdigest()
