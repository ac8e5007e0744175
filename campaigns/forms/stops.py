"""The form that stops dialling: why, and whether calls in progress end too."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class StopForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        required=False,
        help_text=_("It stands in the audit log, and on the live page until dialling goes on."),
    )
    end_calls = forms.BooleanField(
        label=_("End the calls in progress too"),
        required=False,
        help_text=_("People who are talking are cut off."),
    )
