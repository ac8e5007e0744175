"""Everything that moves minutes or sets a price, by noun."""

from __future__ import annotations

from billing.invariants import audit_ledger
from billing.ledger import InsufficientCredits, KeyReused
from billing.services.approvals import (
    OwnRequest,
    RequestDecided,
    approve_credit,
    ask_credit,
    refuse_credit,
)
from billing.services.extensions import (
    allow_extensions,
    bought_since,
    extend_reservation,
    reservation_terms,
    reserved_times,
)
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
from billing.services.payments import (
    PaymentNotPaid,
    PaymentNotPending,
    await_payment,
    fail_payment,
    grant,
    purchase,
    refund_payment,
    settle_payment,
)
from billing.services.rates import (
    RateInForce,
    RateInPast,
    RateMissing,
    RateTaken,
    change_rate,
    current_rate,
    price_book,
    show_due_rates,
    withdraw_rate,
)
from billing.services.refunds import (
    ChargeLeft,
    NotCharged,
    RefundTooLarge,
    charge_left,
    forgive_machine,
    refund_call,
)
from billing.services.reservations import (
    ReservationEnded,
    close_reservation,
    free_seconds,
    open_launches,
    owed_seconds,
    reserve,
)
from billing.services.wallets import ReasonMissing, adjust, open_wallet

__all__ = [
    "Charge",
    "ChargeLeft",
    "HoldMissing",
    "HoldResolved",
    "InsufficientCredits",
    "KeyReused",
    "NotCharged",
    "OwnRequest",
    "PaymentNotPaid",
    "PaymentNotPending",
    "RateInForce",
    "RateInPast",
    "RateMissing",
    "RateTaken",
    "ReasonMissing",
    "RefundTooLarge",
    "RequestDecided",
    "ReservationEmpty",
    "ReservationEnded",
    "adjust",
    "allow_extensions",
    "approve_credit",
    "ask_credit",
    "audit_ledger",
    "await_payment",
    "bought_since",
    "change_rate",
    "charge_left",
    "close_reservation",
    "consume",
    "current_rate",
    "expire_holds",
    "extend_reservation",
    "fail_payment",
    "forgive_machine",
    "free_seconds",
    "grant",
    "hold",
    "open_launches",
    "open_wallet",
    "owed_seconds",
    "price_book",
    "purchase",
    "refund_call",
    "refund_payment",
    "refuse_credit",
    "reservation_terms",
    "reserve",
    "reserved_times",
    "settle_payment",
    "show_due_rates",
    "void",
    "withdraw_rate",
]
