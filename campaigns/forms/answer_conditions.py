"""What people type about the answers and the mood that a rule wants beside the outcome of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.automation import (
    ANSWER_TESTS,
    MOST_ANSWERS,
    SENTIMENTS,
    AnswerCondition,
    Conditions,
    number_of,
)
from campaigns.queries.analysis import analysis_questions
from convomono.lib.words import without_controls, words_between_commas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.forms import BoundField
    from django_stubs_ext import StrOrPromise

    from accounts.models import Client
    from campaigns.automation import AnswerTest
    from campaigns.models import Campaign
    from campaigns.settings_schema import AnalysisQuestion

_NUMBERS = range(MOST_ANSWERS)
_NAMES = ("question", "test", "answer")
_YES_OR_NO = ("yes", "no")


class _Unfit(Exception):
    """No such answer can be given; the name of the field and what to do about it."""

    def __init__(self, name: str, why: StrOrPromise) -> None:
        super().__init__(name, why)
        self.name, self.why = name, why


class AnswerConditionsForm(forms.Form):
    """
    The part of a rule's form that is about a call's analysis; `campaign` is a field of the whole form.

    A question that no campaign asks any more stays to be chosen where a rule names it, and is refused.
    """

    sentiments = forms.MultipleChoiceField(
        label=_("Only if the mood was"),
        choices=list(SENTIMENTS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen means any."),
    )

    def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._asked = analysis_questions(client)
        named = {self.get_initial_for_field(forms.CharField(), f"question_{n}") for n in _NUMBERS}
        names = sorted({one["name"] for _campaign, one in self._asked} | (named - {None, ""}))
        if not names:
            return
        for number in _NUMBERS:
            self.fields[f"question_{number}"] = forms.ChoiceField(
                label=_("Question"),
                choices=[("", "–"), *((name, name) for name in names)],
                required=False,
            )
            self.fields[f"test_{number}"] = forms.ChoiceField(
                label=_("Its answer"), choices=list(ANSWER_TESTS.items()), required=False
            )
            self.fields[f"answer_{number}"] = forms.CharField(
                label=_("This"),
                max_length=300,
                required=False,
                help_text=_("Several with commas between them. Yes-or-no questions: yes or no."),
            )

    @property
    def rows(self) -> list[dict[str, BoundField]]:
        """Return the fields of each condition on an answer; none where no campaign asks anything."""
        if f"question_{_NUMBERS[0]}" not in self.fields:
            return []
        return [{name: self[f"{name}_{number}"] for name in _NAMES} for number in _NUMBERS]

    @property
    def has_conditions(self) -> bool:
        """Tell whether a condition is set, or one is refused."""
        mood = self["sentiments"]
        return bool(mood.value() or mood.errors) or any(
            row["question"].value() or any(field.errors for field in row.values())
            for row in self.rows
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        found: list[AnswerCondition] = []
        for number in _NUMBERS:
            if any(f"{name}_{number}" in self.errors for name in _NAMES):
                continue
            typed = {name: data.get(f"{name}_{number}", "") for name in _NAMES}
            if not typed["question"] and not typed["answer"].strip():
                continue
            try:
                found.append(self._condition(typed, data.get("campaign")))
            except _Unfit as unfit:
                self.add_error(f"{unfit.name}_{number}", unfit.why)
        data["answers"] = found
        return data

    def conditions(self) -> Conditions:
        """Return what was typed, without what nobody asked for; only after is_valid()."""
        conditions: Conditions = {}
        if self.cleaned_data["answers"]:
            conditions["answers"] = self.cleaned_data["answers"]
        if self.cleaned_data["sentiments"]:
            conditions["sentiments"] = self.cleaned_data["sentiments"]
        return conditions

    def _condition(self, typed: Mapping[str, str], campaign: Campaign | None) -> AnswerCondition:
        """
        Return one condition as it is stored.

        :raises _Unfit: if no call could fulfil it
        """
        name = typed["question"]
        test = cast("AnswerTest", typed["test"] or "is")
        text = without_controls(typed["answer"]).strip()
        if not name:
            raise _Unfit("question", _("Choose the question."))
        if not text:
            raise _Unfit("answer", _("Say which answer."))
        values = words_between_commas(text) if test == "one_of" else [text]
        asked = [
            one
            for campaign_id, one in self._asked
            if one["name"] == name and (campaign is None or campaign.pk == campaign_id)
        ]
        if not asked:
            gone = _("No campaign asks this any more.")
            raise _Unfit("question", _("That campaign doesn't ask this.") if campaign else gone)
        # Campaigns may ask different things by one name: what fits any of them may be answered.
        refusals = []
        for one in asked:
            try:
                fitting = _fitting(one, test, values)
            except _Unfit as unfit:
                refusals.append(unfit)
            else:
                return {"question": name, "test": test, "values": fitting}
        raise refusals[0]


def _fitting(question: AnalysisQuestion, test: str, values: list[str]) -> list[str]:
    """
    Return the values as answers to this question are written.

    :raises _Unfit: if it is never answered so
    """
    kind = question["kind"]
    if test == "at_least" and kind != "number":
        raise _Unfit("test", _("This goes with numbers alone."))
    known = {
        "boolean": _YES_OR_NO,
        "enum": tuple(question["choices"]),
    }.get(kind)
    if kind == "number" and any(number_of(value) is None for value in values):
        raise _Unfit("answer", _("Write a number."))
    if known is None:
        return values
    spelled = {one.casefold(): one for one in known}
    for value in values:
        if value.casefold() not in spelled:
            if kind == "boolean":
                raise _Unfit("answer", _("Write yes or no."))
            said = {"value": value[:40], "choices": ", ".join(known)}
            raise _Unfit("answer", _("“%(value)s” is none of: %(choices)s.") % said)
    return [spelled[value.casefold()] for value in values]


def initial_of_conditions(conditions: Conditions) -> dict[str, Any]:
    """Return what the form shows for a rule's conditions."""
    found: dict[str, Any] = {"sentiments": conditions.get("sentiments", [])}
    for number, one in enumerate(conditions.get("answers", ())):
        found[f"question_{number}"] = one["question"]
        found[f"test_{number}"] = one["test"]
        found[f"answer_{number}"] = ", ".join(one["values"])
    return found
