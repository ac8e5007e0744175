"""Our settings as Retell's request bodies, and Retell's answers as our values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony.provider import (
    Agent,
    AgentSettings,
    AnalysisField,
    Batch,
    BatchTask,
    CallPage,
    CallTimeWindow,
    Concurrency,
    KnowledgeBase,
    Llm,
    LlmSettings,
    Number,
    PlacedCall,
    PlaygroundAnswer,
    PlaygroundMessage,
    ProviderCall,
    Voice,
    Voicemail,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

_AGENT_FIELDS = (
    "agent_name",
    "voice_id",
    "language",
    "voice_model",
    "voice_speed",
    "voice_temperature",
    "volume",
    "responsiveness",
    "enable_dynamic_responsiveness",
    "enable_dynamic_voice_speed",
    "interruption_sensitivity",
    "enable_backchannel",
    "backchannel_frequency",
    "ambient_sound_volume",
    "begin_message_delay_ms",
    "reminder_trigger_ms",
    "reminder_max_count",
    "end_call_after_silence_ms",
    "max_call_duration_ms",
    "ring_duration_ms",
    "enable_dnc_detection",
    "timezone",
    "denoising_mode",
    "stt_mode",
    "vocab_specialization",
    "post_call_analysis_model",
    "webhook_url",
    "webhook_timeout_ms",
)

# Parts of Retell's handbook that a campaign may switch on; ai_disclosure and scope_boundaries always are.
MANNERS = (
    "high_empathy",
    "natural_filler_words",
    "echo_verification",
    "smart_matching",
    "speech_normalization",
    "nato_phonetic_alphabet",
    "customer_support",
    "conversational",
)


def epoch_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def given(body: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is None: Retell reads null as "clear it", absence as "keep it"."""
    return {name: value for name, value in body.items() if value is not None}


def agent_body(settings: AgentSettings) -> dict[str, Any]:
    body = given({name: getattr(settings, name) for name in _AGENT_FIELDS})
    if not isinstance(settings.language, str):
        body["language"] = list(settings.language)
    # These are sent even when None: null is how they are switched off.
    body["ambient_sound"] = settings.ambient_sound
    hangs_up = {"action": {"type": "hangup"}} if settings.hang_up_on_menus else None
    body["voicemail_option"] = _detected_by(
        settings.voicemail_detection, _voicemail_body(settings.voicemail)
    )
    body["ivr_option"] = _detected_by(settings.menu_detection, hangs_up)
    body["call_screening_option"] = _screening_body(settings.screening)
    body["handbook_config"] = _handbook_body(settings)
    body["custom_stt_config"] = _listener_body(settings.custom_stt)
    body["fallback_voice_ids"] = list(settings.fallback_voice_ids) or None
    body["backchannel_words"] = list(settings.backchannel_words) or None
    body["pronunciation_dictionary"] = [
        {"word": word, "alphabet": "ipa", "phoneme": phoneme}
        for word, phoneme in settings.pronunciations
    ] or None
    body["boosted_keywords"] = list(settings.boosted_keywords)
    body["post_call_analysis_data"] = [_analysis_body(item) for item in settings.analysis]
    if settings.webhook_events:
        body["webhook_events"] = list(settings.webhook_events)
    return body


def _detected_by(words: str, option: dict[str, Any] | None) -> dict[str, Any] | None:
    """Say of what is done with a machine or a menu by which words it is told from a person."""
    return {**option, "detection_prompt": words} if option and words else option


def _handbook_body(settings: AgentSettings) -> dict[str, dict[str, str]]:
    """
    Return the handbooks that are switched on, each as an object; the others are left out.

    Retell reads true and false until 23 December 2026 and objects already: an empty one is its own
    text, a missing one is off
    (https://docs.retellai.com/deprecation-notice/2026/12-23_legacy_handbook_config).
    """
    always = {
        "ai_disclosure": settings.ai_disclosure,
        "scope_boundaries": settings.scope_boundaries,
    }
    chosen = {name: name in settings.manners for name in MANNERS}
    # The SDK's types still say bool; it sends what it is given.
    return {name: {} for name, is_on in {**always, **chosen}.items() if is_on}


