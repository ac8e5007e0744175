"""What talk costs and how much a dial sets aside: whole seconds and micros in, the same out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORTEST_HOLD_SECONDS = 60
"""Retell caps no call below a minute (`max_call_duration_ms` is at least 60,000)."""

LOW_BALANCE_PERCENTS = (0, 10, 20, 50)
"""Shares of a filled wallet whose crossing the client hears of, the lowest first."""

LOW_RUNWAY_HOURS = (2, 8, 24)
"""Hours of calling that a balance lasts, at which the client hears of it, the fewest first."""


EXPIRY_DAYS = (1, 7)
"""Days before minutes expire at which the client hears of it, the fewest first."""


@dataclass(frozen=True, slots=True)
class Terms:
    """
    The price of talk: micros of a dollar per minute, and how its seconds are rounded.

    `increment_seconds` 1 bills to the second; a call that connected is billed `minimum_seconds` at
    least. Without `bills_voicemail` a call that only a machine answered is free.
    """

    price_per_minute_micros: int
    increment_seconds: int = 1
    minimum_seconds: int = 0
    bills_voicemail: bool = True

    def __post_init__(self) -> None:
        if self.increment_seconds < 1 or self.minimum_seconds < 0:
            raise ValueError("An increment is at least one second, a minimum at least none.")
        if self.price_per_minute_micros < 0:
            raise ValueError("A price is never negative.")


def billable_seconds(*, duration_ms: int, terms: Terms, is_machine: bool = False) -> int:
    """
    Round connected time up to what the client pays for; 0 for a call that never connected.

    A machine's call is free where the terms say so.

    Begun seconds count whole, then the minimum, then begun increments. It never falls when the
    duration grows. This is the only place that rounds talk.
    """
    if duration_ms <= 0 or (is_machine and not terms.bills_voicemail):
        return 0
    seconds = max(_round_up(duration_ms, 1000) // 1000, terms.minimum_seconds)
    return _round_up(seconds, terms.increment_seconds)


def price_micros(*, seconds: int, terms: Terms) -> int:
    """Return what billed seconds cost, rounded up to the next micro, once per call."""
    return -(-seconds * terms.price_per_minute_micros // 60)


def hold_seconds(*, max_call_seconds: int, terms: Terms) -> int:
    """Return what a call of at most this length may cost in seconds; a minute at least."""
    longest = max(max_call_seconds, SHORTEST_HOLD_SECONDS)
    return billable_seconds(duration_ms=longest * 1000, terms=terms)


def affordable_hold(*, wanted_seconds: int, free_seconds: int, terms: Terms) -> int:
    """
    Return what a dial may hold of what is free: at most what it wants, 0 if too little is free.

    It is a whole number of increments: a call that is cut at its hold is billed no more than it.
    """
    most = min(wanted_seconds, free_seconds // terms.increment_seconds * terms.increment_seconds)
    return most if most >= least_hold(terms=terms) else 0


def least_hold(*, terms: Terms) -> int:
    """Return the fewest seconds with which a call may be dialled: what the shortest one may cost."""
    return hold_seconds(max_call_seconds=SHORTEST_HOLD_SECONDS, terms=terms)


def crossed_percent(*, before_seconds: int, after_seconds: int, full_seconds: int) -> int | None:
    """
    Return the lowest share of a full wallet that falling to `after_seconds` reached, if any.

    `full_seconds` is what there was after minutes last came.
    """
    for percent in LOW_BALANCE_PERCENTS:
        line = full_seconds * percent
        if after_seconds * 100 <= line < before_seconds * 100:
            return percent
    return None


def needs_second_person(*, amount: int, limit: int) -> bool:
    """Tell whether moving so much, up or down, is more than one person may; 0: no limit."""
    return 0 < limit < abs(amount)


def refund_micros(
    *, seconds: int, left_seconds: int, left_micros: int, price_per_minute_micros: int
) -> int:
    """
    Return what giving back some seconds of a charge is worth, never more than is left of it.

    Giving back the last of them gives back the last micro, so that no rounding stays behind.
    """
    if seconds >= left_seconds:
        return left_micros
    return min(left_micros, seconds * price_per_minute_micros // 60)


def share_micros(*, amount_micros: int, part_seconds: int, whole_seconds: int) -> int:
    """Return what a part of some seconds costs that were sold for an amount, rounded half even."""
    micros, rest = divmod(amount_micros * part_seconds, whole_seconds)
    is_half = 2 * rest == whole_seconds
    return micros + (micros % 2 if is_half else int(2 * rest > whole_seconds))


def tax_in(*, amount_micros: int, basis_points: int) -> int:
    """Return the tax that an amount includes, in micros, rounded half up; basis points are 0.01 %."""
    whole = 10_000 + basis_points
    return (2 * amount_micros * basis_points + whole) // (2 * whole)


def is_filled_again(*, before_seconds: int, after_seconds: int, full_seconds: int) -> bool:
    """Tell whether rising to `after_seconds` left all the shares behind that are told of."""
    line = full_seconds * LOW_BALANCE_PERCENTS[-1]
    return before_seconds * 100 <= line < after_seconds * 100


def crossed_hours(*, runway: float | None) -> int | None:
    """Return the shortest of the times worth telling that the balance lasts no longer than."""
    if runway is None:
        return None
    return next((hours for hours in LOW_RUNWAY_HOURS if runway <= hours), None)


def crossed_days(*, left: timedelta) -> int | None:
    """Return the shortest of the times worth telling that minutes are valid no longer than."""
    return next((days for days in EXPIRY_DAYS if left <= timedelta(days=days)), None)


def runway_hours(*, usable_seconds: int, hourly_seconds: Sequence[float]) -> float | None:
    """Return how many hours like these the balance lasts; None if nothing was used in them."""
    used = sum(hourly_seconds)
    if not used:
        return None
    return max(0, usable_seconds) * len(hourly_seconds) / used


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step
