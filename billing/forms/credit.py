"""What people type to move minutes: sales, corrections, refunds, repayments, grants."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from billing.models import Payment, Transaction
from billing.rules import Terms, price_micros
from billing.services import LONGEST_TERM_DAYS
from convomono.lib import money
from convomono.lib.ids import uuid7

if TYPE_CHECKING:
    from uuid import UUID

MOST_MINUTES = 10_000_000
MOST_LINES = 10**15
MOST_DOLLARS = 100_000_000


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
            "Leave it empty for the price in force, $%(price)s a minute; free of charge is $0."
        ) % {"price": money.dollars(terms.price_per_minute_micros)}

    def clean_minutes(self) -> Decimal:
        minutes: Decimal = self.cleaned_data["minutes"]
        if not money.seconds_from_minutes(minutes):
            raise ValidationError(_("Sell at least a few seconds."))
        return minutes

    @property
    def seconds(self) -> int:
        return money.seconds_from_minutes(self.cleaned_data["minutes"])

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if said.get("method") == Payment.Method.GRANT and "amount_usd" in said:
            if said["amount_usd"]:
                self.add_error("amount_usd", _("Free of charge is $0: leave the amount empty."))
            said["amount_usd"] = Decimal(0)
        return said

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
    corrects = forms.IntegerField(
        label=_("Line that was wrong"),
        min_value=1,
        max_value=MOST_LINES,
        required=False,
        help_text=_(
            "Its number in the ledger, where one line is corrected. Both then name each other."
        ),
    )

    def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.client = client
        self.corrected: Transaction | None = None

    def clean_corrects(self) -> int | None:
        number: int | None = self.cleaned_data["corrects"]
        if number is not None:
            self.corrected = Transaction.objects.of(self.client).filter(seq=number).first()
            if self.corrected is None:
                raise ValidationError(_("This client's ledger has no line of that number."))
        return number

    def clean_minutes(self) -> Decimal:
        minutes: Decimal = self.cleaned_data["minutes"]
        if not money.seconds_from_minutes(minutes):
            raise ValidationError(_("Say how many minutes to add or take away."))
        return minutes

    @property
    def seconds(self) -> int:
        return money.seconds_from_minutes(self.cleaned_data["minutes"])


class PartForm(OnceForm):
    """A part of something that goes back, in minutes; nothing typed means all that is left of it."""

    minutes = forms.DecimalField(
        label=_("Minutes"),
        min_value=0,
        max_value=MOST_MINUTES,
        decimal_places=2,
        required=False,
    )
    reason = forms.CharField(label=_("Reason"), max_length=200)

    def clean_minutes(self) -> Decimal | None:
        minutes: Decimal | None = self.cleaned_data["minutes"]
        if minutes is not None and not money.seconds_from_minutes(minutes):
            raise ValidationError(_("Give back at least a second."))
        return minutes

    @property
    def seconds(self) -> int | None:
        typed = self.cleaned_data.get("minutes")
        return None if typed is None else money.seconds_from_minutes(typed)


class RefundForm(PartForm):
    """A charge to give back, in part or in whole."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["minutes"].help_text = _(
            "Leave it empty to give back all that is left of the charge."
        )
        self.fields["reason"].help_text = _(
            "The client sees it in its ledger. One reason refunds a call once."
        )


class RepayForm(PartForm):
    """Minutes of a payment that are paid back, and why; a preview needs no reason yet."""

    def __init__(self, *args: Any, is_preview: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_preview = is_preview
        self.fields["minutes"].help_text = _(
            "Leave it empty to pay back all that is left of the payment."
        )
        self.fields["reason"].required = not is_preview
        self.fields["reason"].help_text = _(
            "The client sees it in its ledger and on the credit note."
        )


class GrantForm(TermForm):
    """Minutes for nothing, for several clients at once."""

    everybody = forms.BooleanField(
        label=_("All clients"),
        required=False,
        help_text=_("Everybody whose account is open now, whoever is chosen below."),
    )
    clients = forms.ModelMultipleChoiceField(
        label=_("Clients"),
        queryset=Client.objects.filter(wallet__isnull=False).order_by("name"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    minutes = forms.DecimalField(
        label=_("Minutes for each"), min_value=0, max_value=MOST_MINUTES, decimal_places=2
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=100, help_text=_("The clients see it in their ledgers.")
    )
    field_order = ["everybody", "clients", "minutes", "reason", "valid_days"]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if not said.get("everybody") and not said.get("clients") and "clients" not in self.errors:
            self.add_error("clients", _("Choose clients, or all of them."))
        return said

    @property
    def chosen_clients(self) -> list[Client]:
        """Return who is to get the minutes; deactivated clients only if they are chosen by name."""
        if self.cleaned_data["everybody"]:
            everybody = Client.objects.filter(wallet__isnull=False, status=Client.Status.ACTIVE)
            return list(everybody.order_by("name", "pk"))
        return list(self.cleaned_data["clients"])

    @property
    def said(self) -> dict[str, Any]:
        """Return what each client is to get, and why."""
        reason, valid_days = self.cleaned_data["reason"], self.cleaned_data["valid_days"]
        return {"seconds": self.seconds, "reason": reason, "valid_days": valid_days}

    def clean_minutes(self) -> Decimal:
        minutes: Decimal = self.cleaned_data["minutes"]
        if not money.seconds_from_minutes(minutes):
            raise ValidationError(_("Give at least a few seconds."))
        return minutes

    @property
    def seconds(self) -> int:
        return money.seconds_from_minutes(self.cleaned_data["minutes"])
