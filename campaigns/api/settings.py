"""How the agent talks, for programs: every conversation setting, with the limits of the wizard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from rest_framework import serializers

from campaigns import agent_choices, settings_schema
from campaigns.agent_settings import CONVERTED_FIELD
from campaigns.dialling.callbacks import CALLBACK_FIELD
from campaigns.script import malformed
from campaigns.settings_schema import (
    QUESTION_NAME,
    contradictions,
    languages,
    question_faults,
    stored_question,
    with_defaults,
)
from campaigns.transfers import (
    MOST_TARGETS,
    NAME_CHARS,
    REASON_CHARS,
    read_target,
    target_faults,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def _share(most: float = 1) -> serializers.FloatField:
    return serializers.FloatField(min_value=0, max_value=most, required=False)


def _milliseconds(least: int, most: int, *, unit: int = 1000) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=least * unit, max_value=most * unit, required=False)


def _yes_or_no() -> serializers.BooleanField:
    return serializers.BooleanField(required=False)


def _hour() -> serializers.CharField:
    return serializers.CharField(
        max_length=5, allow_blank=True, default="", help_text="Such as 09:00, or empty."
    )


def _words(longest: int) -> serializers.CharField:
    return serializers.CharField(max_length=longest, allow_blank=True, required=False)


class QuestionSerializer(serializers.Serializer[Any]):
    """
    One more thing to read out of each call.

    `choices` belong to the kind "enum" alone, `examples` to "string". A call without a `required` answer
    counts as unsuccessful; with a `condition`, in words, only calls that fulfil it are asked.
    """

    name = serializers.RegexField(QUESTION_NAME, max_length=40)
    kind = serializers.ChoiceField(["string", "boolean", "number", "enum"])
    description = serializers.CharField(max_length=300)
    choices = serializers.ListField(
        child=serializers.CharField(max_length=80), max_length=20, required=False, default=list
    )
    required = serializers.BooleanField(required=False)  # type: ignore[assignment]  # DRF takes it off the class
    examples = serializers.ListField(
        child=serializers.CharField(max_length=settings_schema.EXAMPLE_CHARS),
        max_length=settings_schema.MOST_EXAMPLES,
        required=False,
    )
    condition = _words(settings_schema.CONDITION_CHARS)

    def validate_name(self, name: str) -> str:
        if name.casefold() in {CONVERTED_FIELD, CALLBACK_FIELD}:  # asked of every call anyway
            raise serializers.ValidationError("This name is taken: choose another.", code="taken")
        return name

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if wrong := question_faults(attrs):
            raise serializers.ValidationError(wrong)
        return dict(stored_question(attrs))


class TransferSerializer(serializers.Serializer[Any]):
    """
    Somebody whom the agent may hand a call to, after telling them who is on the line.

    `days` (0 is Monday; none: each) and the hours are in `time_zone`; without both hours: at any.
    """

    name = serializers.CharField(max_length=NAME_CHARS)
    number = serializers.CharField(max_length=40)
    reason = serializers.CharField(
        max_length=REASON_CHARS, help_text="In words, when the agent hands a call to them."
    )
    days = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=6), max_length=7, default=list
    )
    opens = _hour()
    closes = _hour()
    time_zone = serializers.CharField(max_length=64, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        target = read_target(attrs)
        if wrong := target_faults(target):
            raise serializers.ValidationError(wrong)
        return dict(target)


class SettingsSerializer(serializers.Serializer[Any]):
    """How the agent talks; what is left out keeps its value, or the default in a new campaign."""

    language = serializers.ChoiceField(agent_choices.LANGUAGES, required=False)
    more_languages = serializers.MultipleChoiceField(
        choices=agent_choices.LANGUAGES,
        required=False,
        help_text="What else the agent understands and answers in; `language` is what it falls back to.",
    )
    voice_speed = serializers.FloatField(
        min_value=settings_schema.VOICE_SPEED[0],
        max_value=settings_schema.VOICE_SPEED[1],
        required=False,
    )
    voice_temperature = _share(2)
    volume = _share(2)
    enable_dynamic_voice_speed = _yes_or_no()
    voice_model = serializers.ChoiceField(
        ["", *(one for models in agent_choices.VOICE_MODELS.values() for one in models)],
        required=False,
    )
    fallback_voice_id = _words(80)
    max_call_duration_ms = _milliseconds(*settings_schema.CALL_MINUTES, unit=60_000)
    ring_duration_ms = _milliseconds(*settings_schema.RING_SECONDS)
    end_call_after_silence_ms = _milliseconds(*settings_schema.SILENCE_SECONDS)
    voicemail_action = serializers.ChoiceField(
        ["hangup", "leave_message", "prompt", "off"], required=False
    )
    voicemail_message = _words(600)
    voicemail_detection = _words(settings_schema.DETECTION_CHARS)
    time_zone = serializers.CharField(
        max_length=64,
        allow_blank=True,
        required=False,
        help_text="What the agent takes for now, such as America/New_York. Empty: the account's.",
    )
    enable_dnc_detection = _yes_or_no()
    conversion = _words(300)
    questions = QuestionSerializer(many=True, required=False)
    analysis_tier = serializers.ChoiceField(agent_choices.ANALYSIS_TIERS, required=False)
    model_tier = serializers.ChoiceField(agent_choices.MODEL_TIERS, required=False)
    temperature = _share()
    starts = serializers.ChoiceField(agent_choices.STARTS, required=False)
    begin_message_delay_ms = _milliseconds(0, 5)
    responsiveness = _share()
    enable_dynamic_responsiveness = _yes_or_no()
    interruption_sensitivity = _share()
    enable_backchannel = _yes_or_no()
    backchannel_frequency = _share()
    backchannel_words = serializers.ListField(
        child=serializers.CharField(max_length=40), max_length=20, required=False
    )
    reminder_trigger_ms = _milliseconds(*settings_schema.REMINDER_SECONDS)
    reminder_max_count = serializers.IntegerField(
        min_value=0, max_value=settings_schema.MOST_REMINDERS, required=False
    )
    ambient_sound = serializers.ChoiceField(agent_choices.AMBIENT_SOUNDS, required=False)
    ambient_sound_volume = _share(2)
    denoising_mode = serializers.ChoiceField(agent_choices.DENOISING, required=False)
    stt_mode = serializers.ChoiceField(agent_choices.LISTENING, required=False)
    stt_provider = serializers.ChoiceField(agent_choices.LISTENERS, required=False)
    endpointing_ms = serializers.IntegerField(
        min_value=min(settings_schema.LEAST_ENDPOINTING_MS.values()),
        max_value=settings_schema.MOST_ENDPOINTING_MS,
        required=False,
        help_text="The pause that ends what somebody says, where `stt_mode` is `custom`.",
    )
    vocab_specialization = serializers.ChoiceField(agent_choices.VOCABULARIES, required=False)
    keywords = serializers.ListField(
        child=serializers.CharField(max_length=80),
        max_length=settings_schema.MOST_KEYWORDS,
        required=False,
    )
    pronunciations = serializers.ListField(
        child=serializers.ListField(
            child=serializers.CharField(max_length=80), min_length=2, max_length=2
        ),
        max_length=settings_schema.MOST_PRONUNCIATIONS,
        required=False,
        help_text="Pairs of a word and its sound in IPA.",
    )
    manners = serializers.MultipleChoiceField(choices=agent_choices.MANNERS, required=False)
    hang_up_on_menus = _yes_or_no()
    menu_detection = _words(settings_schema.DETECTION_CHARS)
    live_transcript = _yes_or_no()
    screening_identity = _words(120)
    screening_purpose = _words(200)
    transfers = TransferSerializer(many=True, required=False)

    def validate_more_languages(self, chosen: set[str]) -> list[str]:
        if len(chosen) > settings_schema.MOST_MORE_LANGUAGES:
            most = settings_schema.MOST_MORE_LANGUAGES
            raise serializers.ValidationError(f"Name at most {most} more.", code="max_length")
        # In the order of the wizard: what is saved there again is no edit.
        return [code for code, _label in agent_choices.LANGUAGES if code in chosen]

    def validate_voicemail_message(self, text: str) -> str:
        if wrong := malformed(text):
            raise serializers.ValidationError(f"{wrong[0]!r} is no variable.", code="variable")
        return text

    def validate_time_zone(self, name: str) -> str:
        if name and name not in available_timezones():
            raise serializers.ValidationError("No such time zone.", code="invalid_choice")
        return name

    def validate_manners(self, manners: set[str]) -> list[str]:
        return sorted(manners)  # they are stored as JSON

    def validate_transfers(self, targets: list[Any]) -> list[Any]:
        if len(targets) > MOST_TARGETS:
            most = MOST_TARGETS
            raise serializers.ValidationError(f"Name at most {most} people.", code="max_length")
        return targets

    def validate_questions(self, questions: list[Any]) -> list[Any]:
        if len(questions) > settings_schema.MOST_QUESTIONS:
            most = settings_schema.MOST_QUESTIONS
            raise serializers.ValidationError(f"Ask at most {most} questions.", code="max_length")
        names = [one["name"].casefold() for one in questions]
        if len(names) != len(set(names)):
            raise serializers.ValidationError("Each question has a name of its own.", code="taken")
        return questions


def merged(before: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a campaign's settings with what was sent over them.

    :raises serializers.ValidationError: if what holds then doesn't fit together
    """
    settings = {**with_defaults(before), **sent}
    settings["more_languages"] = list(languages(settings)[1:])
    if wrong := contradictions(settings):
        raise serializers.ValidationError(
            {"settings": {name: [why] for name, why in wrong.items()}}
        )
    return settings
