"""What somebody types to an agent in the test chat; the talk so far travels with the form."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.services.asking import MOST_LINES, QUESTION_CHARS, Line

_LINE_CHARS = 2_000


class ChatForm(forms.Form):
    """The next line, and the lines before it as JSON: nothing of a test is kept."""

    text = forms.CharField(label=_("You say"), max_length=QUESTION_CHARS)
    lead = forms.CharField(required=False, widget=forms.HiddenInput, max_length=40)
    history = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_history(self) -> list[Line]:
        try:
            given: Any = json.loads(self.cleaned_data["history"] or "[]")
            lines = [Line(str(one["role"]), str(one["text"])[:_LINE_CHARS]) for one in given]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise forms.ValidationError(_("Start the talk again.")) from None
        if len(lines) > MOST_LINES:
            raise forms.ValidationError(_("This talk is long enough: start again."))
        return lines


def history_of(lines: list[Line]) -> str:
    """Return the lines as the form carries them."""
    return json.dumps([{"role": line.role, "text": line.text} for line in lines])
