"""The nightly audit of every ledger, a wallet at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

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

NIGHT_HOUR = 3
SHOWN = 5


def audit_due(*, now: datetime, has_time: Callable[[], bool] = lambda: True) -> int:
    """
    Check the ledgers that nobody has checked since the latest night (3:00 UTC), the longest ago first.

    It begins with none any more once `has_time` says no; the next time goes on. What is wrong is told
    to the agency, in the app and by mail, once a night for each client. Return how many were checked.
    """
    night = _latest_night(now)
    done = 0
    while has_time():
        due = Wallet.objects.filter(Q(audited_at=None) | Q(audited_at__lt=night))
        wallet = due.select_related("client").order_by("audited_at", "pk").first()
        if wallet is None:
            break
        if due.filter(pk=wallet.pk).update(audited_at=now):
            found = audit_ledger(client_id=wallet.client_id, now=now)
            _tell(found, name=wallet.client.name, key=f"{wallet.pk}:{night:%Y-%m-%d}", now=now)
            done += 1
    if done:
        strangers = check_differences(client_id=None, now=now)
        lost = [Violation(invariant, NOBODY, sentence) for invariant, sentence in strangers]
        _tell(lost, name=_("calls of nobody"), key=f"nobody:{night:%Y-%m-%d}", now=now)
    return done


def _latest_night(now: datetime) -> datetime:
    begins = now.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return begins if begins <= now else begins - timedelta(days=1)


def _tell(found: Sequence[Violation], *, name: str, key: str, now: datetime) -> None:
    if not found:
        return
    title = _("The ledger doesn't add up: %(name)s") % {"name": name}
    body = "\n".join(str(one) for one in found[:SHOWN])
    told = notify(
        client=None,
        level=Notification.Level.BAD,
        title=title[:200],
        body=body,
        url=reverse("agency-billing:wallet-list"),
        key=f"audit:{key}",
        now=now,
    )
    if told:
        mail_agency(subject=title, text=body)
