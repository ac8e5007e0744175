"""Tells clients that their minutes run low: in the app at once, by mail a moment later."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import structlog
from django.db.models import Q
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from accounts.models import Notification, User
from accounts.notifications import MailUncertain, deliver, notify
from billing.models import BalanceNotice, CreditLot, Wallet
from billing.queries import with_use
from billing.rules import EXPIRY_DAYS, crossed_days, crossed_hours, crossed_percent
from convomono.lib.db import run_atomic
from convomono.lib.display import minutes

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from billing.models import Transaction
    from billing.queries import WalletRow

log = structlog.get_logger()
CHUNK = 200
TRIED_FOR = timedelta(days=2)
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
CLAIM = timedelta(minutes=15)
"""Longer than a job may run: nobody else begins with a notice that somebody may still be sending."""


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
        # By calls, an expiry, a correction or a repayment: the ledger says which.
        level, title = Notification.Level.BAD, _("None of your minutes are left")
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

    Once for each of the times after minutes came, as `note_full` notes it.
    """
    told = 0
    # Who has nothing left is told by the line that used it up.
    wallets = Wallet.objects.filter(Q(available_seconds__gt=0) | Q(reserved_seconds__gt=0))
    wallets = wallets.select_related("client").order_by("pk")
    for some in batched(wallets.iterator(chunk_size=CHUNK), CHUNK):
        for row in with_use(some, now=now):
            told += row.wallet.usable_seconds > 0 and _warn(row, now)
    return told


def watch_expiries(*, now: datetime) -> int:
    """Tell clients of minutes that expire within days, once for each of the times; return how many."""
    soon = CreditLot.objects.filter(
        available_seconds__gt=0,
        expires_at__gt=now,
        expires_at__lte=now + timedelta(days=EXPIRY_DAYS[-1]),
    ).select_related("client__wallet")
    return sum(
        run_atomic(partial(_tell_of_expiry, lot, now=now))
        for lot in soon.order_by("expires_at", "pk").iterator(chunk_size=CHUNK)
    )


def _tell_of_expiry(lot: CreditLot, *, now: datetime) -> bool:
    day = lot.expires_at.astimezone(ZoneInfo(lot.client.time_zone))
    said = {"minutes": minutes(lot.available_seconds), "day": date_format(day, "j F, H:i")}
    return _tell(
        Wallet.of(lot.client),
        level=Notification.Level.WARN,
        title=_("%(minutes)s minutes expire on %(day)s") % said,
        body=_("Minutes that a launch has reserved by then stay with it."),
        key=f"expiry:{lot.pk}:{crossed_days(left=lot.expires_at - now)}",
        now=now,
    )


def send_notices(*, now: datetime, has_time: Callable[[], bool] = lambda: True) -> int:
    """
    Mail what was told: to the client's contact and its owners, one mail each; return how many.

    A mail that a server doesn't take is tried again after growing pauses, for two days, and keeps no
    other waiting; then the agency is told. Nobody gets one twice: where the connection breaks as a
    mail is handed over, it counts as sent. No further mail is begun once `has_time` says no.
    """
    unsent = BalanceNotice.objects.filter(mailed_at=None, given_up_at=None)
    due = unsent.filter(Q(next_try_at=None) | Q(next_try_at__lte=now))
    sent = 0
    for notice in due.select_related("client").order_by("created_at", "pk")[:CHUNK]:
        if not has_time():
            break
        sent += _send(notice, now, has_time)
    return sent


def _warn(row: WalletRow, now: datetime) -> bool:
    hours, wallet = crossed_hours(runway=row.runway), row.wallet
    if hours is None or row.runway is None:
        return False
    title = _("Your minutes last for less than %(hours)d more hours of calling") % {"hours": hours}
    said = {"minutes": minutes(wallet.usable_seconds), "hours": number_format(row.runway, 1)}
    body = _(
        "%(minutes)s minutes are left, about %(hours)s hours at the pace of your latest calls. "
        "Calls stop when none are left. Ask your agency for more."
    )
    key = f"runway:{wallet.pk}:{wallet.full_seq}:{hours}"
    warn = partial(_tell, wallet, level=Notification.Level.WARN, title=title, key=key, now=now)
    return run_atomic(partial(warn, body=body % said))


def _tell(
    wallet: Wallet, *, level: str, title: str, key: str, now: datetime, body: str = ""
) -> bool:
    body = body or _("Calls stop when none are left. Ask your agency for more.")
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


def _send(notice: BalanceNotice, now: datetime, has_time: Callable[[], bool]) -> int:
    """Mail one notice to those who have not had it; return how many got it."""
    mine = BalanceNotice.objects.filter(pk=notice.pk, mailed_at=None, given_up_at=None)
    if not mine.filter(next_try_at=notice.next_try_at).update(next_try_at=now + CLAIM):
        return 0  # somebody else is sending it
    had, refused = list(notice.sent_to), 0
    for address in sorted(_addresses(notice) - set(had)):
        if not has_time():
            mine.update(next_try_at=now)  # the next time goes on
            return len(had) - len(notice.sent_to)
        mine.update(
            sent_to=[*had, address]
        )  # first: a worker that dies as it sends sends no second
        try:
            deliver(address=address, subject=notice.title, text=notice.body)
        except (OSError, ValueError):  # smtplib's errors are of its kind
            log.exception("notice.not_sent", notice_id=str(notice.pk))
            mine.update(sent_to=had)
            refused += 1
            continue
        except MailUncertain:
            log.exception("notice.maybe_sent", notice_id=str(notice.pk))
        had.append(address)
    if not refused:
        mine.update(mailed_at=now)
    elif now - notice.created_at >= TRIED_FOR:
        mine.update(given_up_at=now)
        _tell_agency(notice, now)
    else:
        pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** min(notice.tries_count, 10))
        mine.update(next_try_at=now + pause, tries_count=notice.tries_count + 1)
    return len(had) - len(notice.sent_to)


def _addresses(notice: BalanceNotice) -> set[str]:
    owners = User.objects.filter(
        client=notice.client_id, client_role=User.ClientRole.OWNER, is_active=True
    )
    return {notice.client.contact_email, *owners.values_list("email", flat=True)} - {""}


def _tell_agency(notice: BalanceNotice, now: datetime) -> None:
    title = _("%(client)s could not be mailed: %(notice)s")
    notify(
        client=None,
        level=Notification.Level.BAD,
        title=(title % {"client": notice.client, "notice": notice.title})[:200],
        body=_("The mail server refused it for two days. Check the client's addresses."),
        url=reverse("agency-clients:client-detail", args=[notice.client_id]),
        key=f"not-mailed:{notice.pk}",
        now=now,
    )
