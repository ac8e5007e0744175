"""Gives back what a call cost its client: a part or all of it, never more, once per reason."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from billing import rules
from billing.ledger import BILLING, KeyReused, find_line, once, pay_debt, post
from billing.models import CallHold, Transaction, Wallet
from billing.services.charges import Charge, follow_charge
from billing.services.wallets import ReasonMissing, note_full

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from audit.services import Actor

NOT_BILLED = "Voicemail is not billed."


class NotCharged(Exception):
    """A refund was asked for of a call that this client was never billed for."""


class RefundTooLarge(Exception):
    """A refund would give back more than is left of the charge."""

    def __init__(self, *, left_seconds: int) -> None:
        super().__init__(f"{left_seconds} s are left of the charge")
        self.left_seconds = left_seconds


@dataclass(frozen=True)
class ChargeLeft:
    """A call's charge, by one line or more, and what earlier refunds have left of it."""

    charges: list[Transaction]
    charged_seconds: int
    charged_micros: int
    seconds: int
    micros: int
    refunds: list[Transaction]

    @property
    def line(self) -> Transaction:
        """The first line of the charge."""
        return self.charges[0]


@dataclass(frozen=True)
class _Wanted:
    """A refund that is asked for; None seconds are all that is left."""

    client_id: UUID
    call_id: UUID
    seconds: int | None
    reason: str
    cause: str = ""

    def __post_init__(self) -> None:
        if not self.reason:
            raise ReasonMissing
        if self.seconds is not None and self.seconds <= 0:
            raise ValueError("A refund is of some seconds.")

    @property
    def key(self) -> str:
        digest = hashlib.sha256((self.cause or self.reason.casefold()).encode()).hexdigest()
        return f"refund:{self.call_id}:{digest[:16]}"

    def find_first(self) -> Transaction | None:
        first = find_line(client_id=self.client_id, key=self.key)
        if first is None:
            return None
        # "All that is left" after a part of it was given back is another refund.
        is_more = self.seconds is None and self.left().seconds
        if is_more or self.seconds not in {None, first.seconds}:
            raise KeyReused("This reason has refunded another number of seconds.")
        return first

    def left(self) -> ChargeLeft:
        return charge_left(client_id=self.client_id, call_id=self.call_id)


def charge_left(*, client_id: UUID, call_id: UUID) -> ChargeLeft:
    """
    Return what may still be given back of a call's charge.

    :raises NotCharged: if this client was never billed for the call
    """
    rows = Transaction.objects.filter(client_id=client_id, call_id=call_id).order_by("seq")
    charges = [row for row in rows if row.type == Transaction.Type.CONSUME]
    refunds = [row for row in rows if row.type == Transaction.Type.REFUND]
    if not charges:
        raise NotCharged
    seconds = sum(row.seconds for row in charges)
    micros = sum(row.amount_micros for row in charges)
    return ChargeLeft(
        charges=charges,
        charged_seconds=seconds,
        charged_micros=micros,
        seconds=seconds - sum(row.seconds for row in refunds),
        micros=micros - sum(row.amount_micros for row in refunds),
        refunds=refunds,
    )


def refund_call(
    *,
    client_id: UUID,
    call_id: UUID,
    seconds: int | None,
    reason: str,
    actor: Actor,
    now: datetime,
    cause: str = "",
) -> Transaction:
    """
    Give back some seconds of a call's charge, or all that is left of it (None); debt is paid first.

    One reason refunds a call once: the same again returns the first line. Where a `cause` is named
    that takes the place of the reason. The call and its day's counters follow in the same block.

    :raises ReasonMissing: without a reason
    :raises NotCharged: if this client was never billed for the call
    :raises RefundTooLarge: if that is more than is left of the charge
    :raises KeyReused: if the reason has refunded another number of seconds
    """
    wanted = _Wanted(client_id, call_id, seconds, " ".join(reason.split()), cause)

    def block() -> Transaction:
        before = Wallet.objects.get(client_id=client_id)
        line = _give_back(wanted, actor=actor, now=now)
        _note_if_filled(before, line)
        follow_charge(client_id=client_id, call_id=call_id)
        return line

    return once(find=wanted.find_first, block=block)


def forgive_machine(*, attempt_id: UUID, call_id: UUID, now: datetime) -> Charge | None:
    """
    Take back the charge of a call of which an analysis says that only a machine answered.

    None where the terms bill voicemail, or nothing was billed: the charge stays as it is. Who applies
    the analysis writes on the call what is returned. Twice is once.
    """
    row = CallHold.objects.select_related("reservation").filter(attempt_id=attempt_id).first()
    if row is None or row.reservation.bills_voicemail:
        return None
    wanted = _Wanted(row.client_id, call_id, None, NOT_BILLED)
    try:
        once(
            find=wanted.find_first,
            block=lambda: _give_back(wanted, actor=BILLING, now=now),
        )
    except NotCharged:
        return None
    except (RefundTooLarge, KeyReused):
        pass  # given back before
    return Charge(0, 0)


def _give_back(wanted: _Wanted, *, actor: Actor, now: datetime) -> Transaction:
    # Read before the wallet is written: of two refunds at once the second runs again.
    left = wanted.left()
    given = left.seconds if wanted.seconds is None else wanted.seconds
    if not 0 < given <= left.seconds:
        raise RefundTooLarge(left_seconds=left.seconds)
    wallet = Wallet.objects.get(client_id=wanted.client_id)
    line = post(_line(left, wallet, given, wanted=wanted, actor=actor, now=now))
    pay_debt(wallet=wallet, freed=line, seconds=given, now=now)
    details = {"seconds": given, "reason": wanted.reason}
    record(actions.CALL_REFUNDED, resource=line, actor=actor, now=now, details=details)
    return line


def _note_if_filled(before: Wallet, line: Transaction) -> None:
    """Have low balances told anew once a person's refund has brought back more than any share told of."""
    if rules.is_filled_again(
        before_seconds=before.usable_seconds,
        after_seconds=before.usable_seconds + line.seconds,
        full_seconds=before.full_seconds,
    ):
        note_full(line)


def _line(
    left: ChargeLeft,
    wallet: Wallet,
    seconds: int,
    *,
    wanted: _Wanted,
    actor: Actor,
    now: datetime,
) -> Transaction:
    charge = left.line
    return Transaction(
        client_id=charge.client_id,
        wallet=wallet,
        key=wanted.key,
        type=Transaction.Type.REFUND,
        seconds=seconds,
        consumed_delta=-seconds,
        available_delta=seconds,
        amount_micros=rules.refund_micros(
            seconds=seconds,
            left_seconds=left.seconds,
            left_micros=left.micros,
            price_per_minute_micros=charge.price_per_minute_micros,
        ),
        price_per_minute_micros=charge.price_per_minute_micros,
        increment_seconds=charge.increment_seconds,
        minimum_seconds=charge.minimum_seconds,
        rate_id=charge.rate_id,
        reservation_id=charge.reservation_id,
        campaign_id=charge.campaign_id,
        call_id=charge.call_id,
        corrects_id=charge.pk,
        reference_id=charge.reference_id,
        reason=wanted.reason[:200],
        actor_id=actor.actor_id,
        actor_email=actor.actor_email,
        created_at=now,
    )
