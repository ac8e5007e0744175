"""What people filter the lists of campaigns, calls and leads by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.how_far import HOW_FAR
from campaigns.models import BatchCall, Campaign, Enrolment
from campaigns.queries.calls import CallFilter
from campaigns.queries.ranking import MOST_COMPARED, SORTS
from convomono.lib.days import DayField
from telephony.disclosure import AI, GIVEN, NAME, RECORDING
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import QueryDict

_ALL = ("", _("All"))
_BULK = 50


class CampaignFilterForm(forms.Form):
    """Filters of the campaign list."""

    q = forms.CharField(label=_("Name"), required=False, max_length=120, widget=forms.SearchInput)
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[
            _ALL,
            ("live", _("Dialling or paused")),
            *BatchCall.Status.choices,
            *Campaign.Status.choices,
        ],
    )
    sort = forms.ChoiceField(label=_("Order"), required=False, choices=SORTS)

    def query(self) -> str:
        """Return what is filtered as a query string, without what is left open."""
        asked = self.cleaned_data if self.is_valid() else {}
        return urlencode({name: value for name, value in asked.items() if value})


class ComparedForm(forms.Form):
    """The campaigns to put side by side."""

    campaign = forms.TypedMultipleChoiceField(coerce=UUID)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        _choose_among_sent(self, data, MOST_COMPARED)

    def clean_campaign(self) -> list[UUID]:
        chosen = list(dict.fromkeys(self.cleaned_data["campaign"]))
        if len(chosen) < 2:  # noqa: PLR2004 - one alone has nobody beside it
            raise forms.ValidationError(_("Choose two campaigns or more."))
        return chosen


class CampaignBulkForm(forms.Form):
    """The chosen campaigns of a page, and what to do with them."""

    do = forms.ChoiceField(
        choices=[
            ("compare", _("Compare")),
            ("pause", _("Pause")),
            ("duplicate", _("Duplicate")),
            ("archive", _("Archive")),
        ]
    )
    campaign = forms.TypedMultipleChoiceField(coerce=UUID)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        _choose_among_sent(self, data, _BULK)


def _choose_among_sent(form: forms.Form, data: QueryDict, most: int) -> None:
    field = form.fields["campaign"]
    assert isinstance(field, forms.TypedMultipleChoiceField)
    # Whose they are is for the view to look at; here they only have to be ids.
    sent = data.getlist("campaign")[:most]
    field.choices = [(one, one) for one in sent if _is_id(one)]


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


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
    opening = forms.ChoiceField(
        label=_("Opening"),
        required=False,
        choices=[
            _ALL,
            (GIVEN, _("Said all it must")),
            ("missed", _("Left something out")),
            (NAME, _("Left out who calls")),
            (AI, _("Left out that an AI calls")),
            (RECORDING, _("Left out that it is recorded")),
        ],
    )
    campaign = forms.UUIDField(label=_("Campaign"), required=False)
    since = DayField(label=_("From day"), required=False)
    until = DayField(label=_("To day"), required=False)

    version = forms.IntegerField(
        label=_("Version"), required=False, min_value=1, max_value=100_000, widget=forms.HiddenInput
    )

    def __init__(self, *args: Any, campaigns: Sequence[tuple[object, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("All")), *((str(pk), name) for pk, name in campaigns)]
        self.fields["campaign"].widget = forms.Select(choices=choices)

    def wanted(self) -> CallFilter:
        """Return what was asked for; everything where it can't be read."""
        asked = self.cleaned_data if self.is_valid() else {}
        return CallFilter(
            outcome=asked.get("outcome", ""),
            status=asked.get("status", ""),
            campaign_id=asked.get("campaign"),
            since=asked.get("since"),
            until=asked.get("until"),
            number=asked.get("number", ""),
            version=asked.get("version"),
            opening=asked.get("opening", ""),
        )


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
    far = forms.ChoiceField(
        label=_("How far"),
        required=False,
        choices=[_ALL, *((far, label) for far, (label, _leads) in HOW_FAR.items())],
    )