def _screening_body(screening: tuple[str, str] | None) -> dict[str, str] | None:
    if screening is None:
        return None
    return {"agent_identity": screening[0], "call_purpose": screening[1]}


def _listener_body(custom_stt: tuple[str, int] | None) -> dict[str, Any] | None:
    if custom_stt is None:
        return None
    return {"provider": custom_stt[0], "endpointing_ms": custom_stt[1]}


def _voicemail_body(voicemail: Voicemail | None) -> dict[str, Any] | None:
    if voicemail is None:
        return None
    if voicemail.action == "hangup":
        return {"action": {"type": "hangup"}}
    return {"action": {"type": voicemail.action, "text": voicemail.text}}


def _analysis_body(item: AnalysisField) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": item.kind,
        "name": item.name,
        "description": item.description,
    }
    if item.kind == "enum":
        body["choices"] = list(item.choices)
    details = {
        "required": item.required,
        "examples": list(item.examples),
        "conditional_prompt": item.condition,
    }
    return {**body, **{name: value for name, value in details.items() if value}}


def llm_body(settings: LlmSettings) -> dict[str, Any]:
    body = given(
        {
            "start_speaker": settings.start_speaker,
            "general_prompt": settings.general_prompt,
            "model": settings.model,
            "model_temperature": settings.model_temperature,
            "kb_config": given(
                {"top_k": settings.kb_top_k, "filter_score": settings.kb_filter_score}
            )
            or None,
        }
    )
    body["begin_message"] = settings.begin_message
    body["knowledge_base_ids"] = list(settings.knowledge_base_ids)
    body["default_dynamic_variables"] = dict(settings.default_dynamic_variables)
    body["general_tools"] = [dict(tool) for tool in settings.general_tools]
    return body


def task_body(task: BatchTask) -> dict[str, Any]:
    agent = given(
        {
            "max_call_duration_ms": task.max_call_duration_ms,
            "ring_duration_ms": task.ring_duration_ms,
        }
    )
    return given(
        {
            "to_number": task.to_number,
            "retell_llm_dynamic_variables": dict(task.dynamic_variables),
            "metadata": dict(task.metadata),
            "override_agent_id": task.agent_id,
            "override_agent_version": task.agent_version,
            "agent_override": {"agent": agent} if agent else None,
        }
    )


def window_body(window: CallTimeWindow) -> dict[str, Any]:
    return given(
        {
            "windows": [{"start": start, "end": end} for start, end in window.windows],
            "timezone": window.timezone,
            "day": list(window.days) or None,
        }
    )


def call_filter(
    *,
    attempt_id: str | None,
    started_from: datetime | None,
    started_until: datetime | None,
    call_ids: Sequence[str],
    batch_call_id: str | None,
) -> dict[str, Any]:
    criteria: dict[str, Any] = {}
    if attempt_id is not None:
        match = {"type": "string", "op": "eq", "key": "attempt_id", "value": attempt_id}
        criteria["metadata"] = [match]
    if started_from is not None and started_until is not None:
        bounds = [epoch_ms(started_from), epoch_ms(started_until)]
        criteria["start_timestamp"] = {"type": "range", "op": "bt", "value": bounds}
    elif started_from is not None:
        criteria["start_timestamp"] = _number("ge", started_from)
    elif started_until is not None:
        criteria["start_timestamp"] = _number("le", started_until)
    if call_ids:
        criteria["call_id"] = {"type": "enum", "op": "in", "value": list(call_ids)}
    if batch_call_id is not None:
        criteria["batch_call_id"] = {"type": "string", "op": "eq", "value": batch_call_id}
    return criteria


def _number(op: str, moment: datetime) -> dict[str, Any]:
    return {"type": "number", "op": op, "value": epoch_ms(moment)}


# Answers are read by name and leniently: the SDK builds them without checking.


def read_nothing(answer: object) -> None:
    """Read an answer that says nothing."""


