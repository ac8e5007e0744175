"""What people type about money: sales, corrections, prices, and which lines they want to see."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from billing.models import Payment, Transaction
from billing.queries import LedgerFilter
from billing.rules import Terms, price_micros
from billing.services import LONGEST_TERM_DAYS
from convomono.lib import money
from convomono.lib.days import DayField
from convomono.lib.ids import uuid7

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal
    from uuid import UUID

MOST_MINUTES = 10_000_000
MOST_DOLLARS = 100_000_000
MAYBE_LATE = timedelta(minutes=15)


class OnceForm(forms.Form):
    """A form that takes effect once: its hidden key is new for each time the page is opened."""

    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("key", uuid7())

    @property
    def once_key(self) -> UUID:
        key: UUID = self.cleaned_data["key"]
        return key


class TermForm(OnceForm):
    """Minutes that may expire."""

    valid_days = forms.IntegerField(
        label=_("Valid for (days)"),
        min_value=1,
        max_value=LONGEST_TERM_DAYS,
        required=False,
        help_text=_(
            "Empty: they never expire. Else what nobody used by then is taken out; minutes that a "
            "launch has reserved stay with it. The client is told 7 days and 1 day before."
        ),
    )


class SellForm(TermForm):
    """
    Minutes that a client paid for.

    `in_force` is the price that the page showed; it is asked for where no amount was typed.
    """

    in_force = forms.UUIDField(widget=forms.HiddenInput, required=False)
    minutes = forms.DecimalField(
        label=_("Minutes"), min_value=0, max_value=MOST_MINUTES, decimal_places=2
    )
    amount_usd = forms.DecimalField(
        label=_("Amount (US dollars)"),
        min_value=0,
        max_value=MOST_DOLLARS,
        decimal_places=4,
        required=False,
    )
    method = forms.ChoiceField(label=_("Paid by"), choices=Payment.Method.choices)
    is_pending = forms.BooleanField(
        label=_("The payment is still to come"),
        required=False,
        help_text=_("The minutes are there once you say that it was paid."),
    )
    reference = forms.CharField(
        label=_("Reference"),
        max_length=120,
        help_text=_("Your invoice or transfer. Each payment of a client has its own."),
    )
    field_order = ["minutes", "amount_usd", "method", "is_pending", "reference", "valid_days"]

    def __init__(self, *args: Any, terms: Terms, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.terms = terms
        self.fields["amount_usd"].help_text = _(
            "Leave it empty for the price in force, $%(price)s a minute."
        ) % {"price": money.dollars(terms.price_per_minute_micros)}

    def clean_minutes(self) -> Decimal:
        minutes: Decimal = self.cleaned_data["minutes"]
        if not money.seconds_from_minutes(minutes):
            raise ValidationError(_("Sell at least a few seconds."))
        return minutes

    @property
    def seconds(self) -> int:
        return money.seconds_from_minutes(self.cleaned_data["minutes"])

    @property
    def amount_micros(self) -> int:
        typed = self.cleaned_data["amount_usd"]
        if typed is None:
            return price_micros(seconds=self.seconds, terms=self.terms)
        return money.micros_from_dollars(typed)


class AdjustForm(OnceForm):
    """A correction of what is available."""

    minutes = forms.DecimalField(
        label=_("Minutes"),
        min_value=-MOST_MINUTES,
        max_value=MOST_MINUTES,
        decimal_places=2,
        help_text=_("More than zero adds, less than zero takes away: -12.50"),
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("The client sees it in its ledger.")
    )

    def clean_minutes(self) -> Decimal:
        minutes: Decimal = self.cleaned_data["minutes"]
        if not money.seconds_from_minutes(minutes):
            raise ValidationError(_("Say how many minutes to add or take away."))
        return minutes

    @property
    def seconds(self) -> int:
        return money.seconds_from_minutes(self.cleaned_data["minutes"])


class RefundForm(OnceForm):
    """A charge to give back, in part or in whole."""

    minutes = forms.DecimalField(
        label=_("Minutes"),
        min_value=0,
        max_value=MOST_MINUTES,
        decimal_places=2,
        required=False,
        help_text=_("Leave it empty to give back all that is left of the charge."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("The client sees it in its ledger. One reason refunds a call once."),
    )

    @property
    def seconds(self) -> int | None:
        typed = self.cleaned_data["minutes"]
        return None if typed is None else money.seconds_from_minutes(typed)

    def clean_minutes(self) -> Decimal | None:
        minutes: Decimal | None = self.cleaned_data["minutes"]
        if minutes is not None and not money.seconds_from_minutes(minutes):
            raise ValidationError(_("Give back at least a second."))
        return minutes


class ReasonForm(OnceForm):
    """Why money goes back."""

    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("The client sees it in its ledger.")
    )


class GrantForm(TermForm):
    """Minutes for nothing, for several clients at once."""

    clients = forms.ModelMultipleChoiceField(
        label=_("Clients"),
        queryset=Client.objects.filter(wallet__isnull=False).order_by("name"),
        widget=forms.CheckboxSelectMultiple,
    )
    minutes = forms.DecimalField(
        label=_("Minutes for each"), min_value=0, max_value=MOST_MINUTES, decimal_places=2
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=100, help_text=_("The clients see it in their ledgers.")
    )
    field_order = ["clients", "minutes", "reason", "valid_days"]

    def clean_minutes(self) -> Decimal:
        minutes: Decimal = self.cleaned_data["minutes"]
        if not money.seconds_from_minutes(minutes):
            raise ValidationError(_("Give at least a few seconds."))
        return minutes

    @property
    def seconds(self) -> int:
        return money.seconds_from_minutes(self.cleaned_data["minutes"])


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
        return _midnight(day) if day else None

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


class LedgerFilterForm(forms.Form):
    """Which lines of the ledger to show; days are those of the page's time zone."""

    type = forms.ChoiceField(
        label=_("Type"), required=False, choices=[("", _("All")), *Transaction.Type.choices]
    )
    first_on = DayField(label=_("From"), required=False)
    last_on = DayField(label=_("To"), required=False)
    campaign = forms.UUIDField(required=False, widget=forms.HiddenInput)

    @property
    def chosen(self) -> LedgerFilter:
        """Return what was asked for; a value that makes no sense asks for nothing."""
        self.is_valid()
        first, last = self.cleaned_data.get("first_on"), self.cleaned_data.get("last_on")
        return LedgerFilter(
            type=self.cleaned_data.get("type", ""),
            campaign_id=self.cleaned_data.get("campaign"),
            since=_midnight(first) if first else None,
            until=_midnight(last + timedelta(days=1)) if last else None,
        )


class WalletFilterForm(forms.Form):
    """What the list of wallets is narrowed and ordered by."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        widget=forms.SearchInput(attrs={"placeholder": _("Client")}),
    )
    sort = forms.ChoiceField(
        label=_("Order"),
        required=False,
        choices=[
            ("low", _("Lowest balance first")),
            ("used", _("Most used first")),
            ("debt", _("Owing first")),
            ("name", _("Name")),
        ],
    )


class DaysForm(forms.Form):
    """Which UTC days of calls to compare."""

    first_on = DayField(label=_("First day (UTC)"))
    last_on = DayField(label=_("Last day (UTC)"))

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["first_on"].initial = self.fields["last_on"].initial = today

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        first, last = said.get("first_on"), said.get("last_on")
        if first and last and last < first:
            self.add_error("last_on", _("It is before the first day."))
        return said

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """Return the days as a window that ends where calls may still be on their way to us."""
        first, last = self.cleaned_data["first_on"], self.cleaned_data["last_on"]
        since = datetime.combine(first, time.min, tzinfo=UTC)
        until = datetime.combine(last, time.min, tzinfo=UTC) + timedelta(days=1)
        return since, min(until, now - MAYBE_LATE)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
