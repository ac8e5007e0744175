"""Takes minutes out of wallets whose time is over; nobody's launch loses any."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog

from billing.ledger import Overtaken, expire_available
from billing.models import CreditLot
from convomono.lib.db import run_atomic

if TYPE_CHECKING:
    from datetime import datetime

log = structlog.get_logger()

WALLETS_AT_ONCE = 200


def expire_lots(*, now: datetime) -> int:
    """
    Let everything expire that is available and whose time is over; return how many seconds.

    What launches have reserved stays theirs; given back later, it expires at once.
    """
    over = CreditLot.objects.filter(available_seconds__gt=0, expires_at__lte=now)
    clients = over.order_by("expires_at", "pk").values_list("client_id", flat=True)
    gone = 0
    for client_id in dict.fromkeys(clients[:WALLETS_AT_ONCE]):
        try:
            gone += run_atomic(partial(expire_available, client_id=client_id, now=now))
        except Overtaken:  # its wallet and its lots differ: the audit names it, the others go on
            log.exception("lots.not_expired", client_id=str(client_id))
    return gone
