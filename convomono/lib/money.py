"""Minutes and dollars: whole seconds and micros inside, decimals at the edges, never floats."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

MICROS = 1_000_000
MICROS_PER_CENT = 10_000


class AmountInvalid(Exception):
    """A typed amount is no number, or finer than we can keep."""


def micros_from_dollars(value: Decimal | str) -> int:
    """
    Return micros for dollars that somebody typed.

    :raises AmountInvalid: if it is no number, infinite, or finer than a micro
    """
    try:
        micros = Decimal(value) * MICROS
    except InvalidOperation:
        raise AmountInvalid(f"{value!r} is not an amount.") from None
    if not micros.is_finite() or micros != micros.to_integral_value():
        raise AmountInvalid(f"{value!r} is finer than a millionth of a dollar.")
    return int(micros)


def micros_from_cents(value: Decimal | float | str) -> int:
    """Return micros for fractional US cents, Retell's unit, rounded half up."""
    return int((Decimal(str(value)) * MICROS_PER_CENT).quantize(Decimal(1), ROUND_HALF_UP))


def dollars(micros: int) -> Decimal:
    """Return dollars with two to four decimals, as shown and exported."""
    exact = (Decimal(micros) / MICROS).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    short = exact.quantize(Decimal("0.01"))
    return short if short == exact else exact


def minutes(seconds: int) -> Decimal:
    """Return minutes with two decimals, as shown and exported; round totals once, not per row."""
    return (Decimal(seconds) / 60).quantize(Decimal("0.01"), ROUND_HALF_UP)


def seconds_from_minutes(value: Decimal | str) -> int:
    """
    Return seconds for minutes that somebody typed; two decimals at most.

    :raises AmountInvalid: if it is no number or finer than a hundredth of a minute
    """
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise AmountInvalid(f"{value!r} is not a number of minutes.") from None
    if not exact.is_finite() or exact != exact.quantize(Decimal("0.01")):
        raise AmountInvalid("Minutes have at most two decimals.")
    return int((exact * 60).quantize(Decimal(1), ROUND_HALF_UP))
