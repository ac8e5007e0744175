"""One lead, as people type it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from convomono.lib.phone import NumberRefused, parse_number
from convomono.lib.words import without_controls, words_between_commas
from leads.forms.consent import COUNTRIES, ConsentFields
from leads.imports.verdicts import REASONS, Verdict
from leads.models.people import MOST_TAGS
from leads.services.people import CHANGEABLE, LeadFields

if TYPE_CHECKING:
    from leads.models import Lead


TAG_CHARS = 40
_TAGS_CHARS = MOST_TAGS * (TAG_CHARS + 2)


class _LeadWords(forms.Form):
    """What both forms of a lead ask and check."""

    first_name = forms.CharField(label=_("First name"), max_length=120, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=120, required=False)
    email = forms.EmailField(label=_("E-mail"), required=False)
    company = forms.CharField(label=_("Company"), max_length=200, required=False)
    region = forms.CharField(label=_("State or region"), max_length=64, required=False)
    postal_code = forms.CharField(label=_("ZIP or postal code"), max_length=16, required=False)
    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        required=False,
        help_text=_("Such as America/Chicago. If empty, ZIP and state tell it, else the number."),
    )
    external_id = forms.CharField(label=_("Your own ID"), max_length=120, required=False)
    tags = forms.CharField(
        label=_("Tags"),
        max_length=_TAGS_CHARS,
        required=False,
        help_text=_("Separated by commas."),
    )

    def clean_time_zone(self) -> str:
        zone: str = self.cleaned_data["time_zone"].strip()
        if zone and zone not in available_timezones():
            raise forms.ValidationError(_("This is no time zone. Such as: America/Chicago."))
        return zone

    def clean_tags(self) -> list[str]:
        tags = words_between_commas(self.cleaned_data["tags"])
        if len(tags) > MOST_TAGS:
            raise forms.ValidationError(_("A lead has at most %d tags.") % MOST_TAGS)
        if any(len(tag) > TAG_CHARS for tag in tags):
            raise forms.ValidationError(_("A tag has at most %d letters.") % TAG_CHARS)
        return tags

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name, value in list(data.items()):
            if isinstance(value, str):
                data[name] = without_controls(value)
            texts = value if isinstance(value, list) else [value]
            if any(isinstance(text, str) and ("{{" in text or "}}" in text) for text in texts):
                self.add_error(name, _("Two braces may not stand here: the agent reads it."))
        return data

    def lead_fields(self) -> LeadFields:
        """Return what a valid form says of the person."""
        return LeadFields(**{name: self.cleaned_data[name] for name in CHANGEABLE})


class LeadEditForm(_LeadWords):
    """What can be changed of a lead; its number can't: another number is another lead."""

    tags_seen = forms.CharField(
        max_length=_TAGS_CHARS, required=False, widget=forms.HiddenInput, strip=False
    )

    @staticmethod
    def initial_of(lead: Lead) -> dict[str, str]:
        """Return the lead as the form shows it."""
        tags = ", ".join(lead.tags)
        return {name: getattr(lead, name) for name in CHANGEABLE} | {
            "tags": tags,
            "tags_seen": tags,
        }

    def asked(self) -> tuple[str, ...]:
        """Return what was sent: a page from before an update asks less, and takes nothing off."""
        return tuple(name for name in CHANGEABLE if name in self.data)

    def tags_before(self) -> list[str] | None:
        """Return the tags that the lead had when the form was shown; None if it doesn't say."""
        seen = self.cleaned_data["tags_seen"]
        return words_between_commas(seen) if "tags_seen" in self.data else None


class LeadForm(_LeadWords, ConsentFields):
    """One lead, typed by hand."""

    phone_number = forms.CharField(
        label=_("Phone number"),
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
    )
    country = forms.ChoiceField(
        label=_("Country"),
        choices=COUNTRIES,
        initial="US",
        help_text=_("For numbers without + and a country code."),
    )
    field_order = ("phone_number", "country", *CHANGEABLE, "tags")

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if data.get("phone_number") and data.get("country"):
            try:
                parse_number(data["phone_number"], data["country"])
            except NumberRefused as exc:
                self.add_error("phone_number", REASONS[Verdict(exc.reason)])
        return data
