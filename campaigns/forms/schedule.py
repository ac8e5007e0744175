"""The steps of the wizard that say when people are called, how often, from where, and what is read out of calls."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns import agent_choices, settings_schema
from campaigns.agent_settings import CONVERTED_FIELD
from campaigns.dialling.callbacks import CALLBACK_FIELD
from campaigns.forms.step import StepForm, sound_text
from convomono.lib.words import words_between_commas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.forms import BoundField

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
ANSWERS = (
    ("boolean", _("Yes or no")),
    ("string", _("Words")),
    ("number", _("A number")),
    ("enum", _("One of these")),
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


class AnalysisForm(StepForm):
    """What counts as a conversion, and what else is read out of each call."""

    chosen = ("conversion", "analysis_tier")

    conversion = forms.CharField(
        label=_("What counts as a conversion"),
        max_length=300,
        required=False,
        help_text=_("In one sentence, such as: the person agreed to an appointment."),
    )
    analysis_tier = forms.ChoiceField(
        label=_("Who reads them out"), choices=agent_choices.ANALYSIS_TIERS
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(settings_schema.MOST_QUESTIONS):
            given = dict(enumerate(self.kept["questions"])).get(number)
            self._add_question(number, dict(given) if given else {})

    def _add_question(self, number: int, given: dict[str, Any]) -> None:
        self.fields[f"name_{number}"] = forms.CharField(
            label=_("Name"), max_length=40, required=False, initial=given.get("name", "")
        )
        self.fields[f"kind_{number}"] = forms.ChoiceField(
            label=_("Answer"), choices=ANSWERS, required=False, initial=given.get("kind", "string")
        )
        self.fields[f"description_{number}"] = forms.CharField(
            label=_("What to find out"),
            max_length=300,
            required=False,
            initial=given.get("description", ""),
        )
        self.fields[f"choices_{number}"] = forms.CharField(
            label=_("Choices, with commas"),
            max_length=300,
            required=False,
            initial=", ".join(given.get("choices", [])),
        )

    @property
    def rows(self) -> list[dict[str, BoundField]]:
        """Return the fields of each question, for the page."""
        names = ("name", "kind", "description", "choices")
        return [
            {name: self[f"{name}_{number}"] for name in names}
            for number in range(settings_schema.MOST_QUESTIONS)
        ]

    @property
    def asks_more(self) -> bool:
        """Tell whether more than the first question is asked, or one of them is refused."""
        later = [field for row in self.rows[1:] for field in row.values()]
        return any(field.errors for field in later) or any(
            row["name"].value() for row in self.rows[1:]
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        taken = {CONVERTED_FIELD, CALLBACK_FIELD}  # asked of every call anyway
        for number in range(settings_schema.MOST_QUESTIONS):
            name = data.get(f"name_{number}", "").strip()
            asked = data.get(f"description_{number}", "").strip()
            if not name and not asked:
                continue
            if not settings_schema.QUESTION_NAME.fullmatch(name):
                self.add_error(
                    f"name_{number}", _("Begin with a letter; use letters, digits and spaces.")
                )
            elif name.casefold() in taken:
                self.add_error(f"name_{number}", _("This name is taken: choose another."))
            taken.add(name.casefold())
            if not asked:
                self.add_error(f"description_{number}", _("Say what to find out."))
            enough = len(words_between_commas(data.get(f"choices_{number}", ""))) > 1
            if data.get(f"kind_{number}") == "enum" and not enough:
                self.add_error(f"choices_{number}", _("Name two choices at least."))
        return data

    def more_settings(self) -> dict[str, Any]:
        data = self.cleaned_data
        questions = []
        for number in range(settings_schema.MOST_QUESTIONS):
            if not data[f"name_{number}"].strip():
                continue
            kind = data[f"kind_{number}"] or "string"
            questions.append(
                {
                    "name": data[f"name_{number}"].strip(),
                    "kind": kind,
                    "description": data[f"description_{number}"].strip(),
                    "choices": words_between_commas(data[f"choices_{number}"])
                    if kind == "enum"
                    else [],
                }
            )
        return {"questions": questions}


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute


def _closing_minute(at: time) -> int:
    """Midnight as an end is the end of the day."""
    return _minute(at) or DAY_MINUTES


def _time(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)
