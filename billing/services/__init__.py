"""Everything that moves minutes or sets a price, by noun."""

from __future__ import annotations

from billing.invariants import audit_ledger
from billing.ledger import InsufficientCredits, KeyReused
from billing.services.holds import (
    Charge,
    HoldMissing,
    HoldResolved,
    ReservationEmpty,
    consume,
    expire_holds,
    hold,
    void,
)
from billing.services.rates import RateMissing, change_rate, current_rate
from billing.services.reservations import (
    ReservationEnded,
    close_reservation,
    free_seconds,
    open_launches,
    owed_seconds,
    reserve,
)
from billing.services.wallets import ReasonMissing, adjust, open_wallet, purchase

__all__ = [
    "Charge",
    "HoldMissing",
    "HoldResolved",
    "InsufficientCredits",
    "KeyReused",
    "RateMissing",
    "ReasonMissing",
    "ReservationEmpty",
    "ReservationEnded",
    "adjust",
    "audit_ledger",
    "change_rate",
    "close_reservation",
    "consume",
    "current_rate",
    "expire_holds",
    "free_seconds",
    "hold",
    "open_launches",
    "open_wallet",
    "owed_seconds",
    "purchase",
    "reserve",
    "void",
]
