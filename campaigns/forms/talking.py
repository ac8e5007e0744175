"""The step of the wizard that says how the agent talks and listens, and whom it hands calls to."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns import agent_choices, settings_schema
from campaigns.forms.amounts import amount_field
from campaigns.forms.transfers import TransferFields
from convomono.lib.words import words_between_commas


class ConversationForm(TransferFields):
    """How the agent talks and listens, and when it ends a call."""

    chosen = (
        "model_tier",
        "responsiveness",
        "interruption_sensitivity",
        "enable_backchannel",
        "ambient_sound",
        "hang_up_on_menus",
        "menu_detection",
        "live_transcript",
        "screening_identity",
        "screening_purpose",
        "begin_message_delay_ms",
        "denoising_mode",
        "stt_mode",
        "stt_provider",
        "endpointing_ms",
        "temperature",
        "starts",
        "enable_dynamic_responsiveness",
        "backchannel_frequency",
        "ambient_sound_volume",
        "reminder_max_count",
        "manners",
        "vocab_specialization",
        "time_zone",
    )

    max_call_minutes = forms.IntegerField(
        label=_("Longest call (minutes)"),
        min_value=settings_schema.CALL_MINUTES[0],
        max_value=settings_schema.CALL_MINUTES[1],
        help_text=_("Each call sets this much aside while it lasts."),
    )
    silence_seconds = forms.IntegerField(
        label=_("End after silence (seconds)"),
        min_value=settings_schema.SILENCE_SECONDS[0],
        max_value=settings_schema.SILENCE_SECONDS[1],
    )
    model_tier = forms.ChoiceField(label=_("Intelligence"), choices=agent_choices.MODEL_TIERS)
    responsiveness = amount_field(_("How fast it answers"), step="0.05")
    interruption_sensitivity = amount_field(_("How easily it stops for people"), step="0.05")
    enable_backchannel = forms.BooleanField(
        label=_("Says “yeah” and “uh-huh” while it listens"), required=False
    )
    ambient_sound = forms.ChoiceField(
        label=_("Background sound"), choices=agent_choices.AMBIENT_SOUNDS, required=False
    )
    keywords = forms.CharField(
        label=_("Words to listen for"),
        required=False,
        max_length=1000,
        help_text=_("Names and terms that are easily misheard, with commas between them."),
    )
    hang_up_on_menus = forms.BooleanField(
        label=_("Hang up when a phone menu answers"), required=False
    )
    menu_detection = forms.CharField(
        label=_("What tells a phone menu"),
        max_length=settings_schema.DETECTION_CHARS,
        required=False,
        help_text=_(
            "In words, where Retell takes something else for one. Empty: as Retell does it."
        ),
    )
    live_transcript = forms.BooleanField(
        label=_("Show what is said while it is said"),
        required=False,
        help_text=_("On the page of each call in progress. It is kept when the call has ended."),
    )
    screening_identity = forms.CharField(
        label=_("Who calls, for phones that ask"),
        max_length=120,
        required=False,
        help_text=_("Some phones ask callers who they are before they ring."),
    )
    screening_purpose = forms.CharField(label=_("… and why"), max_length=200, required=False)
    begin_message_delay_ms = forms.IntegerField(
        label=_("Wait before the first word (milliseconds)"), min_value=0, max_value=5000
    )
    denoising_mode = forms.ChoiceField(label=_("Filter out"), choices=agent_choices.DENOISING)
    stt_mode = forms.ChoiceField(label=_("Listening"), choices=agent_choices.LISTENING)
    stt_provider = forms.ChoiceField(
        label=_("Provider of speech-to-text"), choices=agent_choices.LISTENERS, required=False
    )
    endpointing_ms = forms.IntegerField(
        label=_("A pause that ends what somebody says (milliseconds)"),
        min_value=min(settings_schema.LEAST_ENDPOINTING_MS.values()),
        max_value=settings_schema.MOST_ENDPOINTING_MS,
        required=False,
        help_text=_(
            "Of the provider chosen here. Shorter answers sooner, and breaks in more often."
        ),
    )

    temperature = amount_field(_("How freely it answers"))
    starts = forms.ChoiceField(label=_("Who speaks first"), choices=agent_choices.STARTS)
    enable_dynamic_responsiveness = forms.BooleanField(
        label=_("Answers as fast as the person does"), required=False
    )
    backchannel_frequency = amount_field(_("How often it says “yeah”"))
    backchannel_words = forms.CharField(
        label=_("What it says instead"),
        required=False,
        max_length=200,
        help_text=_("With commas between them. Empty: what is usual in the language."),
    )
    ambient_sound_volume = amount_field(_("How loud the background is"), most=2)
    reminder_seconds = forms.IntegerField(
        label=_("Ask again after silence (seconds)"),
        min_value=settings_schema.REMINDER_SECONDS[0],
        max_value=settings_schema.REMINDER_SECONDS[1],
    )
    reminder_max_count = forms.IntegerField(
        label=_("… at most so often"), min_value=0, max_value=settings_schema.MOST_REMINDERS
    )
    manners = forms.MultipleChoiceField(
        label=_("Manners"),
        required=False,
        choices=agent_choices.MANNERS,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("It always says that it is an AI when asked, and keeps to its subject."),
    )
    vocab_specialization = forms.ChoiceField(
        label=_("Special words"), choices=agent_choices.VOCABULARIES
    )
    pronunciations = forms.CharField(
        label=_("How words sound"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("A word on each line, a colon, and its sound in IPA: Sean: ʃɔn"),
    )

    time_zone = forms.CharField(
        label=_("The agent's clock"),
        required=False,
        max_length=64,
        help_text=_("The time zone of what it takes for now. Empty: the account's."),
    )

    def clean_time_zone(self) -> str:
        name = str(self.cleaned_data["time_zone"])
        if name and name not in available_timezones():
            raise forms.ValidationError(_("This is no time zone. Such as: America/Chicago."))
        return name

    def more_initial(self) -> dict[str, Any]:
        spoken = self.kept["pronunciations"]
        return {
            "reminder_seconds": self.kept["reminder_trigger_ms"] // 1000,
            "backchannel_words": ", ".join(self.kept["backchannel_words"]),
            "pronunciations": "\n".join(f"{word}: {sound}" for word, sound in spoken),
            "max_call_minutes": self.kept["max_call_duration_ms"] // 60_000,
            "silence_seconds": self.kept["end_call_after_silence_ms"] // 1000,
            "keywords": ", ".join(self.kept["keywords"]),
        }

    def clean_backchannel_words(self) -> list[str]:
        return words_between_commas(self.cleaned_data["backchannel_words"])

    def clean_pronunciations(self) -> list[list[str]]:
        lines = [line for line in self.cleaned_data["pronunciations"].splitlines() if line.strip()]
        if len(lines) > settings_schema.MOST_PRONUNCIATIONS:
            most = {"most": settings_schema.MOST_PRONUNCIATIONS}
            raise forms.ValidationError(_("Name at most %(most)d words.") % most)
        pairs = [[part.strip() for part in line.split(":", 1)] for line in lines]
        for line, pair in zip(lines, pairs, strict=True):
            if len(pair) == 1 or not all(pair):
                said = {"line": line.strip()[:40]}
                raise forms.ValidationError(_("“%(line)s”: write word: sound.") % said)
        return pairs

    def clean_keywords(self) -> list[str]:
        words = words_between_commas(self.cleaned_data["keywords"])
        if len(words) > settings_schema.MOST_KEYWORDS:
            raise forms.ValidationError(
                _("Name at most %(most)d words.") % {"most": settings_schema.MOST_KEYWORDS}
            )
        return words

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        said = {name: data[name] for name in self.kept if name in data}
        wrong = settings_schema.contradictions({**self.kept, **said})
        for name in wrong.keys() & self.fields.keys():  # the others are another step's to mend
            self.add_error(name, wrong[name])
        return data

    def clean_stt_provider(self) -> str:
        return self.cleaned_data["stt_provider"] or self.kept["stt_provider"]

    def clean_endpointing_ms(self) -> int:
        typed = self.cleaned_data["endpointing_ms"]
        return self.kept["endpointing_ms"] if typed is None else int(typed)

    def more_settings(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            **super().more_settings(),
            "max_call_duration_ms": data["max_call_minutes"] * 60_000,
            "end_call_after_silence_ms": data["silence_seconds"] * 1000,
            "keywords": data["keywords"],
            "reminder_trigger_ms": data["reminder_seconds"] * 1000,
            "backchannel_words": data["backchannel_words"],
            "pronunciations": data["pronunciations"],
        }
