"""Lines against themselves and against their wallet: conservation, order, prices, keys."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Count, Max, Q

from billing import rules
from billing.chain import seal
from billing.ledger import CHARGING
from billing.models import Rate, Transaction, Wallet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from billing.invariants.lots import LotReplay

type Finding = tuple[str, str]

ACCOUNTS = ("funding", "available", "reserved", "consumed", "debt", "expired")
NEVER_NEGATIVE = ("available", "reserved", "consumed", "debt", "expired")
CHUNK = 500
SHOWN_AFTER = timedelta(minutes=10)

Type = Transaction.Type
# What a line of each type does with its seconds; consume is the one that has a choice.
SHAPES: dict[str, dict[str, int]] = {
    Type.PURCHASE: {"funding": -1, "available": 1},
    Type.RESERVE: {"available": -1, "reserved": 1},
    Type.RELEASE: {"reserved": -1, "available": 1},
    Type.REFUND: {"consumed": -1, "available": 1},
    Type.ADJUST: {"funding": -1, "available": 1},
    Type.EXPIRE: {"available": -1, "expired": 1},
    Type.REPAY: {"available": -1, "debt": -1},
    Type.REVERSE: {"funding": 1, "available": -1},
}
CAUSES = {
    Type.CONSUME: "call_id",
    Type.PURCHASE: "payment_id",
    Type.RESERVE: "reference_id",
    Type.REFUND: "call_id",
    Type.REVERSE: "payment_id",
}
CORRECTIONS = {Type.ADJUST, Type.REFUND, Type.REVERSE, Type.EXPIRE}


class LaunchSums(defaultdict["UUID", Counter[str]]):
    """What the lines say of each reservation: seconds granted, released and posted, and what was charged."""

    def __init__(self) -> None:
        super().__init__(Counter)

    def add(self, line: Transaction) -> None:
        if line.reservation_id is None:
            return
        mine = self[line.reservation_id]
        sign = CHARGING.get(line.type, 0)
        mine["charged"] += sign * line.seconds
        mine["charged_micros"] += sign * line.amount_micros
        if line.type == Type.RESERVE:
            mine["granted"] += line.reserved_delta
        elif line.type == Type.RELEASE:
            mine["released"] -= line.reserved_delta
        elif line.type == Type.CONSUME:
            mine["posted"] -= line.reserved_delta


def check_lines(
    wallet: Wallet, sums: LaunchSums, replay: LotReplay, now: datetime | None
) -> Iterator[Finding]:
    """Yield what is wrong with a wallet's lines; collect what they say of its launches and lots."""
    running: Counter[str] = Counter()
    last, sealed = 0, ""
    lines = wallet.transactions.order_by("seq")
    uncounted = list(_check_newest(wallet))
    yield from uncounted
    # Up to the number the wallet had when it was read: later lines aren't in its columns.
    mine = lines if uncounted else lines.filter(seq__lte=wallet.seq)
    for line in mine.iterator(chunk_size=CHUNK):
        sums.add(line)
        replay.add(line)
        for account in ACCOUNTS:
            running[account] += getattr(line, f"{account}_delta")
        yield from _check_line(line)
        if line.client_id != wallet.client_id:
            yield "L14", f"line {line.key} belongs to another client"
        if line.seq != last + 1:
            yield "L15", f"line {line.key} has number {line.seq} after {last}"
        if line.balance_after_seconds != running["available"]:
            told = line.balance_after_seconds
            yield "L15", f"line {line.key} says {told} s are available, not {running['available']}"
        if line.seal != seal(line, before=sealed):
            yield "L5", f"line {line.key} is not what was sealed, or the line before it isn't"
        for account in NEVER_NEGATIVE:
            if running[account] < 0:
                yield "L2", f"{account} falls to {running[account]} s by line {line.key}"
        last, sealed = line.seq or last, line.seal
    yield from _check_wallet(wallet, running, last, now)


def _check_newest(wallet: Wallet) -> Iterator[Finding]:
    """Yield lines that the wallet doesn't count; it is read after them."""
    told = wallet.transactions.aggregate(
        newest=Max("seq"), unnumbered=Count("pk", filter=Q(seq=None))
    )
    counted = Wallet.objects.values_list("seq", flat=True).get(pk=wallet.pk)
    if told["unnumbered"]:
        yield "L15", f"{told['unnumbered']} lines have no number"
    if (told["newest"] or 0) > counted:
        yield "L15", f"the wallet counts {counted} lines, the newest is {told['newest']}"


