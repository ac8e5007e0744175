"""The step of the wizard that says what counts as a conversion, and what else is read out of each call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns import agent_choices, settings_schema
from campaigns.agent_settings import CONVERTED_FIELD
from campaigns.dialling.callbacks import CALLBACK_FIELD
from campaigns.forms.step import StepForm
from convomono.lib.words import without_controls, words_between_commas

if TYPE_CHECKING:
    from django.forms import BoundField

ANSWERS = (
    ("boolean", _("Yes or no")),
    ("string", _("Words")),
    ("number", _("A number")),
    ("enum", _("One of these")),
)
_NUMBERS = range(settings_schema.MOST_QUESTIONS)
_FIELDS = ("name", "kind", "description", "choices", *settings_schema.DETAILS)


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
        given = dict(enumerate(self.kept["questions"]))
        for number in _NUMBERS:
            asked = dict(given.get(number, {}))
            for name, field in {**_main_fields(asked), **_detail_fields(asked)}.items():
                self.fields[f"{name}_{number}"] = field

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return the fields of each question, for the page; `is_detailed` if any detail is set or refused."""
        found: list[dict[str, Any]] = []
        for number in _NUMBERS:
            row: dict[str, Any] = {name: self[f"{name}_{number}"] for name in _FIELDS}
            details: list[BoundField] = [row[name] for name in settings_schema.DETAILS]
            row["is_detailed"] = any(field.value() or field.errors for field in details)
            found.append(row)
        return found

    @property
    def asks_more(self) -> bool:
        """Tell whether more than the first question is asked, or one of them is refused."""
        later = [row[name] for row in self.rows[1:] for name in _FIELDS]
        return any(field.errors for field in later) or any(
            row["name"].value() for row in self.rows[1:]
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        taken = {CONVERTED_FIELD, CALLBACK_FIELD}  # asked of every call anyway
        for number in _NUMBERS:
            question = self._typed(number)
            name = question["name"]
            if not name and not question["description"]:
                continue
            if not settings_schema.QUESTION_NAME.fullmatch(name):
                self.add_error(
                    f"name_{number}", _("Begin with a letter; use letters, digits and spaces.")
                )
            elif name.casefold() in taken:
                self.add_error(f"name_{number}", _("This name is taken: choose another."))
            taken.add(name.casefold())
            if not question["description"]:
                self.add_error(f"description_{number}", _("Say what to find out."))
            for detail, why in settings_schema.question_faults(question).items():
                self.add_error(f"{detail}_{number}", why)
        return data

    def _typed(self, number: int) -> dict[str, Any]:
        """Return a question as it was typed; what a field refused is empty."""
        data = {name: self.cleaned_data.get(f"{name}_{number}", "") for name in _FIELDS}
        lines = without_controls(data["examples"]).splitlines()
        examples = (line.strip() for line in lines)
        return {
            "name": data["name"].strip(),
            "kind": data["kind"] or "string",
            "description": data["description"].strip(),
            "choices": words_between_commas(data["choices"]),
            "required": bool(data["required"]),
            "examples": list(dict.fromkeys(line for line in examples if line)),
            "condition": data["condition"].strip(),
        }

    def more_settings(self) -> dict[str, Any]:
        typed = [self._typed(number) for number in _NUMBERS]
        return {"questions": [settings_schema.stored_question(one) for one in typed if one["name"]]}


def _main_fields(given: dict[str, Any]) -> dict[str, forms.Field]:
    return {
        "name": _words(_("Name"), 40, given.get("name", "")),
        "kind": forms.ChoiceField(
            label=_("Answer"), choices=ANSWERS, required=False, initial=given.get("kind", "string")
        ),
        "description": _words(_("What to find out"), 300, given.get("description", "")),
        "choices": _words(_("Choices, with commas"), 300, ", ".join(given.get("choices", []))),
    }


def _detail_fields(given: dict[str, Any]) -> dict[str, forms.Field]:
    return {
        "required": forms.BooleanField(
            label=_("It must be answered"),
            required=False,
            initial=given.get("required", False),
            help_text=_("A call without this answer counts as unsuccessful."),
        ),
        "condition": _words(
            _("Ask it only if"),
            settings_schema.CONDITION_CHARS,
            given.get("condition", ""),
            help_text=_("In words, such as: they have an insurance. Empty: of every call."),
        ),
        "examples": forms.CharField(
            label=_("Examples of an answer, one on each line"),
            max_length=2000,
            required=False,
            initial="\n".join(given.get("examples", [])),
            widget=forms.Textarea(attrs={"rows": 3}),
            help_text=_("How an answer in words should look."),
        ),
    }


def _words(label: Any, longest: int, given: str, *, help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label, max_length=longest, required=False, initial=given, help_text=help_text
    )
