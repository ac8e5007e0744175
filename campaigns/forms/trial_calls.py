"""Whose phone a test call goes to."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.forms.numbers import NumberForm


class TrialCallForm(NumberForm):
    """A number of one's own; `key` makes a form that is sent twice one call."""

    is_own = forms.BooleanField(
        label=_("This is my own phone, or its owner has just agreed to be called"),
        error_messages={"required": _("Only a phone that expects this call may be called.")},
    )
    key = forms.UUIDField(widget=forms.HiddenInput)
    lead = forms.CharField(required=False, widget=forms.HiddenInput, max_length=40)
