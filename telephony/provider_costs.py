"""What Retell charges, in micros: of a call, and of each product in it. The agency's alone."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypedDict

from convomono.lib.money import micros_from_cents

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER = "other"


class ProductCost(TypedDict):
    """What one product of a call cost, as `CallDetail.product_costs` keeps it."""

    product: str
    micros: int


def cost_micros(call_cost: object) -> int:
    """Return what a call cost, from Retell's `call_cost` (fractional cents); 0 for none."""
    return _micros(call_cost.get("combined_cost")) if isinstance(call_cost, dict) else 0


def product_micros(call_cost: Mapping[str, Any]) -> dict[str, int]:
    """
    Return what each product of a call cost, the dearest first.

    They sum to `cost_micros` to the micro: what rounding or Retell's own sum leaves over stands as
    "other", and may be below zero.
    """
    found: dict[str, int] = {}
    lines = call_cost.get("product_costs")
    for line in lines if isinstance(lines, list) else ():
        if isinstance(line, dict):
            name = str(line.get("product") or OTHER)[:60]
            found[name] = found.get(name, 0) + _micros(line.get("cost"))
    rest = cost_micros(call_cost) - sum(found.values())
    if rest:
        # A micro or two of rounding belong to the dearest; more is something we weren't told of.
        name = max(found, key=lambda one: found[one]) if 0 < len(found) >= abs(rest) else OTHER
        found[name] = found.get(name, 0) + rest
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def product_costs(call_cost: Mapping[str, Any]) -> list[ProductCost]:
    """Return `product_micros` as it is stored: Retell's words are no keys of a document."""
    return [
        {"product": name, "micros": micros} for name, micros in product_micros(call_cost).items()
    ]


def _micros(cents: object) -> int:
    if isinstance(cents, bool) or not isinstance(cents, int | float | str | Decimal):
        return 0
    try:
        return max(0, micros_from_cents(cents))
    except (InvalidOperation, ValueError, OverflowError):
        return 0
