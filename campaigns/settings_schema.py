"""How a campaign's agent talks: the conversation settings, their defaults and limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, NotRequired, TypedDict, cast

from django.utils.translation import gettext as _

from campaigns.transfers import MOST_TARGETS, TransferTarget, target_faults

if TYPE_CHECKING:
    from collections.abc import Mapping

# `leave_message` says the text word for word, `prompt` lets the agent word it; `off` notices no machine.
type VoicemailAction = Literal["hangup", "leave_message", "prompt", "off"]
SAYS_SOMETHING: Final = ("leave_message", "prompt")
type AnalysisKind = Literal["string", "boolean", "number", "enum"]


class AnalysisQuestion(TypedDict):
    """
    One more thing to read out of each call; `choices` belong to the kind "enum" alone.

    What comes last is there only if it was asked for. A call without a `required` answer counts as
    unsuccessful at Retell. `examples` show how an answer of the kind "string" is worded. With a
    `condition`, in words, it is asked of those calls alone that fulfil it.
    """

    name: str
    kind: AnalysisKind
    description: str
    choices: list[str]
    required: NotRequired[bool]
    examples: NotRequired[list[str]]
    condition: NotRequired[str]


class CampaignSettings(TypedDict):
    """
    What `Campaign.settings` and `CampaignVersion.settings` hold.

    Times are milliseconds as Retell takes them. `conversion` says in words what counts as a
    conversion; Retell reads it out of each call as the analysis field "converted".
    """

    language: str  # of several the one it falls back to
    more_languages: list[str]  # what else it understands and answers in
    voice_speed: float
    max_call_duration_ms: int
    ring_duration_ms: int
    end_call_after_silence_ms: int
    voicemail_action: VoicemailAction
    voicemail_message: str
    time_zone: str  # what the agent takes for now; empty: the account's
    enable_dnc_detection: bool
    conversion: str
    questions: list[AnalysisQuestion]
    model_tier: str
    responsiveness: float
    interruption_sensitivity: float
    enable_backchannel: bool
    ambient_sound: str
    keywords: list[str]
    hang_up_on_menus: bool
    live_transcript: bool
    screening_identity: str
    screening_purpose: str
    voice_temperature: float
    volume: float
    begin_message_delay_ms: int
    denoising_mode: str
    stt_mode: str
    voice_model: str
    fallback_voice_id: str
    temperature: float
    starts: Literal["agent", "user"]
    enable_dynamic_responsiveness: bool
    enable_dynamic_voice_speed: bool
    backchannel_frequency: float
    backchannel_words: list[str]
    ambient_sound_volume: float
    reminder_trigger_ms: int
    reminder_max_count: int
    manners: list[str]
    vocab_specialization: str
    pronunciations: list[list[str]]
    analysis_tier: str  # who reads the answers out of a call that is over
    voicemail_detection: str  # in words, what tells a machine; empty: as Retell does it
    menu_detection: str
    stt_provider: str  # who writes down what is heard, where `stt_mode` is "custom"
    endpointing_ms: int  # how long a pause ends what somebody says, there
    transfers: list[TransferTarget]


DEFAULTS: CampaignSettings = {
    "language": "en-US",
    "more_languages": [],
    "voice_speed": 1.0,
    "max_call_duration_ms": 300_000,
    "ring_duration_ms": 30_000,
    "end_call_after_silence_ms": 30_000,
    "voicemail_action": "hangup",
    "voicemail_message": "",
    "time_zone": "",
    "enable_dnc_detection": True,
    "conversion": "",
    "questions": [],
    "model_tier": "standard",
    "responsiveness": 1.0,
    "interruption_sensitivity": 1.0,
    "enable_backchannel": False,
    "ambient_sound": "",
    "keywords": [],
    "hang_up_on_menus": False,
    "live_transcript": False,
    "screening_identity": "",
    "screening_purpose": "",
    "voice_temperature": 1.0,
    "volume": 1.0,
    "begin_message_delay_ms": 0,
    "denoising_mode": "noise-cancellation",
    "stt_mode": "fast",
    "voice_model": "",
    "fallback_voice_id": "",
    "temperature": 0.0,
    "starts": "agent",
    "enable_dynamic_responsiveness": False,
    "enable_dynamic_voice_speed": False,
    "backchannel_frequency": 0.8,
    "backchannel_words": [],
    "ambient_sound_volume": 1.0,
    "reminder_trigger_ms": 10_000,
    "reminder_max_count": 1,
    "manners": [],
    "vocab_specialization": "general",
    "pronunciations": [],
    "analysis_tier": "standard",
    "voicemail_detection": "",
    "menu_detection": "",
    "stt_provider": "deepgram",
    "endpointing_ms": 500,
    "transfers": [],
}

# Retell's limits; ours start at 15 s of ringing (US telemarketing rule: 15 s or four rings).
CALL_MINUTES = (1, 120)
RING_SECONDS = (15, 120)
VOICE_SPEED = (0.5, 2.0)
SILENCE_SECONDS = (10, 600)
MOST_QUESTIONS = 6
MOST_EXAMPLES = 10
EXAMPLE_CHARS = 120
CONDITION_CHARS = 300
DETAILS: Final = ("required", "examples", "condition")
QUESTION_NAME: Final = re.compile(r"^[A-Za-z][A-Za-z0-9_ ]{0,39}$")
MOST_MORE_LANGUAGES = 9  # Retell sets no limit; its own mix was of ten, and each costs accuracy
MOST_KEYWORDS = 40
MOST_PRONUNCIATIONS = 40
REMINDER_SECONDS = (2, 120)
MOST_REMINDERS = 5
DETECTION_CHARS = 500
# The least pause in milliseconds that each provider of speech-to-text takes (retell-sdk 6.2,
# CustomSttConfig); the most is AssemblyAI's, and long enough for all.
LEAST_ENDPOINTING_MS: Final = {
    "azure": 100,
    "deepgram": 10,
    "soniox": 500,
    "assemblyai": 100,
    "muse": 100,
}
MOST_ENDPOINTING_MS: Final = 3_000
_PERSONALITIES: Final = {"customer_support", "conversational"}


def languages(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return all that an agent speaks, the one it falls back to first."""
    # A dict keeps each once: the main one may have been among the others before.
    return tuple(dict.fromkeys([settings["language"], *settings["more_languages"]]))


