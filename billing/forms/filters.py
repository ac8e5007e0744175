"""Which lines, wallets and days people want to see."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.models import Transaction
from billing.queries import LedgerFilter
from billing.services.reconciliation import MAYBE_LATE
from convomono.lib.days import DayField

if TYPE_CHECKING:
    from datetime import date


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
            since=midnight(first) if first else None,
            until=midnight(last + timedelta(days=1)) if last else None,
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
            ("runway", _("Runs out next")),
            ("burn", _("Uses most in 24 h")),
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


def midnight(day: date) -> datetime:
    """Return when a day begins in the time zone of the page."""
    return timezone.make_aware(datetime.combine(day, time.min))
