"""What the agency types about a client and its people."""

from __future__ import annotations

from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, User
from accounts.services import Rights
from convomono.lib import money

MAX_PRICE_DOLLARS = 100
MAX_CALLS_AT_ONCE = 10_000


def _zones() -> list[tuple[str, str]]:
    places = ("America/", "Europe/", "Asia/", "Australia/", "Pacific/", "Africa/", "Atlantic/")
    names = sorted(name for name in available_timezones() if name.startswith(places))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


class ClientForm(forms.Form):
    """A client's particulars."""

    name = forms.CharField(label=_("Name"), max_length=120)
    contact_email = forms.EmailField(
        label=_("Contact e-mail"), required=False, help_text=_("Low-balance notices go there.")
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=_zones,
        initial="America/New_York",
        help_text=_("Times on the client's pages are shown in it."),
    )


class ClientOpenForm(ClientForm):
    """A new client, with its first price."""

    price_per_minute = forms.DecimalField(
        label=_("Price per minute (US dollars)"),
        min_value=0,
        max_value=MAX_PRICE_DOLLARS,
        decimal_places=4,
        initial="0.25",
        help_text=_("Billed to the second. You can change it later; calls keep their price."),
    )

    def price_micros(self) -> int:
        return money.micros_from_dollars(self.cleaned_data["price_per_minute"])


class ClientChangeForm(ClientForm):
    """An existing client, with its share of the calls at once."""

    concurrency_limit = forms.IntegerField(
        label=_("Calls at once"),
        min_value=1,
        max_value=MAX_CALLS_AT_ONCE,
        help_text=_("The most calls that this client's campaigns may have at the same time."),
    )
    billing_address = forms.CharField(
        label=_("Billing address"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("It stands under the name on the client's invoices."),
    )


class UserForm(forms.Form):
    """A person who signs in for a client."""

    email = forms.EmailField(
        label=_("E-mail"), help_text=_("They set a password through “Forgot password”.")
    )
    name = forms.CharField(label=_("Name"), max_length=120, required=False)
    client_role = forms.ChoiceField(
        label=_("Role"),
        choices=User.ClientRole.choices,
        initial=User.ClientRole.MANAGER,
        help_text=_(
            "Viewers only look, a page at a time: they take no lists of numbers or money away."
        ),
    )
    can_launch = forms.BooleanField(
        label=_("May launch campaigns"),
        required=False,
        help_text=_("Launching spends minutes, so it is granted apart. Viewers never launch."),
    )

    def rights(self) -> Rights:
        role = self.cleaned_data["client_role"]
        may_launch = self.cleaned_data["can_launch"] and role != User.ClientRole.VIEWER
        return Rights(client_role=role, can_launch=may_launch)

    @staticmethod
    def rights_of(user: User) -> Rights:
        return Rights(client_role=user.client_role, can_launch=user.can_launch)


class ClientFilterForm(forms.Form):
    """What the list of clients is narrowed by."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        widget=forms.SearchInput(attrs={"placeholder": _("Name or e-mail")}),
    )
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("All")), *Client.Status.choices],
    )