def _check_wallet(
    wallet: Wallet, running: Counter[str], last: int, now: datetime | None
) -> Iterator[Finding]:
    for account in ("available", "reserved", "consumed", "debt"):
        kept = getattr(wallet, f"{account}_seconds")
        if kept != running[account]:
            yield "L1", f"the wallet has {kept} s {account}, its lines {running[account]}"
        if kept < 0:
            yield "L2", f"the wallet has {kept} s {account}"
    if wallet.debt_seconds > 0 and wallet.available_seconds > 0:
        yield "L9", f"{wallet.debt_seconds} s are owed while {wallet.available_seconds} are free"
    if wallet.seq > last:
        yield "L15", f"the wallet counts {wallet.seq} lines, the newest is {last}"
    if not _shows_its_price(wallet, now):
        yield "L10", "the wallet's price is not that of its newest rate"


def _shows_its_price(wallet: Wallet, now: datetime | None) -> bool:
    """Tell whether lists show the price in force; one that begins now is shown within minutes."""
    rates = Rate.objects.filter(client=wallet.client_id).order_by("effective_from")
    dated = list(rates.values_list("effective_from", "price_per_minute_micros"))
    if now:
        dated = [row for row in dated if row[0] <= now]
        begun = [row for row in dated if row[0] <= now - SHOWN_AFTER] or dated[:1]
        dated = begun[-1:] + [row for row in dated if row[0] > now - SHOWN_AFTER]
    return wallet.price_per_minute_micros in {price for _from, price in dated}


def _check_line(line: Transaction) -> Iterator[Finding]:
    moved = {account: getattr(line, f"{account}_delta") for account in ACCOUNTS}
    if sum(moved.values()) != 2 * moved["debt"]:  # debt counts against the others
        yield "L1", f"line {line.key} does not sum to zero"
    if not _is_shaped(line, moved):
        yield "L1", f"line {line.key} moves other seconds than a {line.type} of {line.seconds}"
    cause = getattr(line, CAUSES[Type(line.type)]) if line.type in CAUSES else ""
    if not line.key.startswith(f"{line.type}:{cause}"):
        yield "L6", f"line {line.key} does not name its cause"
    if line.type == Type.CONSUME:
        yield from _check_price(line)
        if (line.key == f"consume:{cause}") != (line.corrects_id is None):
            yield "L6", f"line {line.key} is a call's first charge and a rest of it"
    corrects = line.type in CORRECTIONS or line.corrects_id is not None
    if corrects and not (line.reason and line.actor_email):
        yield "L5", f"line {line.key} corrects without a reason or a name"
    if line.type in {Type.REFUND, Type.REVERSE} and line.corrects_id is None:
        yield "L5", f"line {line.key} does not name the line that it corrects"


def _is_shaped(line: Transaction, moved: dict[str, int]) -> bool:
    if line.type == Type.CONSUME:
        return (
            moved["consumed"] == line.seconds > 0
            and moved["reserved"] <= 0
            and moved["available"] <= 0
            and moved["debt"] >= 0
            and not moved["funding"]
            and not moved["expired"]
        )
    shape = SHAPES.get(line.type)
    if shape is None:
        return False
    if line.seconds <= 0 and line.type != Type.ADJUST:
        return False
    return all(moved[account] == shape.get(account, 0) * line.seconds for account in ACCOUNTS)


def _check_price(line: Transaction) -> Iterator[Finding]:
    terms = rules.Terms(
        line.price_per_minute_micros, line.increment_seconds or 1, line.minimum_seconds
    )
    price = rules.price_micros(seconds=line.seconds, terms=terms)
    if line.corrects_id is None:
        billable = rules.billable_seconds(duration_ms=line.seconds * 1000, terms=terms)
        prices = {price}
    else:  # the rest of a call: whole steps, and begun micros count once for all its lines
        billable = -(-line.seconds // terms.increment_seconds) * terms.increment_seconds
        prices = {price, price - 1}
    if billable != line.seconds:
        yield "L10", f"line {line.key} bills {line.seconds} s, which its terms never do"
    if line.amount_micros not in prices:
        yield "L10", f"line {line.key} costs {line.amount_micros} micros, which its price is not"
