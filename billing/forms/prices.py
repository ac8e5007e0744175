"""What people type about prices, and about who sells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.forms.filters import midnight
from billing.rules import Terms
from convomono.lib import money
from convomono.lib.days import DayField

if TYPE_CHECKING:
    from datetime import datetime


class RateForm(forms.Form):
    """
    A client's price from now on, or from a later day.

    `in_force` is the price that the page showed: a page that grew old must not undo another's price.
    """

    in_force = forms.UUIDField(widget=forms.HiddenInput, required=False)
    price_per_minute = forms.DecimalField(
        label=_("Price per minute (US dollars)"), min_value=0, max_value=100, decimal_places=4
    )
    increment_seconds = forms.TypedChoiceField(
        label=_("Billed in steps of"),
        coerce=int,
        choices=[
            (1, _("1 second")),
            (6, _("6 seconds")),
            (30, _("30 seconds")),
            (60, _("1 minute")),
        ],
    )
    minimum_seconds = forms.IntegerField(
        label=_("At least (seconds)"),
        min_value=0,
        max_value=300,
        help_text=_("Of each call that connected. 0 for no minimum."),
    )
    bills_voicemail = forms.TypedChoiceField(
        label=_("What is billed"),
        coerce=lambda value: value == "True",
        choices=[
            (True, _("Every call that connected, voicemail too")),
            (False, _("Only calls that a person answered: voicemail is free")),
        ],
        required=False,
    )
    starts_on = DayField(
        label=_("From the beginning of"),
        required=False,
        help_text=_("Empty: from now on."),
    )

    @property
    def starts_at(self) -> datetime | None:
        day = self.cleaned_data["starts_on"]
        return midnight(day) if day else None

    @property
    def terms(self) -> Terms:
        return Terms(
            price_per_minute_micros=money.micros_from_dollars(
                self.cleaned_data["price_per_minute"]
            ),
            increment_seconds=self.cleaned_data["increment_seconds"],
            minimum_seconds=self.cleaned_data["minimum_seconds"],
            bills_voicemail=self.cleaned_data["bills_voicemail"] is not False,
        )

    @staticmethod
    def shown(terms: Terms) -> dict[str, object]:
        """Return the terms as the form's initial values."""
        return {
            "price_per_minute": money.dollars(terms.price_per_minute_micros),
            "increment_seconds": terms.increment_seconds,
            "minimum_seconds": terms.minimum_seconds,
            "bills_voicemail": terms.bills_voicemail,
        }


class SellerForm(forms.Form):
    """Who the agency is on its invoices."""

    name = forms.CharField(label=_("Name"), max_length=120)
    address = forms.CharField(
        label=_("Address"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    tax_number = forms.CharField(
        label=_("Tax number"),
        max_length=60,
        required=False,
        help_text=_("As it is to stand there: EIN 12-3456789"),
    )
    tax_name = forms.CharField(
        label=_("Tax"), max_length=30, required=False, help_text=_("Its name: VAT, sales tax")
    )
    tax_percent = forms.DecimalField(
        label=_("Tax rate (%)"),
        min_value=0,
        max_value=99,
        decimal_places=2,
        required=False,
        help_text=_("Amounts include it. Empty: invoices say nothing of tax."),
    )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if said.get("tax_percent") and not said.get("tax_name"):
            self.add_error("tax_name", _("Say which tax it is."))
        return said

    @property
    def said(self) -> dict[str, Any]:
        """Return what was typed, as the service takes it."""
        typed = dict(self.cleaned_data)
        typed["tax_basis_points"] = int((typed.pop("tax_percent") or 0) * 100)
        return typed
