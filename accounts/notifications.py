"""Tells a client's people, or the agency, that something happened: once per cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.models import Notification
from convomono.lib.db import in_transaction, insert_once

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client


def notify(
    *,
    client: Client | None,
    level: str,
    title: str,
    body: str,
    url: str,
    key: str,
    now: datetime,
) -> bool:
    """
    Write one notification; without a client it is the agency's. The same `key` writes no second.

    Inside a transaction it is part of it. Return whether this call wrote it.
    """
    row = Notification(
        client=client, level=level, title=title, body=body, url=url, key=key, created_at=now
    )
    if not in_transaction():
        return insert_once(row, "key")
    # A duplicate would end a MongoDB transaction, so it is looked for; the unique key stays the guard.
    if Notification.objects.filter(key=key).exists():
        return False
    row.save(force_insert=True)
    return True
