"""What is said of a script's variables, a form for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.variables import KINDS, MOST_CHARS, PROBLEMS, VariableRule, value_problem

if TYPE_CHECKING:
    from collections.abc import Iterable


class VariableForm(forms.Form):
    """One variable."""

    kind = forms.ChoiceField(
        label=_("Kind"), choices=[(key, label) for key, (label, _call) in KINDS.items()]
    )
    is_required = forms.BooleanField(label=_("A call needs it"), required=False)
    default = forms.CharField(
        label=_("Said instead if it is missing"), max_length=MOST_CHARS, required=False
    )
    max_chars = forms.IntegerField(
        label=_("Longest (characters)"), min_value=1, max_value=MOST_CHARS, initial=200
    )

    def __init__(self, data: Any, *, rule: VariableRule) -> None:
        initial = {
            "kind": rule.kind,
            "is_required": rule.is_required,
            "default": rule.default,
            "max_chars": rule.max_chars,
        }
        super().__init__(data, prefix=rule.name, initial=initial)
        self.name = rule.name

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and (problem := value_problem(self.rule(), data["default"])):
            self.add_error("default", str(PROBLEMS[problem]))
        return data

    def rule(self) -> VariableRule:
        """Return what was typed."""
        return VariableRule(name=self.name, **self.cleaned_data)


def variable_forms(
    data: Any, *, names: Iterable[str], rules: Iterable[VariableRule]
) -> list[VariableForm]:
    """Return a form for each variable of the script, with what was said of it before."""
    known = {rule.name: rule for rule in rules}
    return [VariableForm(data, rule=known.get(name, VariableRule(name))) for name in names]
