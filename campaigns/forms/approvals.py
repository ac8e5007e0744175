"""What people type about launches that need a second person."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.forms.instants import InstantField

MOST_MINUTES = 1_000_000


class LaunchRuleForm(forms.Form):
    """Which launches of the client need a second person."""

    is_active = forms.BooleanField(
        label=_("A second person approves launches"),
        required=False,
        help_text=_("Whoever asks can't approve. Approving takes the right to launch."),
    )
    above_minutes = forms.IntegerField(
        label=_("… that may take more than (minutes)"),
        min_value=0,
        max_value=MOST_MINUTES,
        required=False,
        help_text=_("0: every launch. Counted is what the check before the launch says it needs."),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "above_minutes" in data:
            data["above_minutes"] = data["above_minutes"] or 0
        return data


class AskForm(forms.Form):
    """What somebody says to whoever approves, and when it should start."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    starts_at = InstantField(
        label=_("Start at"),
        required=False,
        help_text=_("Empty: as soon as it is approved."),
    )
    note = forms.CharField(
        label=_("Note"),
        max_length=400,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("For whoever approves it."),
    )


class DeclineForm(forms.Form):
    """Why a launch was declined."""

    reason = forms.CharField(
        label=_("Reason"), max_length=400, widget=forms.Textarea(attrs={"rows": 2})
    )
