"""What the agency types about numbers."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from convomono.lib.ids import uuid7
from convomono.lib.money import dollars, micros_from_dollars
from convomono.lib.phone import NumberRefused, parse_number
from telephony.models import PhoneNumber
from telephony.queries import STATES

_E164 = re.compile(r"\A\+[1-9]\d{6,14}\Z")


def caller_number(text: str) -> str:
    """
    Return a number to call from, in E.164.

    Other than a lead's it may be toll-free.

    :raises NumberRefused: if it is none
    """
    try:
        return parse_number(text).e164
    except NumberRefused as error:
        compact = re.sub(r"[^\d+]", "", text)
        if error.reason == "phone_toll_free" and _E164.fullmatch(compact):
            return compact
        raise


class NumberFilterForm(forms.Form):
    """What the list of numbers is narrowed by."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        widget=forms.SearchInput(attrs={"placeholder": _("Number or name")}),
    )
    state = forms.ChoiceField(
        label=_("State"), required=False, choices=[("", _("In use")), *STATES.items()]
    )


class NumberAddForm(forms.Form):
    """A number that exists at Retell already."""

    phone_number = forms.CharField(
        label=_("Number"),
        max_length=32,
        help_text=_("As Retell shows it, with the country: +1 415 555 0100."),
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
    )
    provider = forms.ChoiceField(label=_("Carrier"), choices=PhoneNumber.Provider.choices)
    type = forms.ChoiceField(label=_("Kind"), choices=PhoneNumber.Type.choices)
    nickname = forms.CharField(label=_("Name"), max_length=80, required=False)

    def clean_phone_number(self) -> str:
        try:
            return caller_number(self.cleaned_data["phone_number"])
        except NumberRefused:
            raise forms.ValidationError(
                _("This is no phone number. Write it with its country, such as +1 415 555 0100.")
            ) from None


class NumberBuyForm(forms.Form):
    """A new number from Retell; `key` makes pressing the button twice one purchase."""

    area_code = forms.IntegerField(
        label=_("Area code"),
        min_value=200,
        max_value=999,
        required=False,
        help_text=_("Three digits, United States. Without one Retell chooses."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    toll_free = forms.BooleanField(label=_("Toll-free"), required=False)
    nickname = forms.CharField(label=_("Name"), max_length=80, required=False)
    is_agreed = forms.BooleanField(
        label=_("Buy it now: Retell charges the first month's rent at once"),
    )
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid7)


class TwilioSearchForm(forms.Form):
    """Which numbers to look for at Twilio."""

    country = forms.CharField(
        label=_("Country"),
        initial="US",
        max_length=2,
        help_text=_("Two letters, such as US, CA or GB."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
    )
    type = forms.ChoiceField(
        label=_("Kind"),
        choices=PhoneNumber.Type.choices,
        help_text=_("Not every country has each."),
    )
    area_code = forms.IntegerField(
        label=_("Area code"),
        min_value=200,
        max_value=999,
        required=False,
        help_text=_("Three digits, United States and Canada."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).upper()
        if not re.fullmatch("[A-Z]{2}", country):
            raise forms.ValidationError(_("Write the country in two letters, such as US."))
        return country

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("area_code") and cleaned.get("country") not in {"US", "CA", None}:
            self.add_error("area_code", _("Area codes are for the United States and Canada."))
        return cleaned


class TwilioBuyForm(forms.Form):
    """One of the numbers that were found; `key` makes pressing the button twice one purchase."""

    phone_number = forms.RegexField(
        _E164, label=_("Number"), error_messages={"required": _("Choose one.")}
    )
    nickname = forms.CharField(label=_("Name"), max_length=80, required=False)
    is_agreed = forms.BooleanField(
        label=_("Buy it now: Twilio charges the first month's rent at once"),
    )
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid7)


class NumberAssignForm(forms.Form):
    """Which client calls from the number; nobody means stock."""

    client = forms.ModelChoiceField(
        label=_("Client"),
        queryset=Client.objects.none(),
        required=False,
        empty_label=_("Nobody, keep it in stock"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        active = Client.objects.filter(status=Client.Status.ACTIVE)
        self.fields["client"].queryset = active.order_by("name")  # type: ignore[attr-defined]  # a ModelChoiceField


class NumberLimitsForm(forms.Form):
    """How much a number may call."""

    daily_cap = forms.IntegerField(
        label=_("Calls a day at most"),
        min_value=0,
        max_value=100_000,
        help_text=_("0 is no limit."),
    )
    concurrency_limit = forms.IntegerField(
        label=_("Calls at once at most"),
        min_value=0,
        max_value=1000,
        help_text=_("0 is no limit."),
    )
    warms_up = forms.BooleanField(
        label=_("Warm up"),
        required=False,
        help_text=_("Few calls on its first ten days, so that carriers get used to it."),
    )

    rent_usd = forms.DecimalField(
        label=_("Rent a month, in dollars"),
        min_value=0,
        max_value=1000,
        decimal_places=2,
        help_text=_("What its carrier asks for it; it counts in margins."),
    )

    def clean(self) -> dict[str, Any]:
        """Give the rent in micros, as the service takes it."""
        cleaned: dict[str, Any] = super().clean() or {}
        if "rent_usd" in cleaned:
            cleaned["rent_micros"] = micros_from_dollars(cleaned.pop("rent_usd"))
        return cleaned

    @classmethod
    def of(cls, number: PhoneNumber) -> NumberLimitsForm:
        """Return the form with what holds for a number."""
        return cls(
            initial={
                "daily_cap": number.daily_cap,
                "concurrency_limit": number.concurrency_limit,
                "warms_up": number.warming_from is not None,
                "rent_usd": dollars(number.rent_micros),
            }
        )
