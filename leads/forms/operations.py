"""A change to many leads, as people choose it: what, to which, and what belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from convomono.lib.words import without_controls
from leads.doors import campaigns
from leads.forms.table import LeadFilters, QueryField
from leads.models import LeadOperation

if TYPE_CHECKING:
    from accounts.models import Client
    from leads.models import OperationParams

Kind = LeadOperation.Kind
MOST_CHOSEN = 500
_UNREAD = _(
    "A part of the filter can't be read, so it isn't clear which leads are meant. Filter again."
)


class OperationForm(forms.Form):
    """Which leads (`lead`, or everybody the list's `query` finds), and what is done to them."""

    kind = forms.ChoiceField(
        # A do-not-call list is imported on a page of its own.
        choices=[one for one in Kind.choices if one[0] != Kind.LIST],
        widget=forms.HiddenInput,
    )
    scope = forms.ChoiceField(
        choices=[("chosen", ""), ("all", "")], required=False, widget=forms.HiddenInput
    )
    query = QueryField()
    tag = forms.CharField(label=_("Tag"), max_length=40)
    campaign_id = forms.ChoiceField(
        label=_("Campaign"),
        help_text=_("They wait there for its next launch."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, help_text=_("Who asked, and how."))
    format = forms.ChoiceField(
        label=_("File"), choices=[("csv", _("CSV")), ("xlsx", _("Excel workbook"))], initial="csv"
    )

    _OF_KIND: Final[dict[str, str]] = {
        Kind.TAG: "tag",
        Kind.UNTAG: "tag",
        Kind.ENROL: "campaign_id",
        Kind.SUPPRESS: "reason",
        Kind.EXPORT: "format",
    }

    def __init__(self, data: Any, *, client: Client, is_confirmed: bool) -> None:
        super().__init__(data)
        self.client = client
        self.asked = str(self.data.get("kind", ""))
        needed = self._OF_KIND.get(self.asked)
        for name in ("tag", "campaign_id", "reason", "format"):
            if name != needed:
                del self.fields[name]
            elif not is_confirmed:
                self.fields[name].required = False
        if "campaign_id" in self.fields:
            field: Any = self.fields["campaign_id"]
            field.choices = campaigns().choices(client.pk)

    def clean_tag(self) -> str:
        tag = without_controls(self.cleaned_data["tag"]).strip()
        if not tag or "," in tag or "{{" in tag or "}}" in tag or "#" in tag:
            raise forms.ValidationError(_("A tag is a word or two, without , # or braces."))
        return tag

    def clean_query(self) -> str:
        """Refuse a filter of which a part would be left out: the change would be for more leads than were meant."""
        query: str = self.cleaned_data["query"]
        if LeadFilters(QueryDict(query), client=self.client).errors:
            raise forms.ValidationError(_UNREAD)
        return query

    def lead_ids(self) -> list[str]:
        """Return the leads that were ticked; none if everybody is meant."""
        if self.cleaned_data.get("scope") == "all":
            return []
        return [
            one
            for one in cast("QueryDict", self.data).getlist("lead")[:MOST_CHOSEN]
            if _is_uuid(one)
        ]

    def filters(self) -> dict[str, str]:
        """Return the list's filters that the page had."""
        found = LeadFilters(QueryDict(self.cleaned_data.get("query", "")), client=self.client)
        return {name: value for name, value in found.active().items() if name != "sort"}

    def is_for_everybody(self) -> bool:
        return self.cleaned_data.get("scope") == "all"

    def params(self) -> OperationParams:
        """Return what the operation keeps."""
        data = self.cleaned_data
        params: OperationParams = {}
        if self.is_for_everybody():
            params["filters"] = self.filters()
        else:
            params["ids"] = self.lead_ids()
        if "tag" in data:
            params["tag"] = data["tag"]
        if "campaign_id" in data:
            params["campaign_id"] = data["campaign_id"]
            params["campaign"] = dict(campaigns().choices(self.client.pk))[data["campaign_id"]]
        if "reason" in data:
            params["reason"] = data["reason"]
        if "format" in data:
            params["format"] = data["format"]
        return params


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
