"""The fields of the wizard that name whom a call may be handed to."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

from campaigns import transfers
from campaigns.forms.step import StepForm

_NUMBERS = range(transfers.MOST_TARGETS)
_PARTS = ("name", "number", "reason", "days", "opens", "closes", "time_zone")


class TransferFields(StepForm):
    """Whom the agent may hand a call to, each with a number and hours; a row without name, number and reason is none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = dict(enumerate(self.kept["transfers"]))
        for number in _NUMBERS:
            for part, field in _fields(dict(given.get(number, {}))).items():
                self.fields[f"transfer_{part}_{number}"] = field

    @property
    def transfer_rows(self) -> list[dict[str, Any]]:
        """Return the fields of each target, for the page; `is_shown` if it names somebody or is refused."""
        found = []
        for number in _NUMBERS:
            row: dict[str, Any] = {part: self[f"transfer_{part}_{number}"] for part in _PARTS}
            row["is_shown"] = any(field.value() or field.errors for field in list(row.values()))
            found.append(row)
        return found

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for number in _NUMBERS:
            target = self._typed(number)
            if target:
                for part, why in transfers.target_faults(target).items():
                    if f"transfer_{part}_{number}" not in self.errors:
                        self.add_error(f"transfer_{part}_{number}", why)
        return data

    def _typed(self, number: int) -> transfers.TransferTarget | None:
        """Return a target as it was typed, None for an empty row; what a field refused is empty."""
        typed: dict[str, Any] = {
            part: self.cleaned_data.get(f"transfer_{part}_{number}") or "" for part in _PARTS
        }
        if not (typed["name"] or typed["number"] or typed["reason"]):
            return None
        for part in ("opens", "closes"):
            typed[part] = typed[part].strftime("%H:%M") if typed[part] else ""
        return transfers.read_target({**typed, "days": typed["days"] or []})

    def more_settings(self) -> dict[str, Any]:
        typed = [self._typed(number) for number in _NUMBERS]
        return {"transfers": [target for target in typed if target]}


def _fields(given: dict[str, Any]) -> dict[str, forms.Field]:
    return {
        "name": _words(_("Who"), transfers.NAME_CHARS, given.get("name", "")),
        "number": forms.CharField(
            label=_("Their number"),
            max_length=40,
            required=False,
            initial=given.get("number", ""),
            widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
        ),
        "reason": _words(
            _("When the agent hands over"),
            transfers.REASON_CHARS,
            given.get("reason", ""),
            help_text=_("In words, such as: they ask for a person, or want to buy today."),
        ),
        "days": forms.TypedMultipleChoiceField(
            label=_("Days on which they answer"),
            choices=list(WEEKDAYS.items()),
            coerce=int,
            required=False,
            initial=given.get("days", []),
            widget=forms.CheckboxSelectMultiple,
        ),
        "opens": _hour(_("From"), given.get("opens", "")),
        "closes": _hour(_("To"), given.get("closes", "")),
        "time_zone": _words(
            _("Time zone of these hours"),
            64,
            given.get("time_zone", ""),
            help_text=_("Such as: America/Chicago. Nothing chosen here: at any hour."),
        ),
    }


def _hour(label: Any, given: str) -> forms.TimeField:
    return forms.TimeField(
        label=label,
        required=False,
        initial=given or None,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )


def _words(label: Any, longest: int, given: str, *, help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label, max_length=longest, required=False, initial=given, help_text=help_text
    )
