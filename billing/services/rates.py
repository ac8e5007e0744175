"""Prices: dated, never overwritten; a launch keeps the one it began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from billing.ledger import once
from billing.models import Rate, Wallet

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor
    from billing.rules import Terms


class RateMissing(Exception):
    """A client has no price at that instant."""


def current_rate(*, client: Client, now: datetime) -> Rate:
    """
    Return the price in force at `now`.

    :raises RateMissing: if the client has none yet
    """
    return rate_at(client_id=client.pk, now=now)


def rate_at(*, client_id: UUID, now: datetime) -> Rate:
    """
    Return the price in force at `now`, by the client's id.

    :raises RateMissing: if the client has none yet
    """
    dated = Rate.objects.filter(client_id=client_id, effective_from__lte=now)
    rate = dated.order_by("-effective_from", "-pk").first()
    if rate is None:
        raise RateMissing(f"client {client_id} at {now}")
    return rate


def change_rate(*, client: Client, terms: Terms, actor: Actor, now: datetime) -> Rate:
    """
    Set the price from `now` on; running launches keep theirs. The price in force stays as it is.

    :raises RateMissing: if the client's wallet was never opened
    """

    def find() -> Rate | None:
        in_force = current_rate(client=client, now=now)
        return in_force if in_force.terms == terms else None

    def block() -> Rate:
        before = current_rate(client=client, now=now)
        rate = add_rate(client=client, terms=terms, actor=actor, now=now)
        Wallet.objects.filter(client=client).update(
            price_per_minute_micros=terms.price_per_minute_micros
        )
        details = {"before": _words(before), "after": _words(rate)}
        record(actions.RATE_CHANGED, resource=rate, actor=actor, now=now, details=details)
        return rate

    return once(find=find, block=block)


def add_rate(*, client: Client, terms: Terms, actor: Actor, now: datetime) -> Rate:
    """Write a dated price, inside the caller's atomic block; the caller records it."""
    return Rate.objects.create(
        client=client,
        price_per_minute_micros=terms.price_per_minute_micros,
        increment_seconds=terms.increment_seconds,
        minimum_seconds=terms.minimum_seconds,
        effective_from=now,
        created_by_email=actor.actor_email,
        created_at=now,
    )


def _words(rate: Rate) -> str:
    return f"{rate}, {rate.increment_seconds} s steps, at least {rate.minimum_seconds} s"
