"""Opens a client's account: the tenant, its wallet and its first price in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.services import create_client
from billing.services import open_wallet
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client, User


@atomic
def open_account(
    *,
    name: str,
    time_zone: str,
    contact_email: str,
    price_per_minute_micros: int,
    actor: User,
    now: datetime,
) -> Client:
    """
    Add a client with an empty wallet and its first price.

    :raises accounts.services.NameTaken: if a client of this name exists
    """
    client = create_client(
        name=name, time_zone=time_zone, contact_email=contact_email, actor=actor, now=now
    )
    open_wallet(
        client=client, price_per_minute_micros=price_per_minute_micros, actor=actor, now=now
    )
    return client
