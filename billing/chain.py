"""The chain of a wallet's lines: each carries a seal over what it says and over the seal of the line before."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from billing.models import Transaction

# In this order for ever, because seals are kept: what a later column says is sealed by another name.
SEALED = (
    "id",
    "client_id",
    "wallet_id",
    "seq",
    "key",
    "type",
    "status",
    "seconds",
    "funding_delta",
    "available_delta",
    "reserved_delta",
    "consumed_delta",
    "debt_delta",
    "expired_delta",
    "balance_after_seconds",
    "amount_micros",
    "price_per_minute_micros",
    "increment_seconds",
    "minimum_seconds",
    "rate_id",
    "reservation_id",
    "campaign_id",
    "call_id",
    "payment_id",
    "corrects_id",
    "reference_id",
    "reason",
    "actor_id",
    "actor_email",
    "created_at",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def seal(line: Transaction, *, before: str) -> str:
    """
    Return the seal of a numbered line: SHA-256 in hexadecimal.

    `before` is the seal of the line before it in its wallet, empty for the first. Who changes, removes or
    slips in a line would have to seal every later one anew. Source: `product.md`, N1.
    """
    said = [before, *(_plain(getattr(line, name)) for name in SEALED)]
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return what is the same on every database: MongoDB keeps milliseconds, SQLite microseconds."""
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MILLISECOND
    return str(value) if isinstance(value, str) else value
