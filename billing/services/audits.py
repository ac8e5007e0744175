"""The nightly audit of every ledger, a wallet at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import mail_agency, notify
from billing.invariants import NOBODY, Violation, audit_ledger
from billing.invariants.calls import check_differences
from billing.models import Wallet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

log = structlog.get_logger()
NIGHT_HOUR = 3
SHOWN = 5
LEASE = timedelta(hours=2)
"""Longer than a job may take; a ledger that was begun and not ended is tried again after it."""


def audit_due(*, now: datetime, has_time: Callable[[], bool] = lambda: True) -> int:
    """
    Check the ledgers that nobody has checked since the latest night (3:00 UTC), the longest ago first.

    It begins with none any more once `has_time` says no; the next time goes on. What is wrong is told
    to the agency, in the app and by mail, once a night for each client. So is a ledger that couldn't
    be checked to its end: it keeps no other waiting and is tried again. Return how many were checked.
    """
    night = _latest_night(now)
    done = 0
    while has_time():
        wallet = _next_due(night, now)
        if wallet is None:
            break
        done += _audit(wallet, night=night, now=now)
    if done:
        strangers = check_differences(client_id=None, now=now)
        lost = [Violation(invariant, NOBODY, sentence) for invariant, sentence in strangers]
        _tell_wrong(lost, name=_("calls of nobody"), key=f"nobody:{night:%Y-%m-%d}", now=now)
    return done


def _next_due(night: datetime, now: datetime) -> Wallet | None:
    due = Wallet.objects.filter(Q(audited_at=None) | Q(audited_at__lt=night))
    free = due.filter(Q(audit_until=None) | Q(audit_until__lte=now)).select_related("client")
    # What was begun and not ended comes last: the others don't wait for it.
    return free.order_by("audit_until", "audited_at", "pk").first()


def _audit(wallet: Wallet, *, night: datetime, now: datetime) -> bool:
    """Check one ledger under a lease; False if another worker has it, or if it came to no end."""
    was_left, lease = wallet.audit_until, now + LEASE
    name, key = wallet.client.name, f"{wallet.pk}:{night:%Y-%m-%d}"
    if not Wallet.objects.filter(pk=wallet.pk, audit_until=was_left).update(audit_until=lease):
        return False
    if was_left:  # its worker was killed
        _tell_unchecked(name=name, key=key, now=now)
    try:
        found = audit_ledger(client_id=wallet.client_id, now=now)
    except Exception:  # whatever stops this one, the others are checked
        log.exception("ledger.not_audited", wallet_id=str(wallet.pk))
        _tell_unchecked(name=name, key=key, now=now)
        return False
    _tell_wrong(found, name=name, key=key, now=now)
    mine = Wallet.objects.filter(pk=wallet.pk, audit_until=lease)
    return bool(mine.update(audited_at=now, audit_until=None))


def _latest_night(now: datetime) -> datetime:
    begins = now.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return begins if begins <= now else begins - timedelta(days=1)


def _tell_wrong(found: Sequence[Violation], *, name: str, key: str, now: datetime) -> None:
    if found:
        title = _("The ledger doesn't add up: %(name)s") % {"name": name}
        _tell(title, "\n".join(str(one) for one in found[:SHOWN]), key=f"audit:{key}", now=now)


def _tell_unchecked(*, name: str, key: str, now: datetime) -> None:
    body = _("It is tried again in two hours. The worker's log says why it stopped.")
    title = _("The ledger could not be checked: %(name)s") % {"name": name}
    _tell(title, body, key=f"not-audited:{key}", now=now)


def _tell(title: str, body: str, *, key: str, now: datetime) -> None:
    told = notify(
        client=None,
        level=Notification.Level.BAD,
        title=title[:200],
        body=body,
        url=reverse("agency-billing:wallet-list"),
        key=key,
        now=now,
    )
    if told:
        mail_agency(subject=title, text=body)
