"""What people type about money."""

from __future__ import annotations

from billing.forms.credit import (
    AdjustForm,
    GrantForm,
    OnceForm,
    RefundForm,
    RepayForm,
    SellForm,
    TermForm,
)
from billing.forms.filters import DaysForm, LedgerFilterForm, WalletFilterForm
from billing.forms.prices import RateForm, SellerForm

__all__ = [
    "AdjustForm",
    "DaysForm",
    "GrantForm",
    "LedgerFilterForm",
    "OnceForm",
    "RateForm",
    "RefundForm",
    "RepayForm",
    "SellForm",
    "SellerForm",
    "TermForm",
    "WalletFilterForm",
]
