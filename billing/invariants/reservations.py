"""Launches and dials: both levels agree, and each is resolved once."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import Sum

from billing.models import CallHold, Reservation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from billing.invariants.lines import Finding, LaunchSums
    from billing.models import Wallet

OVERDUE = timedelta(hours=1)
"""Real sweeps come round much sooner."""
PARTS = ("granted", "free", "held", "posted", "released")
TOLD = {
    "granted": "s granted",
    "posted": "s posted",
    "released": "s released",
    "charged": "s charged",
    "charged_micros": "micros charged",
}
"""What lines tell of a launch, and how it is said."""
Held = CallHold.Status.HELD


def check_reservations(wallet: Wallet, sums: LaunchSums, now: datetime | None) -> Iterator[Finding]:
    """Yield where a client's reservations disagree with its lines, its holds or its wallet."""
    held = _held_seconds(wallet)
    outstanding = 0
    known: set[UUID] = set()
    for row in Reservation.objects.filter(client=wallet.client_id).iterator():
        known.add(row.pk)
        outstanding += row.free_seconds + row.held_seconds
        yield from _check_reservation(row, sums[row.pk], held[row.pk])
    if outstanding != wallet.reserved_seconds:
        reserved = wallet.reserved_seconds
        yield "L3", f"the wallet has {reserved} s reserved, its launches {outstanding}"
    for stray in (sums.keys() | held.keys()) - known:
        yield "L14", f"reservation {stray} has lines or holds here but is not this client's"
    yield from _check_holds(wallet, known, now)


def _check_reservation(row: Reservation, told: Counter[str], held: int) -> Iterator[Finding]:
    name = f"reservation {row.pk}"
    has = {part: getattr(row, f"{part}_seconds") for part in PARTS}
    if min(has.values()) < 0:
        yield "L2", f"{name} is below zero: {has}"
    if has["granted"] != has["free"] + has["held"] + has["posted"] + has["released"]:
        yield "L3", f"{name} does not add up: {has}"
    if has["held"] != held:
        yield "L3", f"{name} has {has['held']} s held, its live holds {held}"
    kept = has | {"charged": row.charged_seconds, "charged_micros": row.charged_micros}
    for part, unit in TOLD.items():
        if kept[part] != told[part]:
            yield "L3", f"{name} has {kept[part]} {unit}, its lines {told[part]}"
    is_empty = not (has["free"] or has["held"])
    is_closed = row.status == Reservation.Status.CLOSED
    if is_closed != (is_empty and row.status != Reservation.Status.OPEN):
        yield "L4", f"{name} is {row.status} with {has['free']} s free and {has['held']} held"
    if row.status == Reservation.Status.CLOSING and has["free"]:
        yield "L4", f"{name} has ended but keeps {has['free']} s free"
    if is_closed != (row.closed_at is not None):
        yield "L4", f"{name} is {row.status} but its closing time says otherwise"


class _Hold(NamedTuple):
    """What of a hold is checked: rows of a million are read faster than objects."""

    attempt_id: UUID
    reservation_id: UUID
    status: str
    call_id: UUID | None
    seconds: int
    posted_seconds: int
    resolved_at: datetime | None
    expires_at: datetime


def _check_holds(wallet: Wallet, launches: set[UUID], now: datetime | None) -> Iterator[Finding]:
    mine = CallHold.objects.filter(client=wallet.client_id).values_list(*_Hold._fields)
    for row in map(_Hold._make, mine.iterator(chunk_size=500)):
        name = f"hold of attempt {row.attempt_id}"
        is_held, is_posted = row.status == Held, row.status == CallHold.Status.POSTED
        if row.reservation_id not in launches:
            yield "L14", f"{name} belongs to another client's launch"
        if is_held != (row.resolved_at is None):
            yield "L4", f"{name} is {row.status} but its time says otherwise"
        if row.posted_seconds and not is_posted:
            yield "L4", f"{name} is {row.status} and yet posted {row.posted_seconds} s"
        if is_posted and row.call_id is None:
            yield "L4", f"{name} is posted without a call"
        if not 0 <= row.posted_seconds <= row.seconds:
            yield "L9", f"{name} of {row.seconds} s posted {row.posted_seconds}"
        if now and is_held and row.expires_at <= now - OVERDUE:
            yield "L11", f"{name} is held although it expired at {row.expires_at}"


def _held_seconds(wallet: Wallet) -> defaultdict[UUID, int]:
    found: defaultdict[UUID, int] = defaultdict(int)
    live = CallHold.objects.filter(client=wallet.client_id, status=Held)
    for reservation_id, total in live.values_list("reservation_id").annotate(t=Sum("seconds")):
        found[reservation_id] = total
    return found
