"""A client's wallet: opening it, correcting what it has."""

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
from billing.models import Transaction, Wallet
from billing.rules import Terms
from billing.services.rates import add_rate

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client
    from audit.services import Actor


class ForeignLine(Exception):
    """A correction named a line of another client."""


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


def note_full(line: Transaction) -> None:
    """
    Remember how much there is after minutes came: low balances are told in shares of it, and anew.

    Inside the block of the line that brought them.
    """
    Wallet.objects.filter(pk=line.wallet_id).update(
        full_seconds=F("available_seconds") + F("reserved_seconds") - F("debt_seconds"),
        full_seq=line.seq,
    )


def adjust(
    *,
    client: Client,
    seconds: int,
    reason: str,
    key: str,
    actor: Actor,
    now: datetime,
    corrects: Transaction | None = None,
) -> Transaction:
    """
    Correct what is available by some seconds, up or down, and say why. Once per `key`.

    `corrects` is the line of this client that was wrong, where it was one.

    :raises ForeignLine: if that line is another client's
    :raises ReasonMissing: without a reason
    :raises InsufficientCredits: if it takes more than is available
    :raises KeyReused: if the key made another correction
    """
    if not reason.strip():
        raise ReasonMissing
    if not seconds:
        raise ValueError("A correction is of some seconds.")
    if corrects and corrects.client_id != client.pk:
        raise ForeignLine
    said = (seconds, reason, corrects.pk if corrects else None)

    def find() -> Transaction | None:
        line = find_line(client_id=client.pk, key=f"adjust:{key}")
        if line and (line.seconds, line.reason, line.corrects_id) != said:
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
                corrects_id=said[2],
                reason=reason,
                actor_id=actor.actor_id,
                actor_email=actor.actor_email,
                created_at=now,
            )
        )
        pay_debt(wallet=wallet, freed=line, seconds=seconds, now=now)
        if seconds > 0:
            note_full(line)
        details = {"seconds": seconds, "reason": reason}
        if corrects:
            details["corrects_number"] = corrects.seq
        record(actions.WALLET_ADJUSTED, resource=wallet, actor=actor, now=now, details=details)
        return line

    try:
        return once(find=find, block=block)
    except Overtaken:
        wallet = Wallet.objects.get(client=client)
        raise InsufficientCredits(
            available_seconds=wallet.available_seconds, needed_seconds=-seconds
        ) from None