def read_itself(answer: Any) -> Any:
    return answer


def read_agent(answer: Any) -> Agent:
    engine = answer.response_engine
    return Agent(
        agent_id=answer.agent_id,
        version=int(answer.version),
        is_published=bool(getattr(answer, "is_published", False)),
        name=getattr(answer, "agent_name", None) or "",
        voice_id=answer.voice_id,
        llm_id=getattr(engine, "llm_id", None),
        llm_version=_whole(getattr(engine, "version", None)),
    )


def read_llm(answer: Any) -> Llm:
    return Llm(
        llm_id=answer.llm_id,
        version=_whole(getattr(answer, "version", None)) or 0,
        is_published=bool(getattr(answer, "is_published", False)),
    )


def read_knowledge_base(answer: Any) -> KnowledgeBase:
    sources = getattr(answer, "knowledge_base_sources", None) or []
    return KnowledgeBase(
        knowledge_base_id=answer.knowledge_base_id,
        name=answer.knowledge_base_name,
        status=answer.status,
        source_ids=tuple(source.source_id for source in sources),
        source_names=tuple(filter(None, map(_source_name, sources))),
        errors=_messages(getattr(answer, "error_messages", None)),
    )


def _source_name(source: Any) -> str:
    names = (getattr(source, name, None) for name in ("title", "url", "filename"))
    return next((str(name) for name in names if name), "")


def _messages(given: Any) -> tuple[str, ...]:
    """Read the list that Retell's docstring mentions and its types don't; any shape is taken."""
    if not isinstance(given, list):
        return ()
    return tuple(
        str(item.get("message") or item) if isinstance(item, dict) else str(item)
        for item in given[:50]
    )


def read_number(answer: Any) -> Number:
    agents = getattr(answer, "outbound_agents", None) or []
    return Number(
        phone_number=answer.phone_number,
        kind=answer.phone_number_type,
        nickname=getattr(answer, "nickname", None) or "",
        outbound_agent_ids=tuple(agent.agent_id for agent in agents),
    )


def read_call(answer: Any) -> ProviderCall:
    payload = answer.to_dict()
    metadata = payload.get("metadata")
    return ProviderCall(
        call_id=answer.call_id,
        call_status=answer.call_status,
        metadata=metadata if isinstance(metadata, dict) else {},
        payload=payload,
    )


def read_call_page(answer: Any) -> CallPage:
    more = answer.has_more and answer.pagination_key
    return CallPage(
        calls=tuple(read_call(item) for item in answer.items),
        pagination_key=answer.pagination_key if more else None,
    )


def read_placed_call(answer: Any) -> PlacedCall:
    return PlacedCall(
        call_id=answer.call_id,
        call_status=answer.call_status,
        agent_id=answer.agent_id,
        agent_version=int(answer.agent_version),
    )


def read_batch(answer: Any) -> Batch:
    return Batch(
        batch_call_id=answer.batch_call_id,
        name=answer.name,
        total_task_count=int(answer.total_task_count),
    )


def read_concurrency(answer: Any) -> Concurrency:
    return Concurrency(
        current=answer.current_concurrency or 0,
        limit=answer.concurrency_limit or 0,
        reserved_inbound=answer.reserved_inbound_concurrency or 0,
    )


def read_playground(answer: Any) -> PlaygroundAnswer:
    said = [item for item in answer.messages if item.role == "agent"]
    return PlaygroundAnswer(
        messages=tuple(PlaygroundMessage(role="agent", content=item.content) for item in said),
        retrieved=tuple(answer.knowledge_base_retrieved_contents or ()),
        call_ended=bool(answer.call_ended),
    )


def read_voice(answer: Any) -> Voice:
    return Voice(
        voice_id=answer.voice_id,
        name=answer.voice_name,
        provider=answer.provider,
        gender=answer.gender,
        accent=getattr(answer, "accent", None) or "",
        age=getattr(answer, "age", None) or "",
        preview_audio_url=getattr(answer, "preview_audio_url", None) or "",
    )


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None
