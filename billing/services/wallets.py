"""A client's wallet: opening it, selling minutes into it, correcting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F

from audit import actions
from audit.services import record
from billing.ledger import (
    InsufficientCredits,
    KeyReused,
    Overtaken,
    find_line,
    once,
    pay_debt,
    post,
)
from billing.models import Payment, Transaction, Wallet
from billing.rules import Terms
from billing.services.rates import add_rate
from convomono.lib.ids import uuid7

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor


class ReasonMissing(Exception):
    """A correction without a reason."""


def open_wallet(
    *, client: Client, price_per_minute_micros: int, actor: Actor, now: datetime
) -> Wallet:
    """
    Give a client an empty wallet and its first price, billed to the second. A second time nothing.

    :raises KeyReused: if the wallet was opened before at another price
    """

    def find() -> Wallet | None:
        wallet = Wallet.objects.filter(client=client).first()
        if wallet and wallet.price_per_minute_micros != price_per_minute_micros:
            raise KeyReused("The wallet has another price.")
        return wallet

    def block() -> Wallet:
        wallet = Wallet.objects.create(
            client=client, price_per_minute_micros=price_per_minute_micros, created_at=now
        )
        add_rate(client=client, terms=Terms(price_per_minute_micros), actor=actor, now=now)
        record(actions.WALLET_OPENED, resource=wallet, actor=actor, now=now)
        return wallet

    return once(find=find, block=block)


def purchase(
    *,
    client: Client,
    seconds: int,
    amount_micros: int,
    method: str,
    reference: str,
    actor: Actor,
    now: datetime,
    key: UUID | None = None,
) -> Transaction:
    """
    Sell minutes: debt is paid first, the rest is available.

    The reference is the agency's own and names one payment per client; `key` is that of the form
    that sold. The same sale a second time returns the first line.

    :raises KeyReused: if the reference or the key belongs to another sale
    """
    if seconds <= 0 or amount_micros < 0:
        raise ValueError("A sale is of some seconds, for no negative amount.")
    payment_id = key or uuid7()

    def find() -> Transaction | None:
        paid = Payment.objects.filter(client=client, reference=reference).first()
        if paid is None:
            if Payment.objects.filter(pk=payment_id).exists():
                raise KeyReused("This form has sold minutes before.")
            return None
        same = (paid.seconds, paid.amount_micros, paid.method) == (seconds, amount_micros, method)
        if not same or (key and paid.pk != key):
            raise KeyReused("Another payment has this reference.")
        return find_line(client_id=client.pk, key=f"purchase:{paid.pk}")

    def block() -> Transaction:
        wallet = Wallet.objects.get(client=client)
        payment = Payment.objects.create(
            id=payment_id,
            client=client,
            seconds=seconds,
            amount_micros=amount_micros,
            method=method,
            reference=reference,
            created_by_email=actor.actor_email,
            created_at=now,
        )
        line = post(
            Transaction(
                client=client,
                wallet=wallet,
                key=f"purchase:{payment.pk}",
                type=Transaction.Type.PURCHASE,
                seconds=seconds,
                funding_delta=-seconds,
                available_delta=seconds,
                amount_micros=amount_micros,
                payment_id=payment.pk,
                reference_id=reference,
                actor_id=actor.actor_id,
                actor_email=actor.actor_email,
                created_at=now,
            )
        )
        pay_debt(wallet=wallet, freed=line, seconds=seconds, now=now)
        _note_full(wallet, line)
        details = {"seconds": seconds, "amount_micros": amount_micros, "reference": reference}
        record(actions.WALLET_CREDITED, resource=payment, actor=actor, now=now, details=details)
        return line

    return once(find=find, block=block)


def adjust(
    *, client: Client, seconds: int, reason: str, key: str, actor: Actor, now: datetime
) -> Transaction:
    """
    Correct what is available by some seconds, up or down, and say why. Once per `key`.

    :raises ReasonMissing: without a reason
    :raises InsufficientCredits: if it takes more than is available
    :raises KeyReused: if the key made another correction
    """
    if not reason.strip():
        raise ReasonMissing
    if not seconds:
        raise ValueError("A correction is of some seconds.")

    def find() -> Transaction | None:
        line = find_line(client_id=client.pk, key=f"adjust:{key}")
        if line and (line.seconds, line.reason) != (seconds, reason):
            raise KeyReused("This form has made another correction.")
        return line

    def block() -> Transaction:
        wallet = Wallet.objects.get(client=client)
        line = post(
            Transaction(
                client=client,
                wallet=wallet,
                key=f"adjust:{key}",
                type=Transaction.Type.ADJUST,
                seconds=seconds,
                funding_delta=-seconds,
                available_delta=seconds,
                reason=reason,
                actor_id=actor.actor_id,
                actor_email=actor.actor_email,
                created_at=now,
            )
        )
        pay_debt(wallet=wallet, freed=line, seconds=seconds, now=now)
        details = {"seconds": seconds, "reason": reason}
        record(actions.WALLET_ADJUSTED, resource=wallet, actor=actor, now=now, details=details)
        return line

    try:
        return once(find=find, block=block)
    except Overtaken:
        wallet = Wallet.objects.get(client=client)
        raise InsufficientCredits(
            available_seconds=wallet.available_seconds, needed_seconds=-seconds
        ) from None


def _note_full(wallet: Wallet, line: Transaction) -> None:
    """Remember how much there was after a purchase: low balances are told in shares of it."""
    Wallet.objects.filter(pk=wallet.pk).update(
        full_seconds=F("available_seconds") + F("reserved_seconds") - F("debt_seconds"),
        full_seq=line.seq,
    )
