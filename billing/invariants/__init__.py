"""
Proves the ledger: what must be true after every commit, checked against every row.

The names L1 to L16 are those of docs/billing.md. Memory is bounded by the number of launches of one
client, not by its calls.
"""

from __future__ import annotations

import re
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
MOST_OF_WALLET = 2000
LOOKS = 3
OF_SUMS = {"L1", "L2", "L9", "L15"}
FIGURES = re.compile(r"(?<![\w-])-?\d+(?![\w-])")
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
        yield from sorted(_lasting(wallet_id, now) | _unresolved(wallet_id, now), key=str)
    if now and client_id is None:
        for invariant, sentence in check_differences(client_id=None, now=now):
            yield Violation(invariant, NOBODY, sentence)


def _unresolved(wallet_id: UUID, now: datetime | None) -> set[Violation]:
    """Return what has been different for an hour; one look tells, and a million lines need no second one."""
    if now is None:
        return set()
    wallet = Wallet.objects.select_related("client").get(pk=wallet_id)
    found = islice(check_differences(client_id=wallet.client_id, now=now), MOST_OF_WALLET)
    return {Violation(invariant, wallet.client.name, sentence) for invariant, sentence in found}


def _lasting(wallet_id: UUID, now: datetime | None) -> set[Violation]:
    """Return what is wrong each time one looks: a row may be written between two reads."""
    found = {_sameness(one): one for one in islice(_check(wallet_id, now), MOST_OF_WALLET)}
    for _again in range(LOOKS - 1):
        if found:
            seen = {_sameness(one) for one in islice(_check(wallet_id, now), MOST_OF_WALLET)}
            found = {key: one for key, one in found.items() if key in seen}
    return set(found.values())


def _sameness(found: Violation) -> tuple[str, str]:
    """
    Tell by what a violation is known again.

    The sums of a wallet and its lines are taken at one number of the ledger: a difference is one
    whatever the figures are by the next look. Others count when they are the same word by word.
    """
    if found.invariant in OF_SUMS:
        return found.invariant, FIGURES.sub("#", found.sentence)
    return found.invariant, found.sentence


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
    ):
        for invariant, sentence in findings:
            yield Violation(invariant, wallet.client.name, sentence)
