"""Prepaid minutes: the wallet, its append-only ledger, what a launch reserves and a dial holds."""

from __future__ import annotations

from billing.models.documents import Invoice, InvoiceSeries, Printed, Seller, Statement
from billing.models.grants import GrantRun
from billing.models.hours import UsedHour
from billing.models.lots import CreditLot, LotShare
from billing.models.notices import BalanceNotice
from billing.models.reconciliation import Difference, Reconciliation
from billing.models.repayments import Repayment
from billing.models.requests import CreditRequest
from billing.models.reservations import CallHold, Reservation
from billing.models.transactions import Transaction, TransactionQuerySet
from billing.models.wallets import Payment, Rate, Wallet

__all__ = [
    "BalanceNotice",
    "CallHold",
    "CreditLot",
    "CreditRequest",
    "Difference",
    "GrantRun",
    "Invoice",
    "InvoiceSeries",
    "LotShare",
    "Payment",
    "Printed",
    "Rate",
    "Reconciliation",
    "Repayment",
    "Reservation",
    "Seller",
    "Statement",
    "Transaction",
    "TransactionQuerySet",
    "UsedHour",
    "Wallet",
]
