"""Prices: dated, never overwritten; a launch keeps the one it began with."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from billing.ledger import once
from billing.models import Rate, Wallet
from convomono.lib.db import run_atomic

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor
    from billing.rules import Terms


class RateMissing(Exception):
    """A client has no price at that instant."""


class RateInPast(Exception):
    """A price would begin before now, where calls were billed already."""


class RateTaken(Exception):
    """Another price begins at that instant."""


class RateInForce(Exception):
    """Somebody tried to take back a price that has begun."""


SHOWN_WITHIN = timedelta(days=7)
"""A cron that was away for longer than this shows new prices only after the next change."""


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


def change_rate(
    *, client: Client, terms: Terms, actor: Actor, now: datetime, starts_at: datetime | None = None
) -> Rate:
    """
    Set the price from `now` on, or from a later instant; running launches keep theirs.

    No price is overwritten. The terms in force, asked for again from now on, change nothing.

    :raises RateMissing: if the client's wallet was never opened
    :raises RateInPast: if it would begin before now
    :raises RateTaken: if another price begins at that instant
    """
    begins = starts_at or now
    if begins < now:
        raise RateInPast

    def find() -> Rate | None:
        same = Rate.objects.filter(client=client, effective_from=begins).first()
        if same is not None:
            if same.terms != terms:
                raise RateTaken
            return same
        in_force = current_rate(client=client, now=now)
        return in_force if begins == now and in_force.terms == terms else None

    def block() -> Rate:
        before = current_rate(client=client, now=begins)
        rate = add_rate(client=client, terms=terms, actor=actor, now=now, starts_at=begins)
        if begins == now:
            _show(client.pk, rate)
        details = {
            "before": _words(before),
            "after": _words(rate),
            "from": begins.isoformat(timespec="seconds"),
        }
        record(actions.RATE_CHANGED, resource=rate, actor=actor, now=now, details=details)
        return rate

    return once(find=find, block=block)


def withdraw_rate(*, rate: Rate, actor: Actor, now: datetime) -> None:
    """
    Take back a price that has not begun. Twice is once.

    :raises RateInForce: if it has begun: calls may have been billed by it
    """

    def block() -> None:
        if not Rate.objects.filter(pk=rate.pk).exists():
            return
        if not Rate.objects.filter(pk=rate.pk, effective_from__gt=now).delete()[0]:
            raise RateInForce
        details = {"price": _words(rate)}
        record(actions.RATE_WITHDRAWN, resource=rate, actor=actor, now=now, details=details)

    run_atomic(block)


def show_due_rates(*, now: datetime) -> int:
    """Write on wallets the prices that have begun since (lists show them); return how many."""
    begun: dict[UUID, Rate] = {}
    for rate in Rate.objects.filter(
        effective_from__lte=now, effective_from__gt=now - SHOWN_WITHIN
    ).order_by("effective_from", "pk"):
        begun[rate.client_id] = rate
    return sum(_show(client_id, rate) for client_id, rate in begun.items())


def price_book(*, client: Client) -> list[Rate]:
    """Return all prices of a client, the latest first."""
    return list(Rate.objects.filter(client=client).order_by("-effective_from", "-pk"))


def _show(client_id: UUID, rate: Rate) -> bool:
    price = rate.price_per_minute_micros
    other = Wallet.objects.filter(client_id=client_id).exclude(price_per_minute_micros=price)
    return bool(other.update(price_per_minute_micros=price))


def add_rate(
    *, client: Client, terms: Terms, actor: Actor, now: datetime, starts_at: datetime | None = None
) -> Rate:
    """Write a dated price, inside the caller's atomic block; the caller records it."""
    return Rate.objects.create(
        client=client,
        price_per_minute_micros=terms.price_per_minute_micros,
        increment_seconds=terms.increment_seconds,
        minimum_seconds=terms.minimum_seconds,
        bills_voicemail=terms.bills_voicemail,
        effective_from=starts_at or now,
        created_by_email=actor.actor_email,
        created_at=now,
    )


def _words(rate: Rate) -> str:
    voicemail = "billed" if rate.bills_voicemail else "free"
    return (
        f"{rate}, {rate.increment_seconds} s steps, at least {rate.minimum_seconds} s, "
        f"voicemail {voicemail}"
    )
