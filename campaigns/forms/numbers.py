"""The number that somebody asks about."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from convomono.lib.phone import NumberRefused, parse_number
from leads.forms.consent import COUNTRIES
from leads.imports.verdicts import REASONS, Verdict


class NumberForm(forms.Form):
    """A number, and the country it is read in."""

    number = forms.CharField(
        label=_("Phone number"),
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
    )
    country = forms.ChoiceField(label=_("Country"), choices=COUNTRIES, initial="US", required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("number"):
            try:
                data["parsed"] = parse_number(data["number"], data.get("country") or "US")
            except NumberRefused as exc:
                self.add_error("number", REASONS[Verdict(exc.reason)])
        return data
