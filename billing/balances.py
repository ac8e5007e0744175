"""What a client has left while its calls talk: the ledger's figures, less what no ended call has billed yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Sum

from billing.models import Reservation
from telephony.models import Call

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import Wallet

_MOST_TALKING = 2_000
_HOLDING = (Reservation.Status.OPEN, Reservation.Status.CLOSING)


@dataclass(frozen=True)
class Balance:
    """
    A wallet at an instant, in seconds.

    `talked_seconds` is how long the `calls` on the line have talked together; it is billed, and rounded
    as the price says, when each ends. It never exceeds `held_seconds`, what dials set aside for them: the
    figures below go no further than that, however late the word of an end arrives.
    """

    wallet: Wallet
    calls: int = 0
    talked_seconds: int = 0
    held_seconds: int = 0

    @property
    def left_seconds(self) -> int:
        """What calls may still use, available or reserved."""
        return max(0, self.wallet.usable_seconds - self.talked_seconds)

    @property
    def least_left_seconds(self) -> int:
        return max(0, self.wallet.usable_seconds - self.held_seconds)

    @property
    def reserved_seconds(self) -> int:
        return max(0, self.wallet.reserved_seconds - self.talked_seconds)

    @property
    def least_reserved_seconds(self) -> int:
        return max(0, self.wallet.reserved_seconds - self.held_seconds)

    @property
    def used_seconds(self) -> int:
        return self.wallet.consumed_seconds + self.talked_seconds

    @property
    def most_used_seconds(self) -> int:
        return self.wallet.consumed_seconds + self.held_seconds


def balance_of(wallet: Wallet, *, now: datetime) -> Balance:
    """Return what a wallet holds at `now`; no query while nothing is reserved, else two."""
    if not wallet.reserved_seconds:
        return Balance(wallet)  # each dial holds a part of what is reserved: nobody talks
    begun = Call.objects.filter(
        client_id=wallet.client_id,
        status=Call.Status.ONGOING,
        attempt_id__isnull=False,  # an inbound call holds nothing
        started_at__isnull=False,
    ).values_list("started_at", flat=True)[:_MOST_TALKING]
    talked = [max(0.0, (now - at).total_seconds()) for at in begun if at is not None]
    if not talked:
        return Balance(wallet)
    held = Reservation.objects.filter(client_id=wallet.client_id, status__in=_HOLDING).aggregate(
        seconds=Sum("held_seconds")
    )["seconds"]
    return Balance(
        wallet,
        calls=len(talked),
        talked_seconds=min(int(sum(talked)), held or 0),
        held_seconds=held or 0,
    )
