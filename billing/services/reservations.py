"""What a launch sets aside, and gives back when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from billing.ledger import (
    BILLING,
    InsufficientCredits,
    KeyReused,
    Overtaken,
    find_line,
    move_reservation,
    once,
    post,
    release,
    wallet_at,
)
from billing.models import Reservation, Transaction, Wallet
from billing.rules import least_hold
from billing.services.rates import rate_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.services import Actor


class ReservationEnded(Exception):
    """A launch that is over asked for more seconds."""


def reserve(
    *,
    client_id: UUID,
    batch_call_id: UUID,
    campaign_id: UUID,
    seconds: int,
    part: int = 1,
    label: str = "",
    actor: Actor,
    now: datetime,
) -> Reservation:
    """
    Set seconds aside for a launch, at the price in force now; a further `part` adds to them.

    `label` is what people call the launch; statements name it. It may stand in the transaction that
    writes the launch. The same part a second time returns the
    reservation as it is.

    :raises InsufficientCredits: if not that much is available, or the client owes seconds
    :raises ReservationEnded: if the launch is over
    :raises KeyReused: if this part was reserved with other arguments, or for another client
    """
    if seconds <= 0:
        raise ValueError("A reservation is of some seconds.")

    def find() -> Reservation | None:
        mine = Reservation.objects.filter(batch_call_id=batch_call_id).first()
        if mine and (mine.client_id, mine.campaign_id) != (client_id, campaign_id):
            raise KeyReused("The launch belongs to another client or campaign.")
        line = find_line(client_id=client_id, key=f"reserve:{batch_call_id}:{part}")
        if line and line.seconds != seconds:
            raise KeyReused("This part was reserved with another number of seconds.")
        return mine if line else None

    def block() -> Reservation:
        wallet = wallet_at(client_id=client_id, now=now)
        if wallet.available_seconds < seconds or wallet.debt_seconds:
            raise _insufficient(wallet, seconds)
        reservation = Reservation.objects.filter(batch_call_id=batch_call_id).first()
        if reservation and reservation.status != Reservation.Status.OPEN:
            raise ReservationEnded
        is_first = reservation is None
        reservation = reservation or _new_reservation(
            client_id=client_id,
            batch_call_id=batch_call_id,
            campaign_id=campaign_id,
            label=label,
            now=now,
        )
        post(
            Transaction(
                client_id=client_id,
                wallet=wallet,
                key=f"reserve:{batch_call_id}:{part}",
                type=Transaction.Type.RESERVE,
                seconds=seconds,
                available_delta=-seconds,
                reserved_delta=seconds,
                reservation_id=reservation.pk,
                campaign_id=campaign_id,
                reference_id=str(batch_call_id),
                actor_id=actor.actor_id,
                actor_email=actor.actor_email,
                created_at=now,
            ),
            only_without_debt=True,
        )
        if is_first:
            reservation.save(force_insert=True)
        move_reservation(reservation.pk, only_open=True, granted=seconds, free=seconds)
        details = {"seconds": seconds, "part": part, "campaign_id": str(campaign_id)}
        record(actions.WALLET_RESERVED, resource=reservation, actor=actor, now=now, details=details)
        reservation.refresh_from_db()
        return reservation

    try:
        return once(find=find, block=block)
    except Overtaken:
        raise _insufficient(Wallet.objects.get(client_id=client_id), seconds) from None


def close_reservation(*, batch_call_id: UUID, now: datetime) -> None:
    """
    Take no more holds, and give back what is free; it is closed once nothing is held any more.

    Holds that are resolved later release their rest themselves. A launch without a reservation, or
    one that was closed before, changes nothing.
    """

    def find() -> bool | None:
        is_open = Reservation.objects.filter(
            batch_call_id=batch_call_id, status=Reservation.Status.OPEN
        ).exists()
        return None if is_open else True

    def block() -> bool:
        reservation = Reservation.objects.get(batch_call_id=batch_call_id)
        wallet = Wallet.objects.get(client_id=reservation.client_id)
        still_open = Reservation.objects.filter(pk=reservation.pk, status=Reservation.Status.OPEN)
        if not still_open.update(status=Reservation.Status.CLOSING):
            raise Overtaken
        release(
            wallet=wallet,
            reservation=reservation,
            cause=batch_call_id,
            seconds=reservation.free_seconds,
            now=now,
            by=BILLING,
        )
        close_when_empty(reservation.pk, now=now)
        return True

    once(find=find, block=block)


def close_when_empty(reservation_id: UUID, *, now: datetime) -> None:
    """Close a reservation whose launch is over, if nothing of it is free or held."""
    Reservation.objects.filter(
        pk=reservation_id, status=Reservation.Status.CLOSING, free_seconds=0, held_seconds=0
    ).update(status=Reservation.Status.CLOSED, closed_at=now)


def can_hold(*, batch_call_id: UUID) -> bool:
    """Tell whether a launch has enough free for a call at its terms; not once it is over or owes."""
    return batch_call_id in launches_with_a_call(batch_call_ids=[batch_call_id])


def launches_with_a_call(*, batch_call_ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these launches have enough free for a call at their terms; one query."""
    open_ones = Reservation.objects.filter(
        batch_call_id__in=batch_call_ids, status=Reservation.Status.OPEN
    )
    return {
        one.batch_call_id
        for one in open_ones.select_related("client__wallet")
        if not Wallet.of(one.client).debt_seconds
        and one.free_seconds >= least_hold(terms=one.terms)
    }


def owed_seconds(*, client_id: UUID) -> int:
    """Return what a client owes; while it does nothing is reserved or dialled for it."""
    owed = Wallet.objects.filter(client_id=client_id).values_list("debt_seconds", flat=True)
    return owed.first() or 0


def open_launches() -> QuerySet[Reservation, UUID]:
    """Return the ids of the launches whose minutes are still set aside for more calls."""
    return Reservation.objects.filter(status=Reservation.Status.OPEN).values_list(
        "batch_call_id", flat=True
    )


def _new_reservation(
    *, client_id: UUID, batch_call_id: UUID, campaign_id: UUID, label: str, now: datetime
) -> Reservation:
    rate = rate_at(client_id=client_id, now=now)
    return Reservation(
        client_id=client_id,
        batch_call_id=batch_call_id,
        campaign_id=campaign_id,
        label=label[:120],
        rate=rate,
        price_per_minute_micros=rate.price_per_minute_micros,
        increment_seconds=rate.increment_seconds,
        minimum_seconds=rate.minimum_seconds,
        bills_voicemail=rate.bills_voicemail,
        created_at=now,
    )


def _insufficient(wallet: Wallet, seconds: int) -> InsufficientCredits:
    return InsufficientCredits(available_seconds=wallet.available_seconds, needed_seconds=seconds)
