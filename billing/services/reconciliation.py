"""Runs that compare our books with Retell's: asked for, gone through hour by hour, told of."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext as _, ngettext

from accounts.models import Notification
from accounts.notifications import mail_agency, notify
from audit import actions
from audit.services import System, record
from billing.models import Difference, Reconciliation
from billing.reconciling import SLICE, Comparison
from billing.services.differences import close_what_agrees, keep_found
from convomono.lib.db import compare_and_set, insert_once
from telephony.provider import ProviderError, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.services import Actor
    from billing.reconciling import Gateway, Sums

log = structlog.get_logger()
NIGHTLY = System("reconciliation")
LONGEST = timedelta(days=31)
SETTLED_AFTER = timedelta(hours=3)
A_DAY = timedelta(days=1)
MAYBE_LATE = timedelta(minutes=15)
"""So long after its end the news of a call may be on its way to us."""
CLAIM = timedelta(minutes=10)
NIGHT = "night:"
UNFINISHED = (Reconciliation.Status.QUEUED, Reconciliation.Status.WORKING)


class WindowInvalid(Exception):
    """A window that is empty, too long, or has not passed."""


def ask_reconciliation(
    *, since: datetime, until: datetime, actor: Actor, now: datetime, key: str = ""
) -> Reconciliation:
    """
    Note that a window is to be compared; a worker does it. The same key again is the same run.

    :raises WindowInvalid: if it is empty, longer than a month, or not over
    """
    if not since < until <= now or until - since > LONGEST:
        raise WindowInvalid
    row = Reconciliation(
        key=key or f"{since.isoformat()}:{until.isoformat()}:{now.isoformat()}",
        window_from=since,
        window_until=until,
        next_from=since,
        asked_by_email=actor.actor_email,
        asked_at=now,
    )
    if not insert_once(row, "key"):
        return Reconciliation.objects.get(key=row.key)
    record(actions.RECONCILIATION_ASKED, resource=row, actor=actor, now=now)
    return row


def ask_nightly(*, now: datetime) -> list[Reconciliation]:
    """
    Ask for each UTC day whose calls are all settled and that no night has compared; twice is once.

    After the first day that was ever asked for none is left out, however long nobody came to ask:
    the oldest comes first, and no more than a month of them waits to be compared. A day whose
    comparison was refused is asked for again the next day, for a month.
    """
    until = (now - SETTLED_AFTER).replace(hour=0, minute=0, second=0, microsecond=0)
    nights = Reconciliation.objects.filter(key__startswith=NIGHT, window_from__lt=until)
    room = LONGEST.days - nights.filter(status__in=UNFINISHED).count()
    asked: list[Reconciliation] = []
    for since, key in _wanted_nights(nights, until, now):
        if len(asked) >= room:
            break
        asked.append(
            ask_reconciliation(since=since, until=since + A_DAY, actor=NIGHTLY, now=now, key=key)
        )
    return asked


def _wanted_nights(
    nights: QuerySet[Reconciliation], until: datetime, now: datetime
) -> Iterator[tuple[datetime, str]]:
    """Yield the days that are to be compared now, each with the key of its run, the oldest first."""
    known = set(nights.values_list("window_from", flat=True))
    newest: dict[datetime, Reconciliation] = {}
    for night in nights.filter(window_from__gte=until - LONGEST).order_by("asked_at", "pk"):
        newest[night.window_from] = night
    first = min(known, default=until - A_DAY)
    for number in range((until - first).days):
        since = first + number * A_DAY
        if since in known and since not in newest:
            continue  # compared, or refused, more than a month ago
        if key := _night_key(since, newest.get(since), now):
            yield since, key


def _night_key(since: datetime, night: Reconciliation | None, now: datetime) -> str:
    """Return the key under which a day is to be compared now; empty if it needs no run."""
    key = f"{NIGHT}{since:%Y-%m-%d}"
    if night is None:
        return key
    if night.status != Reconciliation.Status.FAILED or night.asked_at > now - A_DAY:
        return ""
    tried = Reconciliation.objects.filter(key__startswith=key).count()
    return f"{key}:{tried + 1}"


def claim_run(*, run_id: UUID, now: datetime) -> bool:
    """Keep other workers off a run for as long as an hour of it may take; False if one is on it."""
    unfinished = Reconciliation.objects.filter(pk=run_id, status__in=UNFINISHED)
    free = unfinished.filter(Q(claimed_until=None) | Q(claimed_until__lte=now))
    return bool(free.update(claimed_until=now + CLAIM))


def release_run(*, run_id: UUID) -> None:
    """Let the next worker go on with a run."""
    Reconciliation.objects.filter(pk=run_id).update(claimed_until=None)


def runs_left_behind(*, now: datetime, most: int = 10) -> list[UUID]:
    """Return the unfinished runs that no worker is on, the first asked for first."""
    rows = Reconciliation.objects.filter(status__in=UNFINISHED)
    rows = rows.filter(Q(claimed_until=None) | Q(claimed_until__lte=now))
    return list(rows.order_by("asked_at", "pk").values_list("pk", flat=True)[:most])


def compare_slice(*, run_id: UUID, gateway: Gateway, now: datetime) -> bool:
    """
    Compare the next hour of a run; True when nothing of it is left.

    Killed anywhere, the hour is compared again: each difference is written once, sums when it ends.
    Asks Retell, so it must not run inside a transaction.
    """
    run = Reconciliation.objects.get(pk=run_id)
    if run.status not in UNFINISHED:
        return True
    until = min(run.next_from + SLICE, run.window_until)
    part = Comparison(gateway=gateway, since=run.next_from, until=until)
    try:
        for difference in part.differences():
            difference.reconciliation = run
            keep_found(difference, now=now)
    except Rejected as error:
        log.warning("reconciliation.stopped", run_id=str(run.pk), reason=type(error).__name__)
        _stop(run, error, now)
        return True
    except ProviderError as error:
        # Nothing is wrong with the question: the run stays open, and the next round goes on with it.
        log.warning("reconciliation.waits", run_id=str(run.pk), reason=type(error).__name__)
        Reconciliation.objects.filter(pk=run.pk).update(error=str(error)[:400])
        return True
    close_what_agrees(run=run, part=part, now=now)
    _note(run, part.sums, until=until, now=now)
    return until >= run.window_until


def _note(run: Reconciliation, sums: Sums, *, until: datetime, now: datetime) -> None:
    is_last = until >= run.window_until
    products = Counter(run.products)
    products.update(sums.products)
    compare_and_set(
        run,
        "next_from",
        next_from=until,
        claimed_until=now + CLAIM,
        status=Reconciliation.Status.DONE if is_last else Reconciliation.Status.WORKING,
        error="",
        finished_at=now if is_last else None,
        compared_count=F("compared_count") + sums.compared,
        their_ms=F("their_ms") + sums.their_ms,
        our_ms=F("our_ms") + sums.our_ms,
        their_micros=F("their_micros") + sums.their_micros,
        our_micros=F("our_micros") + sums.our_micros,
        products=dict(products),
    )


def _stop(run: Reconciliation, error: ProviderError, now: datetime) -> None:
    compare_and_set(
        run,
        "next_from",
        status=Reconciliation.Status.FAILED,
        error=str(error)[:400],
        finished_at=now,
    )
    if not run.is_hourly:  # the night says it
        _tell(
            run, _("The comparison with Retell's records stopped"), body=str(error)[:400], now=now
        )


def tell_of_differences(*, run_id: UUID, now: datetime) -> bool:
    """
    Tell the agency, once, of a run that ended with differences nobody has resolved; False if none.

    Each is told of once: not those of a day's hours, which have an hour to settle (`tell_of_overdue`).
    """
    run = Reconciliation.objects.get(pk=run_id)
    news = Difference.objects.filter(
        reconciliation=run, status=Difference.Status.OPEN, told_at=None
    )
    left = news.count()
    if run.is_hourly or run.status != Reconciliation.Status.DONE or not left:
        return False
    title = ngettext(
        "%(count)d call differs from Retell's records",
        "%(count)d calls differ from Retell's records",
        left,
    )
    body = _("Each line of the comparison says what to do.")
    told = _tell(run, title % {"count": left}, body=body, now=now)
    news.update(told_at=now)
    return told


def tell_of_latest(*, now: datetime) -> int:
    """Tell of runs that ended in the last two days and whose worker was killed before it told."""
    ended = Reconciliation.objects.filter(
        status=Reconciliation.Status.DONE, finished_at__gte=now - 2 * A_DAY
    )
    latest = ended.order_by("-finished_at", "pk").values_list("pk", flat=True)[:50]
    return sum(tell_of_differences(run_id=pk, now=now) for pk in latest)


def _tell(run: Reconciliation, title: str, *, body: str, now: datetime) -> bool:
    told = notify(
        client=None,
        level=Notification.Level.BAD,
        title=title,
        body=body,
        url=reverse("agency-billing:reconciliation-detail", args=[run.pk]),
        key=f"reconciliation:{run.pk}",
        now=now,
    )
    if told:
        mail_agency(subject=title, text=body)
    return told
