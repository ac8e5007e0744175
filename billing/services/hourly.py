"""
The hours of a day, each compared once its calls are over, so that nobody waits for the night.

Of an hour that was compared only what is unresolved is asked for again, by its ids: a look costs Retell
a request for the hour and one for 200 differences. The night compares whole days, once all has settled.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING

import structlog
from django.urls import reverse
from django.utils.translation import gettext as _, ngettext

from accounts.models import Notification
from accounts.notifications import mail_agency, notify
from billing.invariants.calls import UNRESOLVED
from billing.models import Difference, Reconciliation
from billing.models.reconciliation import HOURS
from billing.reconciling import Comparison
from billing.services.differences import CHUNK, close, keep_found
from billing.services.reconciliation import (
    A_DAY,
    MAYBE_LATE,
    NIGHTLY,
    UNFINISHED,
    ask_reconciliation,
)
from convomono.lib.db import compare_and_set
from telephony.provider import ProviderError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from billing.reconciling import Gateway

log = structlog.get_logger()
AN_HOUR = timedelta(hours=1)
LOOKS_BACK = timedelta(hours=48)
MOST_AGAIN = 2000
MOST_TOLD = 1000
Status = Difference.Status


def ask_hours(*, now: datetime) -> list[Reconciliation]:
    """
    Have the hours compared that are over and that no look has seen, 48 at most; twice is once.

    The first one ever begins with the latest hour. Return the runs that have something to do.
    """
    until = (now - MAYBE_LATE).replace(minute=0, second=0, microsecond=0)
    last = Reconciliation.objects.filter(key__startswith=HOURS).order_by("-window_from").first()
    since = until - AN_HOUR if last is None else max(last.next_from, until - LOOKS_BACK)
    asked = []
    while since < until:
        midnight = since.replace(hour=0) + A_DAY
        run = _reach(since, min(midnight, until), now)
        asked += [run] if run.status in UNFINISHED else []
        since = midnight
    return asked


def _reach(since: datetime, until: datetime, now: datetime) -> Reconciliation:
    """Let the run of a day's hours go on to `until`."""
    run = ask_reconciliation(
        since=since, until=until, actor=NIGHTLY, now=now, key=f"{HOURS}{since:%Y-%m-%d}"
    )
    is_done = run.status == Reconciliation.Status.DONE
    if run.next_from < until and (run.window_until < until or is_done):
        compare_and_set(
            run,
            "window_until",
            "next_from",
            window_until=until,
            next_from=max(run.next_from, since),
            status=Reconciliation.Status.QUEUED,
            finished_at=None,
        )
        run.refresh_from_db()
    return run


def finish_hours(*, run_id: UUID, gateway: Gateway, now: datetime) -> int:
    """Look again at what is unresolved, once a day's hours are gone through; return how many are closed."""
    run = Reconciliation.objects.get(pk=run_id)
    if not run.is_hourly or run.status != Reconciliation.Status.DONE:
        return 0
    return look_again(gateway=gateway, now=now)


def look_again(*, gateway: Gateway, now: datetime) -> int:
    """
    Ask Retell for the calls of the last 48 hours that are unresolved, by their ids; return how many are closed.

    2,000 at most, those found last first. Asks Retell, so it must not run inside a transaction.
    """
    rows = Difference.objects.filter(status=Status.OPEN, started_at__gte=now - LOOKS_BACK)
    latest = rows.select_related("reconciliation").order_by("-found_at", "-pk")[:MOST_AGAIN]
    closed = 0
    try:
        for some in batched(filter(_may_settle, latest), CHUNK):
            closed += _compare_again(some, gateway, now)
    except ProviderError as error:  # it is asked again in an hour
        log.warning("reconciliation.waits", reason=type(error).__name__)
    return closed


def _may_settle(row: Difference) -> bool:
    """What Retell lists twice can't be told from one call by its id."""
    return row.kind != Difference.Kind.BILLED_TWICE or row.charged_seconds is not None


def _compare_again(some: Sequence[Difference], gateway: Gateway, now: datetime) -> int:
    runs = {row.provider_call_id: row.reconciliation for row in some}
    part = Comparison(gateway=gateway, since=now - LOOKS_BACK, until=now)
    for difference in part.again(list(runs)):
        difference.reconciliation = runs[difference.provider_call_id]
        keep_found(difference, now=now)
    return close([row.pk for row in some if part.agrees_on(row)], now=now)


def tell_of_overdue(*, now: datetime) -> int:
    """Tell the agency, once, of differences that nobody has resolved for an hour; return how many."""
    left = Difference.objects.filter(
        status__in=(Status.OPEN, Status.FETCHING), told_at=None, found_at__lte=now - UNRESOLVED
    )
    rows = list(left.order_by("found_at", "pk").values_list("pk", flat=True)[:MOST_TOLD])
    if not rows:
        return 0
    title = ngettext(
        "%(count)d call has differed from Retell's records for an hour",
        "%(count)d calls have differed from Retell's records for an hour",
        len(rows),
    ) % {"count": len(rows)}
    body = _("Each line of the comparison says what to do.")
    told = notify(
        client=None,
        level=Notification.Level.BAD,
        title=title,
        body=body,
        url=reverse("agency-billing:reconciliation-list"),
        key=f"differences:{rows[0]}",
        now=now,
    )
    if told:
        mail_agency(subject=title, text=body)
    for some in batched(rows, CHUNK):
        Difference.objects.filter(pk__in=some).update(told_at=now)
    return len(rows)
