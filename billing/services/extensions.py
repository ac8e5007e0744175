"""More minutes for a launch that runs: whether its client allows that, and setting them aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from billing.ledger import wallet_at
from billing.models import Reservation, Transaction, Wallet
from billing.rules import Terms, least_hold
from billing.services.reservations import ReservationEnded, reserve
from convomono.lib.db import run_atomic

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor

BOUGHT = (Transaction.Type.PURCHASE, Transaction.Type.ADJUST)


def extend_reservation(*, batch_call_id: UUID, seconds: int, actor: Actor, now: datetime) -> int:
    """
    Set further seconds aside for a launch that has too few for a call, at the price it began with.

    At most what is available. Return how many: 0 if that would not pay for a call, if the client
    owes seconds, or if the launch has enough (again): two that ask at once extend once.

    :raises ReservationEnded: if the launch is over, or never reserved anything
    """

    def block() -> int:
        mine = Reservation.objects.filter(batch_call_id=batch_call_id)
        reservation = mine.filter(status=Reservation.Status.OPEN).first()
        if reservation is None:
            raise ReservationEnded
        wallet = wallet_at(client_id=reservation.client_id, now=now)
        least = least_hold(terms=reservation.terms)
        given = min(max(seconds, least), wallet.available_seconds)
        if wallet.debt_seconds or given < least or reservation.free_seconds >= least:
            return 0
        assert reservation.campaign_id is not None  # each launch has its campaign
        reserve(
            client_id=reservation.client_id,
            batch_call_id=batch_call_id,
            campaign_id=reservation.campaign_id,
            seconds=given,
            part=_parts(reservation) + 1,
            actor=actor,
            now=now,
        )
        return given

    return run_atomic(block)


def reserved_times(*, batch_call_id: UUID) -> int:
    """Return how often minutes were set aside for a launch."""
    reservation = Reservation.objects.filter(batch_call_id=batch_call_id).first()
    return _parts(reservation) if reservation else 0


def reservation_terms(*, batch_call_id: UUID) -> Terms | None:
    """Return the terms that a launch began with; None if it never reserved anything."""
    reservation = Reservation.objects.filter(batch_call_id=batch_call_id).first()
    return reservation.terms if reservation else None


def bought_since(*, client_id: UUID, since: datetime) -> bool:
    """Tell whether a client bought minutes, or was given some, since then."""
    return Transaction.objects.filter(
        client_id=client_id, type__in=BOUGHT, created_at__gte=since, available_delta__gt=0
    ).exists()


def allow_extensions(*, client: Client, allowed: bool, actor: Actor, now: datetime) -> None:
    """Let launches of this client take further available minutes by themselves, or not. Twice is once."""

    def block() -> None:
        others = Wallet.objects.filter(client=client).exclude(extends_launches=allowed)
        if others.update(extends_launches=allowed):
            details = {"allowed": allowed}
            record(actions.EXTENSIONS_SET, resource=client, actor=actor, now=now, details=details)

    run_atomic(block)


def _parts(reservation: Reservation) -> int:
    # The launch is the reference of its reservations; the client leads the index.
    return Transaction.objects.filter(
        client_id=reservation.client_id,
        campaign_id=reservation.campaign_id,
        type=Transaction.Type.RESERVE,
        reservation_id=reservation.pk,
    ).count()
