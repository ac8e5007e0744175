"""The steps of the wizard that say when people are called, how often and from where."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns import settings_schema
from campaigns.forms.step import StepForm, sound_text

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    ("leave_message", _("Leave a message, word for word (talk time is charged)")),
    ("prompt", _("Leave a message in the agent's own words (talk time is charged)")),
    ("off", _("Don't look for machines: the agent talks on (talk time is charged)")),
)
MOST_CALLS_AT_ONCE = 500
DAY_MINUTES = 24 * 60


class HoursForm(StepForm):
    """When people are called, in their own time."""

    columns = ("weekdays", "is_any_hour")

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

    def __init__(self, *args: Any, is_sandbox: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_sandbox:
            del self.fields["is_any_hour"]

    def more_initial(self) -> dict[str, Any]:
        return {
            "opens_at": _time(self.content.opens_minute),
            "closes_at": _time(self.content.closes_minute),
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        opens, closes = data.get("opens_at"), data.get("closes_at")
        if opens and closes and _minute(opens) >= _closing_minute(closes):
            self.add_error("closes_at", _("Choose a time later than the beginning."))
        return data

    def more_changes(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "weekdays": tuple(sorted(data["weekdays"])),
            "opens_minute": _minute(data["opens_at"]),
            "closes_minute": _closing_minute(data["closes_at"]),
        }


class AttemptsForm(StepForm):
    """How often each lead is tried, and what happens when a machine answers."""

    columns = ("max_attempts",)
    chosen = ("voicemail_action", "voicemail_message", "voicemail_detection")

    max_attempts = forms.IntegerField(label=_("Attempts per lead"), min_value=1, max_value=10)
    busy_minutes = forms.IntegerField(label=_("After busy"), min_value=5, max_value=1440)
    no_answer_minutes = forms.IntegerField(
        label=_("After no answer"), min_value=15, max_value=10_080
    )
    voicemail_minutes = forms.IntegerField(
        label=_("After voicemail"), min_value=15, max_value=10_080
    )
    declined_minutes = forms.IntegerField(label=_("After declined"), min_value=15, max_value=10_080)
    ring_seconds = forms.IntegerField(
        label=_("Let it ring (seconds)"),
        min_value=settings_schema.RING_SECONDS[0],
        max_value=settings_schema.RING_SECONDS[1],
    )
    voicemail_action = forms.ChoiceField(label=_("When a machine answers"), choices=VOICEMAIL)
    voicemail_message = forms.CharField(
        label=_("Message to leave"),
        max_length=600,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For the agent's own words: what it is to say, and how shortly."),
    )

    voicemail_detection = forms.CharField(
        label=_("What tells a machine"),
        max_length=settings_schema.DETECTION_CHARS,
        required=False,
        help_text=_(
            "In words, where it takes people for machines or the other way round. Empty: as Retell does it."
        ),
    )

    _delays = ("busy", "no_answer", "voicemail", "declined")

    def more_initial(self) -> dict[str, Any]:
        delays = {
            f"{name}_minutes": getattr(self.content, f"{name}_delay_seconds") // 60
            for name in self._delays
        }
        return {**delays, "ring_seconds": self.kept["ring_duration_ms"] // 1000}

    def clean_voicemail_message(self) -> str:
        return sound_text(self.cleaned_data["voicemail_message"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        leaves = data.get("voicemail_action") in settings_schema.SAYS_SOMETHING
        if leaves and not data.get("voicemail_message") and "voicemail_message" not in self.errors:
            self.add_error("voicemail_message", _("Write the message that is left."))
        return data

    def more_settings(self) -> dict[str, Any]:
        return {"ring_duration_ms": self.cleaned_data["ring_seconds"] * 1000}

    def more_changes(self) -> dict[str, Any]:
        return {
            f"{name}_delay_seconds": self.cleaned_data[f"{name}_minutes"] * 60
            for name in self._delays
        }


class NumbersForm(StepForm):
    """Which of the client's numbers a call is made from, and how many at once."""

    columns = ("concurrency_limit",)

    caller_numbers = forms.MultipleChoiceField(
        label=_("Call from"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen means all of your numbers, also those you get later."),
    )
    concurrency_limit = forms.IntegerField(
        label=_("Calls at once"), min_value=1, max_value=MOST_CALLS_AT_ONCE
    )

    def __init__(self, *args: Any, numbers: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["caller_numbers"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = list(numbers)

    def more_initial(self) -> dict[str, Any]:
        return {"caller_numbers": list(self.content.caller_numbers)}

    def more_changes(self) -> dict[str, Any]:
        return {"caller_numbers": tuple(sorted(self.cleaned_data["caller_numbers"]))}


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute


def _closing_minute(at: time) -> int:
    """Midnight as an end is the end of the day."""
    return _minute(at) or DAY_MINUTES


def _time(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)
