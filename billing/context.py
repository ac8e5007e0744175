"""What the client's pages show of its minutes around their content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse

from billing.balances import Balance, balance_of
from convomono.lib import clock

if TYPE_CHECKING:
    from django.http import HttpRequest


def balance(request: HttpRequest) -> dict[str, Any]:
    """Return the client's balance; a callable, so that pages and fragments without it don't ask."""
    return {"balance": lambda: _balance(request), "balance_url": reverse("billing:wallet")}


def _balance(request: HttpRequest) -> Balance | None:
    client = getattr(request.user, "client", None)
    wallet = getattr(client, "wallet", None)
    return None if wallet is None else balance_of(wallet, now=clock.now())
