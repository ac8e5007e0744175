"""What the sandbox takes for an agent's settings, and what of them it answers in another form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony.sandbox.refusals import Refused, bad_request
from telephony.sandbox.voices import VOICES

if TYPE_CHECKING:
    from telephony.sandbox.versions import Document

_RANGES = {
    "voice_speed": (0.5, 2),
    "voice_temperature": (0, 2),
    "volume": (0, 2),
    "responsiveness": (0, 1),
    "interruption_sensitivity": (0, 1),
    "backchannel_frequency": (0, 1),
    "ambient_sound_volume": (0, 2),
    "begin_message_delay_ms": (0, 5_000),
    "end_call_after_silence_ms": (10_000, 86_400_000),
    "max_call_duration_ms": (60_000, 7_200_000),
    "ring_duration_ms": (5_000, 300_000),
    "reminder_trigger_ms": (1, 86_400_000),
    "reminder_max_count": (0, 1_000),
}
# Of SDK 6.2; "multi" went on 31 July 2026, a list took its place.
_LANGUAGES = """
en-US en-IN en-GB en-AU en-NZ de-DE es-ES es-419 hi-IN fr-FR fr-CA ja-JP pt-PT pt-BR zh-CN ru-RU
it-IT ko-KR nl-NL nl-BE pl-PL tr-TR vi-VN ro-RO bg-BG ca-ES th-TH da-DK fi-FI el-GR hu-HU id-ID
no-NO sk-SK sv-SE lt-LT lv-LV cs-CZ ms-MY af-ZA ar-SA az-AZ bs-BA cy-GB fa-IR fil-PH gl-ES he-IL
hr-HR hy-AM is-IS kk-KZ kn-IN mk-MK mr-IN ne-NP sl-SI sr-RS sw-KE ta-IN ur-IN yue-CN uk-UA
"""
LANGUAGES = frozenset(_LANGUAGES.split())
# https://docs.retellai.com/deprecation-notice/2026/12-23_legacy_handbook_config: the names of both forms.
_HANDBOOKS = {
    "ai_disclosure",
    "scope_boundaries",
    "high_empathy",
    "natural_filler_words",
    "echo_verification",
    "smart_matching",
    "speech_normalization",
    "nato_phonetic_alphabet",
    "default_personality",
    "customer_support",
    "conversational_personality",
    "conversational",
}
# Of SDK 6.2 (CustomSttConfig), in milliseconds.
_LEAST_ENDPOINTING_MS = {
    "azure": 100,
    "deepgram": 10,
    "soniox": 500,
    "assemblyai": 100,
    "muse": 100,
}
_LONGEST_HANDBOOK = 10_000
_ANALYSIS_TYPES = ("string", "enum", "boolean", "number", "system-presets")


def check_settings(body: Document) -> None:
    """
    Refuse unknown voices, languages and handbooks, analysis fields of no type, and values outside the ranges.

    :raises Refused: naming the setting
    """
    if "voice_id" in body and body["voice_id"] not in VOICES:
        raise Refused(422, f"Voice {body['voice_id']} not found.")
    for name, (low, high) in _RANGES.items():
        value: Any = body.get(name)
        if value is not None and not low <= value <= high:
            raise bad_request(f"{name} must be between {low} and {high}.")
    _check_language(body.get("language"))
    _check_handbooks(body.get("handbook_config"))
    _check_listening(body)
    _check_analysis(body.get("post_call_analysis_data"))


def answerable(body: Document) -> Document:
    """
    Return settings as they are kept and answered: handbooks as switches.

    Retell itself answers objects; the pinned SDK's types know switches alone, and its strict mode,
    in which this sandbox is tested, refuses the rest.
    """
    handbooks = body.get("handbook_config")
    if not handbooks:
        return body
    return {**body, "handbook_config": {name: _is_on(value) for name, value in handbooks.items()}}


def _check_language(language: Any) -> None:
    if language is None:
        return
    several = language if isinstance(language, list) else [language]
    if not several:
        raise bad_request("language must name one language at least.")
    for one in several:
        if not isinstance(one, str) or one not in LANGUAGES:
            raise bad_request(f"language {one!r} is not supported.")


def _check_listening(body: Document) -> None:
    mode: Any = body.get("stt_mode", "fast")
    if mode not in ("fast", "accurate", "custom"):
        raise bad_request(f"stt_mode {mode!r} is not supported.")
    if mode != "custom":
        return
    chosen: Any = body.get("custom_stt_config")
    provider = chosen.get("provider") if isinstance(chosen, dict) else None
    if provider not in _LEAST_ENDPOINTING_MS:
        raise bad_request("custom_stt_config.provider is not valid.")
    pause = chosen.get("endpointing_ms")
    if not isinstance(pause, int) or pause < _LEAST_ENDPOINTING_MS[provider]:
        raise bad_request("custom_stt_config.endpointing_ms is not valid.")


def _check_handbooks(handbooks: Any) -> None:
    if handbooks is None:
        return
    if not isinstance(handbooks, dict):
        raise bad_request("handbook_config must be an object.")
    for name, value in handbooks.items():
        if name not in _HANDBOOKS:
            raise bad_request(f"handbook_config has no {name!r}.")
        if not (isinstance(value, bool) or _is_handbook(value)):
            raise bad_request(
                f"handbook_config.{name} must be an object with a custom_prompt, or empty."
            )


def _check_analysis(fields: Any) -> None:
    if fields is None:
        return
    if not isinstance(fields, list):
        raise bad_request("post_call_analysis_data must be a list.")
    for field in fields:
        if wrong := _wrong_in(field):
            raise bad_request(f"post_call_analysis_data: {wrong} is not valid.")


def _wrong_in(field: Any) -> str:
    """Return the name of what is wrong with a field of the analysis; empty if nothing is."""
    kind = field.get("type") if isinstance(field, dict) else None
    if kind not in _ANALYSIS_TYPES:
        return "type"
    is_preset = kind == "system-presets"
    sound = {
        "name": _is_text(field.get("name")),
        "description": is_preset or _is_text(field.get("description")),
        "choices": kind != "enum" or (_are_texts(field.get("choices")) and bool(field["choices"])),
        "examples": _are_texts(field.get("examples", [])),
        "required": isinstance(field.get("required", False), bool),
        "conditional_prompt": isinstance(field.get("conditional_prompt", ""), str),
    }
    return next((name for name, is_sound in sound.items() if not is_sound), "")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_handbook(value: Any) -> bool:
    if not isinstance(value, dict) or not value.keys() <= {"custom_prompt"}:
        return False
    prompt = value.get("custom_prompt", "")
    return isinstance(prompt, str) and len(prompt) <= _LONGEST_HANDBOOK


def _is_on(value: Any) -> bool:
    # An object switches on even when it is empty.
    return value is not False
