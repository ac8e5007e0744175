"""What people filter the lists of campaigns, calls and leads by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, Enrolment
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALL = ("", _("All"))


class CampaignFilterForm(forms.Form):
    """Filters of the campaign list."""

    q = forms.CharField(label=_("Name"), required=False, max_length=120, widget=forms.SearchInput)
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[_ALL, ("live", _("Dialling or paused")), *Campaign.Status.choices],
    )


class CallFilterForm(forms.Form):
    """Filters of the list of calls."""

    number = forms.CharField(
        label=_("Number"), required=False, max_length=20, widget=forms.SearchInput
    )
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[_ALL, *Call.OutcomeClass.choices]
    )
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[_ALL, *Call.Status.choices]
    )
    campaign = forms.UUIDField(label=_("Campaign"), required=False)
    since = forms.DateField(
        label=_("From day"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=_("To day"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def __init__(self, *args: Any, campaigns: Sequence[tuple[object, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("All")), *((str(pk), name) for pk, name in campaigns)]
        self.fields["campaign"].widget = forms.Select(choices=choices)


class EnrolmentFilterForm(forms.Form):
    """Filters of a campaign's leads."""

    q = forms.CharField(
        label=_("Name or number"), required=False, max_length=120, widget=forms.SearchInput
    )
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[_ALL, *Enrolment.Status.choices]
    )
    launched = forms.ChoiceField(
        label=_("Launch"),
        required=False,
        choices=[_ALL, ("yes", _("In a launch")), ("no", _("Waiting for one"))],
    )
