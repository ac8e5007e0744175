"""The forms of the agency's live pages: what stops dialling and why, and which calls in progress are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from telephony.models import Call

if TYPE_CHECKING:
    from django.http import QueryDict


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


class LiveCallFilterForm(forms.Form):
    """Filters of the calls in progress."""

    client = forms.UUIDField(label=_("Client"), required=False)
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("All")), *((one.value, one.label) for one in Call.LIVE)],
    )

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        names = Client.objects.order_by("name", "pk").values_list("pk", "name")
        choices = [("", _("All")), *((str(pk), name) for pk, name in names)]
        self.fields["client"].widget = forms.Select(choices=choices)
