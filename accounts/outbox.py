"""Puts what a client's own systems may want to hear of into the outbox: once per cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.models import ClientEvent
from convomono.lib.db import in_transaction, insert_once

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID


def publish_client_event(
    *, client_id: UUID, kind: str, key: str, data: Mapping[str, Any], now: datetime
) -> bool:
    """
    Write one event for the client's webhooks; the same `key` writes no second.

    Inside a transaction it is part of it. `data` holds plain JSON values under the API's names.
    Return whether this call wrote it.
    """
    row = ClientEvent(client_id=client_id, kind=kind, key=key, data=dict(data), created_at=now)
    if not in_transaction():
        return insert_once(row, "key")
    # A duplicate would end a MongoDB transaction, so it is looked for; the unique key stays the guard.
    if ClientEvent.objects.filter(key=key).exists():
        return False
    row.save(force_insert=True)
    return True
