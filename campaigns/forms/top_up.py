"""What people type about launching new leads by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.forms.instants import InstantField

if TYPE_CHECKING:
    from datetime import datetime

EVERY = (
    (5, _("Every 5 minutes")),
    (15, _("Every 15 minutes")),
    (60, _("Every hour")),
    (6 * 60, _("Every 6 hours")),
    (24 * 60, _("Every day")),
    (7 * 24 * 60, _("Every week")),
)


class TopUpForm(forms.Form):
    """When new leads are launched, and how many minutes each such launch may reserve."""

    is_active = forms.BooleanField(label=_("Launch new leads by themselves"), required=False)
    next_at = InstantField(
        label=_("First at"),
    )
    every_minutes = forms.TypedChoiceField(label=_("Then"), choices=EVERY, coerce=int)
    most_minutes = forms.IntegerField(
        label=_("Minutes to reserve at most, each time"),
        min_value=1,
        max_value=1_000_000,
        help_text=_("What isn't talked comes back when the launch is over."),
    )

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now

    def clean_next_at(self) -> datetime:
        at: datetime = self.cleaned_data["next_at"]
        if self.cleaned_data.get("is_active") and at <= self.now:
            raise forms.ValidationError(_("Choose a time that is still to come."))
        return at
