"""What the link to a shared call shows, and for how long."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.services.call_shares import DAYS

_FOR = {1: _("One day"), 7: _("A week"), 30: _("A month")}


class ShareForm(forms.Form):
    """Transcript, recording or both; one day, a week or a month."""

    shows = forms.MultipleChoiceField(
        label=_("It shows"),
        choices=[("transcript", _("What was said")), ("recording", _("The recording"))],
        widget=forms.CheckboxSelectMultiple,
        initial=["transcript"],
    )
    days = forms.TypedChoiceField(
        label=_("It holds for"),
        choices=[(days, _FOR[days]) for days in DAYS],
        coerce=int,
        initial=7,
    )
