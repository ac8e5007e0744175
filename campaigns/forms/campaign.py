"""What people type about a campaign, and the form that launches it."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns import script, settings_schema
from campaigns.services.authoring import CampaignContent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from campaigns.voices import VoiceChoice

WEEKDAYS = (
    (0, _("Mon")),
    (1, _("Tue")),
    (2, _("Wed")),
    (3, _("Thu")),
    (4, _("Fri")),
    (5, _("Sat")),
    (6, _("Sun")),
)
VOICEMAIL = (
    ("hangup", _("Hang up and try again later")),
    ("leave_message", _("Leave a message (talk time is charged)")),
)
MOST_CALLS_AT_ONCE = 500
DAY_MINUTES = 24 * 60


class CampaignForm(forms.Form):
    """A whole campaign; `content()` is what was typed in the units of the models."""

    name = forms.CharField(label=_("Name"), max_length=120)
    goal = forms.CharField(
        label=_("Goal"),
        max_length=200,
        required=False,
        help_text=_("For your team: what this campaign is for."),
    )
    conversion = forms.CharField(
        label=_("What counts as a conversion"),
        max_length=300,
        required=False,
        help_text=_("In one sentence, such as: the person agreed to an appointment."),
    )
    opening_line = forms.CharField(
        label=_("Opening line"),
        max_length=600,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_(
            "Said word for word when somebody answers. Say who calls, and that it is an AI."
        ),
    )
    script_raw = forms.CharField(
        label=_("Script"),
        max_length=script.SCRIPT_MAX_CHARS,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text=_(
            "What the agent knows, asks and answers. {{first_name}} is filled from the lead."
        ),
    )
    voice_id = forms.ChoiceField(label=_("Voice"), required=False, widget=forms.RadioSelect)
    language = forms.ChoiceField(label=_("Language"), choices=settings_schema.LANGUAGES)
    voice_speed = forms.FloatField(
        label=_("Speed of speech"),
        min_value=settings_schema.VOICE_SPEED[0],
        max_value=settings_schema.VOICE_SPEED[1],
        widget=forms.NumberInput(attrs={"step": "0.05"}),
    )
    knowledge_text = forms.CharField(
        label=_("Knowledge"),
        max_length=50_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_(
            "Facts that the agent may look up: prices, hours, answers to common questions."
        ),
    )
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Days"), choices=WEEKDAYS, coerce=int, widget=forms.CheckboxSelectMultiple
    )
    opens_at = forms.TimeField(
        label=_("From"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    closes_at = forms.TimeField(
        label=_("To"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    is_any_hour = forms.BooleanField(
        label=_("Sandbox: any hour"),
        required=False,
        help_text=_("For trials: holds for the fictional numbers 555-01xx alone."),
    )
    max_attempts = forms.IntegerField(label=_("Attempts per lead"), min_value=1, max_value=10)
    busy_minutes = forms.IntegerField(label=_("After busy"), min_value=5, max_value=1440)
    no_answer_minutes = forms.IntegerField(
        label=_("After no answer"), min_value=15, max_value=10_080
    )
    voicemail_minutes = forms.IntegerField(
        label=_("After voicemail"), min_value=15, max_value=10_080
    )
    declined_minutes = forms.IntegerField(label=_("After declined"), min_value=15, max_value=10_080)
    voicemail_action = forms.ChoiceField(label=_("When a machine answers"), choices=VOICEMAIL)
    voicemail_message = forms.CharField(
        label=_("Message to leave"),
        max_length=600,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    max_call_minutes = forms.IntegerField(
        label=_("Longest call (minutes)"),
        min_value=settings_schema.CALL_MINUTES[0],
        max_value=settings_schema.CALL_MINUTES[1],
    )
    ring_seconds = forms.IntegerField(
        label=_("Let it ring (seconds)"),
        min_value=settings_schema.RING_SECONDS[0],
        max_value=settings_schema.RING_SECONDS[1],
    )
    concurrency_limit = forms.IntegerField(
        label=_("Calls at once"), min_value=1, max_value=MOST_CALLS_AT_ONCE
    )

    def __init__(
        self,
        *args: Any,
        voices: Sequence[VoiceChoice],
        is_sandbox: bool,
        kept_voice: tuple[str, str] = ("", ""),
        kept_settings: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.voices = list(voices)
        # What the form doesn't show stays as it was.
        self.kept_settings = settings_schema.with_defaults(kept_settings or {})
        names = {voice.voice_id: voice.name for voice in voices}
        if kept_voice[0]:
            names.setdefault(*kept_voice)  # chosen before, while Retell doesn't list it just now
        self.voice_names = names
        field = self.fields["voice_id"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(names.items())
        if not is_sandbox:
            del self.fields["is_any_hour"]

    def clean_script_raw(self) -> str:
        return self._sound(self.cleaned_data["script_raw"])

    def clean_opening_line(self) -> str:
        return self._sound(self.cleaned_data["opening_line"])

    def _sound(self, text: str) -> str:
        if wrong := script.malformed(text):
            message = _(
                "“%(text)s” is no variable: write {{first_name}}, in letters, digits and _."
            )
            raise forms.ValidationError(message, params={"text": wrong[0][:40]})
        return text.replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        opens, closes = data.get("opens_at"), data.get("closes_at")
        if opens and closes and _minute(opens) >= _closing_minute(closes):
            self.add_error("closes_at", _("Choose a time later than the beginning."))
        if data.get("voicemail_action") == "leave_message" and not data.get("voicemail_message"):
            self.add_error("voicemail_message", _("Write the message that is left."))
        return data

    def content(self) -> CampaignContent:
        """Return what was typed; only after is_valid()."""
        data = self.cleaned_data
        same = ("name", "goal", "script_raw", "opening_line", "voice_id", "max_attempts")
        return CampaignContent(
            **{name: data[name] for name in (*same, "concurrency_limit")},
            voice_name=self.voice_names.get(data["voice_id"], ""),
            settings={**self.kept_settings, **_settings(data)},
            knowledge_text=data["knowledge_text"].replace("\r\n", "\n"),
            weekdays=tuple(sorted(data["weekdays"])),
            opens_minute=_minute(data["opens_at"]),
            closes_minute=_closing_minute(data["closes_at"]),
            is_any_hour=data.get("is_any_hour", False),
            busy_delay_seconds=data["busy_minutes"] * 60,
            no_answer_delay_seconds=data["no_answer_minutes"] * 60,
            voicemail_delay_seconds=data["voicemail_minutes"] * 60,
            declined_delay_seconds=data["declined_minutes"] * 60,
        )


def _settings(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "language": data["language"],
        "voice_speed": data["voice_speed"],
        "max_call_duration_ms": data["max_call_minutes"] * 60_000,
        "ring_duration_ms": data["ring_seconds"] * 1000,
        "voicemail_action": data["voicemail_action"],
        "voicemail_message": data["voicemail_message"],
        "conversion": data["conversion"],
    }


def initial_of(content: CampaignContent) -> dict[str, Any]:
    """Return what the form shows for a campaign, or for a new one."""
    chosen = settings_schema.with_defaults(content.settings)
    same = ("name", "goal", "script_raw", "opening_line", "voice_id", "knowledge_text")
    return {
        **{name: getattr(content, name) for name in (*same, "max_attempts", "concurrency_limit")},
        "conversion": chosen["conversion"],
        "language": chosen["language"],
        "voice_speed": chosen["voice_speed"],
        "weekdays": list(content.weekdays),
        "opens_at": _time(content.opens_minute),
        "closes_at": _time(content.closes_minute),
        "is_any_hour": content.is_any_hour,
        "busy_minutes": content.busy_delay_seconds // 60,
        "no_answer_minutes": content.no_answer_delay_seconds // 60,
        "voicemail_minutes": content.voicemail_delay_seconds // 60,
        "declined_minutes": content.declined_delay_seconds // 60,
        "voicemail_action": chosen["voicemail_action"],
        "voicemail_message": chosen["voicemail_message"],
        "max_call_minutes": chosen["max_call_duration_ms"] // 60_000,
        "ring_seconds": chosen["ring_duration_ms"] // 1000,
    }


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute


def _closing_minute(at: time) -> int:
    """Midnight as an end is the end of the day."""
    return _minute(at) or DAY_MINUTES


def _time(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


class LaunchForm(forms.Form):
    """The numbers a person agreed to, and the key that makes pressing twice one launch."""

    launch_key = forms.UUIDField(widget=forms.HiddenInput)
    leads = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    seconds = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
