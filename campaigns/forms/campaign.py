"""The steps of the wizard that say what a campaign is for, what is said and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns import script, settings_schema
from campaigns.forms.step import StepForm, sound_text
from campaigns.models import BatchCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from campaigns.voices import VoiceChoice


class GoalForm(StepForm):
    """What it is called and what it is for."""

    columns = ("name", "goal")

    name = forms.CharField(label=_("Name"), max_length=120)
    goal = forms.CharField(
        label=_("Goal"),
        max_length=200,
        required=False,
        help_text=_("For your team: what this campaign is for."),
    )


class NewCampaignForm(GoalForm):
    """The first step of a campaign that isn't there yet: it may start from a template."""

    template = forms.ChoiceField(
        label=_("Start from"), required=False, widget=forms.RadioSelect, choices=()
    )

    def __init__(self, *args: Any, templates: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["template"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(templates)
        field.initial = templates[0][0] if templates else ""
        self.order_fields(["template", "name", "goal"])


class ScriptForm(StepForm):
    """The opening line, said word for word, and what the agent knows, asks and answers."""

    columns = ("opening_line", "script_raw")

    opening_line = forms.CharField(
        label=_("Opening line"),
        max_length=600,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "Said word for word when somebody answers. Say who calls, and that it is an AI."
        ),
    )
    script_raw = forms.CharField(
        label=_("Script"),
        max_length=script.SCRIPT_MAX_CHARS,
        widget=forms.Textarea(attrs={"rows": 16}),
        help_text=_(
            "What the agent knows, asks and answers. {{first_name}} is filled from the lead."
        ),
    )

    def clean_script_raw(self) -> str:
        return sound_text(self.cleaned_data["script_raw"])

    def clean_opening_line(self) -> str:
        return sound_text(self.cleaned_data["opening_line"])


class VoiceForm(StepForm):
    """Who says it, in which language, how quickly."""

    columns = ("voice_id",)
    chosen = ("language", "voice_speed", "voice_temperature", "volume")

    voice_id = forms.ChoiceField(label=_("Voice"), widget=forms.RadioSelect)
    language = forms.ChoiceField(label=_("Language"), choices=settings_schema.LANGUAGES)
    voice_speed = forms.FloatField(
        label=_("Speed of speech"),
        min_value=settings_schema.VOICE_SPEED[0],
        max_value=settings_schema.VOICE_SPEED[1],
        widget=forms.NumberInput(attrs={"step": "0.05"}),
        help_text=_("1 is normal."),
    )
    voice_temperature = forms.FloatField(
        label=_("Variation"),
        min_value=0,
        max_value=2,
        widget=forms.NumberInput(attrs={"step": "0.1"}),
        help_text=_("0 is even, 2 is lively."),
    )
    volume = forms.FloatField(
        label=_("Volume"),
        min_value=0,
        max_value=2,
        widget=forms.NumberInput(attrs={"step": "0.1"}),
    )

    def __init__(self, *args: Any, voices: Sequence[VoiceChoice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.voices = list(voices)
        names = {voice.voice_id: voice.name for voice in voices}
        if self.content.voice_id:
            # Chosen before, while Retell doesn't list it just now.
            names.setdefault(
                self.content.voice_id, self.content.voice_name or self.content.voice_id
            )
        self.voice_names = names
        field = self.fields["voice_id"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(names.items())

    def more_changes(self) -> dict[str, Any]:
        return {"voice_name": self.voice_names.get(self.cleaned_data["voice_id"], "")}


class ConversationForm(StepForm):
    """How the agent talks and listens, and when it ends a call."""

    chosen = (
        "model_tier",
        "responsiveness",
        "interruption_sensitivity",
        "enable_backchannel",
        "ambient_sound",
        "hang_up_on_menus",
        "live_transcript",
        "screening_identity",
        "screening_purpose",
        "begin_message_delay_ms",
        "denoising_mode",
        "stt_mode",
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
    model_tier = forms.ChoiceField(label=_("Intelligence"), choices=settings_schema.MODEL_TIERS)
    responsiveness = forms.FloatField(
        label=_("How fast it answers"),
        min_value=0,
        max_value=1,
        widget=forms.NumberInput(attrs={"step": "0.05"}),
        help_text=_("1 at once, less gives people time to think."),
    )
    interruption_sensitivity = forms.FloatField(
        label=_("How easily it stops for people"),
        min_value=0,
        max_value=1,
        widget=forms.NumberInput(attrs={"step": "0.05"}),
        help_text=_("1 at the first word, 0 never."),
    )
    enable_backchannel = forms.BooleanField(
        label=_("Says “yeah” and “uh-huh” while it listens"), required=False
    )
    ambient_sound = forms.ChoiceField(
        label=_("Background sound"), choices=settings_schema.AMBIENT_SOUNDS, required=False
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
    denoising_mode = forms.ChoiceField(label=_("Filter out"), choices=settings_schema.DENOISING)
    stt_mode = forms.ChoiceField(label=_("Listening"), choices=settings_schema.LISTENING)

    def more_initial(self) -> dict[str, Any]:
        return {
            "max_call_minutes": self.kept["max_call_duration_ms"] // 60_000,
            "silence_seconds": self.kept["end_call_after_silence_ms"] // 1000,
            "keywords": ", ".join(self.kept["keywords"]),
        }

    def clean_keywords(self) -> list[str]:
        typed = self.cleaned_data["keywords"].replace("\n", ",").split(",")
        words = list(dict.fromkeys(word.strip() for word in typed if word.strip()))
        if len(words) > settings_schema.MOST_KEYWORDS:
            raise forms.ValidationError(
                _("Name at most %(most)d words.") % {"most": settings_schema.MOST_KEYWORDS}
            )
        return words

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("screening_identity") and not data.get("screening_purpose"):
            self.add_error("screening_purpose", _("Say why you call, too."))
        return data

    def more_settings(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "max_call_duration_ms": data["max_call_minutes"] * 60_000,
            "end_call_after_silence_ms": data["silence_seconds"] * 1000,
            "keywords": data["keywords"],
        }


class KnowledgeForm(StepForm):
    """What the agent may look up."""

    columns = ("knowledge_text",)

    knowledge_text = forms.CharField(
        label=_("Facts of this campaign"),
        max_length=50_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text=_(
            "Facts that the agent may look up: prices, hours, answers to common questions."
        ),
    )

    shared_base = forms.TypedChoiceField(
        label=_("Knowledge base"),
        required=False,
        widget=forms.RadioSelect,
        coerce=UUID,
        empty_value=None,
        help_text=_("Shared by your campaigns; one edit there reaches all of them."),
    )

    def __init__(self, *args: Any, bases: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["shared_base"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [("", _("None")), *bases]

    def more_initial(self) -> dict[str, Any]:
        return {"shared_base": str(self.content.shared_base_id or "")}

    def more_changes(self) -> dict[str, Any]:
        return {"shared_base_id": self.cleaned_data["shared_base"]}

    def clean_knowledge_text(self) -> str:
        return str(self.cleaned_data["knowledge_text"]).replace("\r\n", "\n")


class LaunchForm(forms.Form):
    """The numbers a person agreed to, and the key that makes pressing twice one launch."""

    starts_at = forms.DateTimeField(
        label=_("Start at"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("Empty: at once. The minutes are reserved now."),
    )
    mode = forms.ChoiceField(
        choices=BatchCall.Mode, required=False, widget=forms.HiddenInput, initial="dispatcher"
    )
    launch_key = forms.UUIDField(widget=forms.HiddenInput)
    leads = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    seconds = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
