"""What the monitor's list is narrowed by."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from webhooks.models import WebhookEvent


class EventFilterForm(forms.Form):
    """A call's id, Retell's or ours, and a status."""

    q = forms.CharField(
        label=_("Call"),
        required=False,
        max_length=100,
        widget=forms.SearchInput(attrs={"placeholder": _("The call's id")}),
    )
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[("", _("All")), *WebhookEvent.Status.choices]
    )
