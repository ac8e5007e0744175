"""Money for tests, made through the services: a wallet, minutes in it, a launch, a dial."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from audit.services import System
from billing import services
from billing.models import CallHold, Reservation, Transaction, Wallet
from convomono.lib.ids import uuid7
from telephony.models import Call

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.models import Client
    from billing.rules import Terms

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
TESTS = System("tests")
RESERVED_AT = NOW.replace(minute=2)
PRICE_MICROS = 300_000  # $0.30 a minute


def open_wallet(
    client: Client,
    *,
    seconds: int = 0,
    price_per_minute_micros: int = PRICE_MICROS,
    now: datetime = NOW,
) -> Wallet:
    """Give a client a wallet, with some seconds in it."""
    services.open_wallet(
        client=client, price_per_minute_micros=price_per_minute_micros, actor=TESTS, now=now
    )
    if seconds:
        sell(client, seconds=seconds, now=now)
    return Wallet.objects.get(client=client)


def sell(
    client: Client,
    *,
    seconds: int,
    reference: str = "",
    now: datetime = NOW,
    valid_days: int | None = None,
) -> Transaction:
    """Sell a client seconds at a cent each."""
    return services.purchase(
        client=client,
        seconds=seconds,
        amount_micros=seconds * 10_000,
        method="bank",
        reference=reference or f"INV-{uuid7().hex[-8:]}",
        valid_days=valid_days,
        actor=TESTS,
        now=now,
    )


@dataclass
class Launch:
    """One launch of a client with its reservation; `dial` takes holds from it."""

    client: Client
    seconds: int
    terms: Terms | None = None
    now: datetime = RESERVED_AT
    batch_call_id: UUID = field(default_factory=uuid7)
    campaign_id: UUID = field(default_factory=uuid7)

    def __post_init__(self) -> None:
        if self.terms:
            later = services.current_rate(client=self.client, now=NOW).effective_from
            services.change_rate(
                client=self.client, terms=self.terms, actor=TESTS, now=later.replace(minute=1)
            )
        services.reserve(
            client_id=self.client.pk,
            batch_call_id=self.batch_call_id,
            campaign_id=self.campaign_id,
            seconds=self.seconds,
            actor=TESTS,
            now=self.now,
        )

    def dial(self, max_call_seconds: int = 60, now: datetime = NOW) -> Dial:
        """Hold seconds for one call."""
        dial = Dial()
        services.hold(
            attempt_id=dial.attempt_id,
            batch_call_id=self.batch_call_id,
            max_call_seconds=max_call_seconds,
            now=now,
        )
        return dial

    def close(self, now: datetime = NOW) -> None:
        services.close_reservation(batch_call_id=self.batch_call_id, now=now)

    @property
    def reservation(self) -> Reservation:
        return Reservation.objects.get(batch_call_id=self.batch_call_id)


@dataclass
class Dial:
    """One attempt with its hold, and the call it may become."""

    attempt_id: UUID = field(default_factory=uuid7)
    call_id: UUID = field(default_factory=uuid7)

    def end(self, seconds: float, now: datetime = NOW) -> services.Charge:
        """End the call after so many seconds; the first word on it stays, as with Retell's events."""
        know_call(self, seconds)
        return services.consume(
            attempt_id=self.attempt_id,
            call_id=self.call_id,
            duration_ms=int(seconds * 1000),
            now=now,
        )

    def void(self, now: datetime = NOW) -> bool:
        return services.void(attempt_id=self.attempt_id, now=now)

    @property
    def hold(self) -> CallHold:
        return CallHold.objects.get(attempt_id=self.attempt_id)


def know_call(dial: Dial, seconds: float, *, is_machine: bool = False) -> None:
    """Write the call of a dial, as its events would have."""
    held = CallHold.objects.filter(attempt_id=dial.attempt_id).first()
    if held is None or Call.objects.filter(pk=dial.call_id).exists():
        return
    outcome = Call.OutcomeClass.MACHINE if is_machine else Call.OutcomeClass.HUMAN
    Call.objects.get_or_create(
        attempt_id=dial.attempt_id,
        defaults={
            "pk": dial.call_id,
            "client_id": held.client_id,
            "provider_call_id": f"call_{dial.call_id.hex}",
            "status": Call.Status.ENDED,
            "outcome_class": outcome,
            "duration_ms": int(seconds * 1000),
            "created_at": NOW,
        },
    )


def balances(client: Client) -> tuple[int, int, int, int]:
    """Return a client's available, reserved, consumed and owed seconds."""
    wallet = Wallet.objects.get(client=client)
    return (
        wallet.available_seconds,
        wallet.reserved_seconds,
        wallet.consumed_seconds,
        wallet.debt_seconds,
    )