def has_special_words(settings: Mapping[str, Any]) -> bool:
    """Return whether Retell takes a special vocabulary: it has them in English alone."""
    return all(one.startswith("en-") for one in languages(settings))


def contradictions(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what doesn't fit together, as name of the setting -> what to do about it."""
    wrong = {}
    if settings["vocab_specialization"] != "general" and not has_special_words(settings):
        wrong["vocab_specialization"] = _("This works in English alone.")
    if len(_PERSONALITIES & set(settings["manners"])) > 1:
        wrong["manners"] = _("Choose one personality.")
    if settings["screening_identity"] and not settings["screening_purpose"]:
        wrong["screening_purpose"] = _("Say why you call, too.")
    if settings["voicemail_action"] in SAYS_SOMETHING and not settings["voicemail_message"]:
        wrong["voicemail_message"] = _("Write the message that is left.")
    if settings["stt_mode"] == "custom":
        least = LEAST_ENDPOINTING_MS[settings["stt_provider"]]
        if settings["endpointing_ms"] < least:
            wrong["endpointing_ms"] = _("This provider takes %(least)d ms at least.") % {
                "least": least
            }
    if len(settings["transfers"]) > MOST_TARGETS or any(map(target_faults, settings["transfers"])):
        wrong["transfers"] = _("Look at whom calls are handed to.")
    return wrong


def question_faults(question: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with a question's details, as name of the detail -> what to do about it."""
    wrong = {}
    kind, examples = question["kind"], question.get("examples", ())
    if kind == "enum" and len(set(question["choices"])) < 2:  # noqa: PLR2004 # one is no choice
        wrong["choices"] = _("Name two choices at least.")
    if examples and kind != "string":
        wrong["examples"] = _("Examples are for answers in words alone.")
    elif len(examples) > MOST_EXAMPLES:
        wrong["examples"] = _("Give at most %(most)d examples.") % {"most": MOST_EXAMPLES}
    elif any(len(one) > EXAMPLE_CHARS for one in examples):
        most = {"most": EXAMPLE_CHARS}
        wrong["examples"] = _("An example has at most %(most)d characters.") % most
    if question.get("required") and question.get("condition"):  # Retell would ignore it
        wrong["condition"] = _("What must be answered is always asked: leave one of the two.")
    return wrong


def stored_question(question: Mapping[str, Any]) -> AnalysisQuestion:
    """Return a question as it is stored: without choices of another kind, and details nobody asked for."""
    kept = {name: question[name] for name in ("name", "kind", "description")}
    kept["choices"] = list(question["choices"]) if question["kind"] == "enum" else []
    details = {name: question[name] for name in DETAILS if question.get(name)}
    return cast("AnalysisQuestion", {**kept, **details})


def with_defaults(stored: Mapping[str, Any]) -> CampaignSettings:
    """Return stored settings with today's defaults for what is missing; unknown names are dropped."""
    known = {name: stored[name] for name in DEFAULTS if name in stored}
    return cast("CampaignSettings", {**DEFAULTS, **known})


def max_call_seconds(stored: Mapping[str, Any]) -> int:
    """Return the longest a call may last, in whole seconds."""
    return with_defaults(stored)["max_call_duration_ms"] // 1000
