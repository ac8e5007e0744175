"""What the monitor's list is narrowed by, and what a client says about an address."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientEvent
from convomono.lib.outbound import AddressRefused, check_url
from webhooks import queries
from webhooks.models import EndpointDelivery, ReplayRun, WebhookEvent

_KINDS = [choice for choice in ClientEvent.Kind.choices if choice[0] != ClientEvent.Kind.TEST]


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


class EndpointForm(forms.Form):
    """Where events go and which; `is_active` is asked for once the address exists."""

    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        help_text=_("It gets a POST for each event: https, on the open Internet."),
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/convomono"}),
    )
    description = forms.CharField(label=_("What it is for"), max_length=80, required=False)
    kinds = forms.MultipleChoiceField(
        label=_("Events"), choices=_KINDS, widget=forms.CheckboxSelectMultiple
    )
    is_active = forms.BooleanField(label=_("Send events there"), required=False, initial=True)

    def __init__(self, *args: Any, is_new: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_new:
            del self.fields["is_active"]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        try:
            check_url(url, trusted=settings.OUTBOUND_TRUSTED)
        except AddressRefused as refused:
            raise forms.ValidationError(str(refused)) from None
        return url


class DeliveryFilterForm(forms.Form):
    """What the log of an address is narrowed by."""

    kind = forms.ChoiceField(
        label=_("Event"), required=False, choices=[("", _("All")), *ClientEvent.Kind.choices]
    )
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("All")), *EndpointDelivery.Status.choices],
    )


class ReplayForm(forms.Form):
    """Which events are replayed; times are UTC, and at least one of the three narrows."""

    kind = forms.ChoiceField(
        label=_("What"), choices=ReplayRun.Kind.choices, widget=forms.RadioSelect, initial="again"
    )
    received_from = forms.DateTimeField(
        label=_("Received from (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    received_until = forms.DateTimeField(
        label=_("Received before (UTC)"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    provider_call_id = forms.CharField(
        label=_("Call"),
        required=False,
        max_length=100,
        help_text=_("The id of one call, Retell's or ours."),
    )
    is_dry_run = forms.BooleanField(
        label=_("Only tell what would change"), required=False, initial=True
    )

    def clean_provider_call_id(self) -> str:
        return queries.provider_call_id(self.cleaned_data["provider_call_id"])

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        narrows = ("received_from", "received_until", "provider_call_id")
        if found.get("kind") == ReplayRun.Kind.AGAIN and not any(map(found.get, narrows)):
            self.add_error(None, _("Say which events: from when, until when, or of which call."))
        since, until = found.get("received_from"), found.get("received_until")
        if since and until and since >= until:
            self.add_error("received_until", _("It has to be later than the beginning."))
        return found
