"""Tells clients that their minutes run low: in the app at once, by mail a moment later."""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING

import structlog
from django.core.mail import send_mail
from django.utils.translation import gettext as _

from accounts.models import Notification, User
from accounts.notifications import notify
from billing.models import BalanceNotice, Wallet
from billing.queries import with_use
from billing.rules import crossed_hours, crossed_percent
from convomono.lib.db import run_atomic

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import Transaction

log = structlog.get_logger()
CHUNK = 200
MOST_TRIES = 10


def warn_when_low(line: Transaction, wallet: Wallet) -> None:
    """Tell of the share of a filled wallet that a line has crossed, inside the line's block."""
    used = line.debt_delta - line.available_delta - line.reserved_delta
    percent = crossed_percent(
        before_seconds=wallet.usable_seconds + used,
        after_seconds=wallet.usable_seconds,
        full_seconds=wallet.full_seconds,
    )
    if percent is None:
        return
    if percent:
        level, title = Notification.Level.WARN, _("%(percent)d%% of your minutes are left")
    else:
        level, title = Notification.Level.BAD, _("All your minutes are used")
    _tell(
        wallet,
        level=level,
        title=title % {"percent": percent},
        key=f"low-balance:{wallet.pk}:{wallet.full_seq}:{percent}",
        now=line.created_at,
    )


def watch_runways(*, now: datetime) -> int:
    """
    Tell clients whose minutes last no longer than a few hours of calling; return how many.

    Once per purchase for each of the times.
    """
    told = 0
    wallets = Wallet.objects.select_related("client").order_by("pk")
    for some in batched(wallets.iterator(chunk_size=CHUNK), CHUNK):
        for row in with_use(some, now=now):
            hours = crossed_hours(runway=row.runway)
            told += (
                hours is not None
                and row.wallet.usable_seconds > 0
                and _warn(row.wallet, hours, now)
            )
    return told


def send_notices(*, now: datetime) -> int:
    """
    Mail what was told: to the client's contact and its owners, one mail each; return how many.

    A mail server that is away is tried again the next time, a few times.
    """
    unsent = BalanceNotice.objects.filter(mailed_at=None, tries_count__lt=MOST_TRIES)
    return sum(
        _send(notice, now)
        for notice in unsent.select_related("client").order_by("created_at", "pk")[:CHUNK]
    )


def _warn(wallet: Wallet, hours: int, now: datetime) -> bool:
    title = _("Your minutes last for about %(hours)d more hours of calling") % {"hours": hours}
    key = f"runway:{wallet.pk}:{wallet.full_seq}:{hours}"
    return run_atomic(
        lambda: _tell(wallet, level=Notification.Level.WARN, title=title, key=key, now=now)
    )


def _tell(wallet: Wallet, *, level: str, title: str, key: str, now: datetime) -> bool:
    body = _("Calls stop when none are left. Ask your agency for more.")
    is_news = notify(
        client=wallet.client,
        level=level,
        title=title,
        body=body,
        url="/app/billing/",
        key=key,
        now=now,
    )
    if is_news:
        BalanceNotice.objects.create(
            client_id=wallet.client_id, key=key, title=title, body=body, created_at=now
        )
    return is_news


def _send(notice: BalanceNotice, now: datetime) -> int:
    mine = BalanceNotice.objects.filter(pk=notice.pk, mailed_at=None)
    owners = User.objects.filter(
        client=notice.client_id, client_role=User.ClientRole.OWNER, is_active=True
    )
    to = {notice.client.contact_email, *owners.values_list("email", flat=True)} - {""}
    try:
        sent = sum(send_mail(notice.title, notice.body, None, [address]) for address in sorted(to))
    except OSError:  # smtplib's errors are of its kind
        log.exception("notice.not_sent", notice_id=str(notice.pk))
        mine.update(tries_count=notice.tries_count + 1)
        return 0
    mine.update(mailed_at=now)
    return sent
