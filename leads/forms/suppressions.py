"""The do-not-call list as people type it: one number, a list of them, a search, a lift."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from convomono.lib.phone import NumberRefused
from convomono.lib.phone_listed import listed_number
from leads.doors import campaigns
from leads.forms.consent import COUNTRIES
from leads.imports.verdicts import REASONS, Verdict
from leads.models import Suppression
from leads.operations.list_file import MAX_BYTES

if TYPE_CHECKING:
    from accounts.models import Client

_REASON_CHARS = 200


class AgencyEntryForm(forms.Form):
    """A number that nobody calls any more, for any client."""

    phone_number = forms.CharField(
        label=_("Phone number"),
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
    )
    country = forms.ChoiceField(label=_("Country"), choices=COUNTRIES, initial="US")
    source = forms.ChoiceField(
        label=_("How it was asked"),
        required=False,
        choices=[
            (Suppression.Source.PERSON, _("In writing, or our own decision")),
            (Suppression.Source.SPOKEN, _("By word of mouth")),
        ],
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=_REASON_CHARS, help_text=_("Who asked, and how.")
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("phone_number") and data.get("country"):
            try:
                data["e164"] = listed_number(data["phone_number"], data["country"])
            except NumberRefused as exc:
                self.add_error("phone_number", REASONS[Verdict(exc.reason)])
        return data


class _ForCampaign(forms.Form):
    """All of a client's campaigns, or one of them."""

    campaign_id = forms.ChoiceField(label=_("For"), required=False)

    def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["campaign_id"]
        self.names: dict[str, str] = dict(campaigns().choices(client.pk))
        field.choices = [("", _("All campaigns")), *self.names.items()]

    def campaign(self) -> tuple[UUID, str] | None:
        """Return the campaign that a valid form names, and its name; None for all."""
        value = self.cleaned_data["campaign_id"]
        return (UUID(value), self.names[value]) if value else None


class SuppressionForm(_ForCampaign, AgencyEntryForm):
    """A number that must not be called any more for one client: by nobody, or for one campaign."""

    field_order = ("phone_number", "country", "campaign_id", "source", "reason")


class ListForm(forms.Form):
    """A list of numbers to take over: a file, or pasted."""

    file = forms.FileField(
        label=_("File"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx,.zip"}),
        help_text=_(
            "CSV, text or Excel (.xlsx), or one of them in a ZIP; 20 MB at most (unpacked too)."
        ),
        error_messages={"empty": _("The file is empty. Save the list again.")},
    )
    pasted = forms.CharField(
        label=_("Or paste numbers"),
        required=False,
        max_length=200_000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    country = forms.ChoiceField(label=_("Country"), choices=COUNTRIES, initial="US")
    reason = forms.CharField(
        label=_("Reason"),
        max_length=_REASON_CHARS,
        help_text=_("Where the list comes from, and its date."),
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file and file.size > MAX_BYTES:
            raise forms.ValidationError(_("The file is larger than 20 MB. Split it."))
        return file

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors and not data.get("file") and not data.get("pasted", "").strip():
            self.add_error("file", _("Choose a file or paste the numbers."))
        return data

    def stream(self) -> IO[bytes]:
        """Return what was given as bytes, from the beginning."""
        if file := self.cleaned_data["file"]:
            file.seek(0)
            return file  # type: ignore[no-any-return]  # an uploaded file
        return io.BytesIO(self.cleaned_data["pasted"].encode())


class ClientListForm(_ForCampaign, ListForm):
    """A list that a client takes over, for all campaigns or one."""

    field_order = ("file", "pasted", "country", "campaign_id", "reason")


class SuppressionSearch(forms.Form):
    """Which entries of the list are shown."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=40,
        widget=forms.SearchInput(attrs={"placeholder": _("A part of the number")}),
    )
    source = forms.ChoiceField(
        label=_("Came from"),
        required=False,
        choices=[("", _("Any")), *Suppression.Source.choices],
    )


class EntrySearch(SuppressionSearch):
    """Which entries of all lists the agency looks at."""

    level = forms.ChoiceField(
        label=_("List"),
        required=False,
        choices=[("", _("All lists")), *Suppression.Level.choices],
    )


class LiftForm(forms.Form):
    """Why a number may be called again."""

    reason = forms.CharField(
        label=_("Why may it be called again?"),
        max_length=_REASON_CHARS,
        help_text=_("It is kept in the audit log with your name."),
    )
