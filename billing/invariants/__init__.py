"""
Proves the ledger: what must be true after every commit, checked against every row.

The names L1 to L16 are those of docs/billing.md. Memory is bounded by the number of launches of one
client, not by its calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from billing.invariants.calls import check_calls, check_differences
from billing.invariants.causes import check_charges, check_payments
from billing.invariants.lines import LaunchSums, check_lines
from billing.invariants.lots import LotReplay, check_lots
from billing.invariants.reservations import check_reservations
from billing.models import Wallet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

MOST_VIOLATIONS = 1000
LOOKS = 3
NOBODY = "(nobody)"
"""Stands for the client of a call that Retell has and we don't know."""


@dataclass(frozen=True)
class Violation:
    """Something that must never be true: which invariant, whose, and what exactly."""

    invariant: str
    client: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.client}: {self.sentence}"


def audit_ledger(
    *,
    client_id: UUID | None = None,
    now: datetime | None = None,
    most: int = MOST_VIOLATIONS,
) -> list[Violation]:
    """
    Check one client's ledger or all of them; return what is wrong, at most so many.

    It may run while calls are billed. With `now` what should have expired, or have been
    resolved, is named too.
    """
    return list(islice(find_violations(client_id=client_id, now=now), most))


def find_violations(
    *, client_id: UUID | None = None, now: datetime | None = None
) -> Iterator[Violation]:
    """Yield what is wrong, wallet by wallet."""
    wallets = Wallet.objects.order_by("pk")
    if client_id:
        wallets = wallets.filter(client_id=client_id)
    for wallet_id in wallets.values_list("pk", flat=True).iterator():
        yield from sorted(_lasting(wallet_id, now), key=str)
    if now and client_id is None:
        for invariant, sentence in check_differences(client_id=None, now=now):
            yield Violation(invariant, NOBODY, sentence)


def _lasting(wallet_id: UUID, now: datetime | None) -> set[Violation]:
    """Return what is wrong each time one looks: a row may be written between two reads."""
    found = set(_check(wallet_id, now))
    for _again in range(LOOKS - 1):
        if found:
            found &= set(_check(wallet_id, now))
    return found


def _check(wallet_id: UUID, now: datetime | None) -> Iterator[Violation]:
    wallet = Wallet.objects.select_related("client").get(pk=wallet_id)
    sums, replay = LaunchSums(), LotReplay(wallet)
    for findings in (
        check_lines(wallet, sums, replay, now),
        check_lots(wallet, replay, now),
        check_reservations(wallet, sums, now),
        check_charges(wallet),
        check_calls(wallet),
        check_payments(wallet),
        check_differences(client_id=wallet.client_id, now=now) if now else (),
    ):
        for invariant, sentence in findings:
            yield Violation(invariant, wallet.client.name, sentence)
