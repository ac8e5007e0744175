"""Periodic work of the billing room."""

from __future__ import annotations

from typing import Any

from billing import services
from convomono.lib import clock


def show_due_rates(**_later: Any) -> int:
    """Show prices that have begun in the lists of wallets."""
    return services.show_due_rates(now=clock.now())
