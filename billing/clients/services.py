"""Opens a client's account: the tenant, its wallet and its first price in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.models import CALLS_AT_ONCE
from accounts.services import change_client, create_client
from billing.services import open_wallet, set_billing_address
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
    concurrency_limit: int = CALLS_AT_ONCE,
    actor: User,
    now: datetime,
) -> Client:
    """
    Add a client with an empty wallet and its first price.

    :raises accounts.services.NameTaken: if a client of this name exists
    """
    client = create_client(
        name=name,
        time_zone=time_zone,
        contact_email=contact_email,
        concurrency_limit=concurrency_limit,
        actor=actor,
        now=now,
    )
    open_wallet(
        client=client, price_per_minute_micros=price_per_minute_micros, actor=actor, now=now
    )
    return client


@atomic
def change_account(
    *, client: Client, billing_address: str, actor: User, now: datetime, **particulars: Any
) -> None:
    """
    Change a client's particulars, as `accounts.services.change_client` takes them, and its address.

    :raises accounts.services.NameTaken: if another client has this name
    """
    change_client(client=client, actor=actor, now=now, **particulars)
    set_billing_address(client=client, address=billing_address, actor=actor, now=now)
