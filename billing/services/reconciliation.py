"""Runs that compare our books with Retell's, and the safe steps that resolve a difference."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext as _, ngettext

from accounts.models import Notification
from accounts.notifications import mail_agency, notify
from audit import actions
from audit.services import System, record
from billing.models import Difference, Reconciliation
from billing.reconciling import SLICE, Comparison
from billing.services.refunds import NotCharged, RefundTooLarge, refund_call
from convomono.lib.db import insert_once, run_atomic
from telephony.provider import ProviderError, Rejected

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from audit.services import Actor
    from billing.reconciling import Gateway, Sums

log = structlog.get_logger()
NIGHTLY = System("reconciliation")
LONGEST = timedelta(days=31)
SETTLED_AFTER = timedelta(hours=3)
Status, Step = Difference.Status, Difference.Step
UNFINISHED = (Reconciliation.Status.QUEUED, Reconciliation.Status.WORKING)


class WindowInvalid(Exception):
    """A window that is empty, too long, or has not passed."""


class StepRefused(Exception):
    """The step is not among the safe ones of this difference, or it was resolved already."""


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


def ask_nightly(*, now: datetime) -> Reconciliation:
    """Ask for the latest UTC day whose calls are all settled; once a day."""
    until = (now - SETTLED_AFTER).replace(hour=0, minute=0, second=0, microsecond=0)
    since = until - timedelta(days=1)
    return ask_reconciliation(
        since=since, until=until, actor=NIGHTLY, now=now, key=f"night:{since:%Y-%m-%d}"
    )


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
            insert_once(difference, "reconciliation", "kind", "provider_call_id")
    except Rejected as error:
        log.warning("reconciliation.stopped", run_id=str(run.pk), reason=type(error).__name__)
        _stop(run, error, now)
        return True
    except ProviderError as error:
        # Nothing is wrong with the question: the run stays open, and the next round goes on with it.
        log.warning("reconciliation.waits", run_id=str(run.pk), reason=type(error).__name__)
        Reconciliation.objects.filter(pk=run.pk).update(error=str(error)[:400])
        return True
    _note(run, part.sums, until=until, now=now)
    return until >= run.window_until


def resolve_difference(
    *, difference: Difference, step: str, reason: str, actor: Actor, now: datetime
) -> Difference:
    """
    Take one of the safe steps; lines of the ledger stay, a refund is a new one. Twice is once.

    :raises StepRefused: if the step isn't safe here, an excuse has no reason, or it was resolved
    """
    reason = " ".join(reason.split())

    def block() -> Difference:
        row = Difference.objects.get(pk=difference.pk)
        if row.status == Status.RESOLVED and row.step == step:
            return row
        if row.status == Status.RESOLVED or step not in row.safe_steps:
            raise StepRefused
        if step == Step.EXCUSE and not reason:
            raise StepRefused
        if step == Step.REFUND:
            _refund(row, actor=actor, now=now)
        changes = {
            "status": Status.FETCHING if step == Step.FETCH else Status.RESOLVED,
            "step": step,
            "reason": reason[:200],
            "resolved_by_email": actor.actor_email,
            "resolved_at": now,
        }
        Difference.objects.filter(pk=row.pk).exclude(status=Status.RESOLVED).update(**changes)
        details = {"step": step, "reason": reason[:200], "call": row.provider_call_id}
        record(actions.DIFFERENCE_RESOLVED, resource=row, actor=actor, now=now, details=details)
        row.refresh_from_db()
        return row

    return run_atomic(block)


def differences_to_fetch(*, most: int = 100) -> list[Difference]:
    """Return the differences whose call is to be asked of Retell, the longest waiting first."""
    rows = Difference.objects.filter(status=Status.FETCHING).order_by("resolved_at", "pk")
    return list(rows[:most])


def mark_fetched(*, difference: Difference) -> None:
    """Say that Retell's news of the call is in the inbox."""
    Difference.objects.filter(pk=difference.pk, status=Status.FETCHING).update(
        status=Status.RESOLVED
    )


def _refund(row: Difference, *, actor: Actor, now: datetime) -> None:
    if row.call_id is None or row.client_id is None:
        raise StepRefused
    try:
        refund_call(
            client_id=row.client_id,
            call_id=row.call_id,
            seconds=row.refundable_seconds,
            reason=f"Reconciliation: {row.get_kind_display()}",
            actor=actor,
            now=now,
        )
    except (NotCharged, RefundTooLarge):
        raise StepRefused from None


def _note(run: Reconciliation, sums: Sums, *, until: datetime, now: datetime) -> None:
    is_last = until >= run.window_until
    products = Counter(run.products)
    products.update(sums.products)
    Reconciliation.objects.filter(pk=run.pk, next_from=run.next_from).update(
        next_from=until,
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
    Reconciliation.objects.filter(pk=run.pk, next_from=run.next_from).update(
        status=Reconciliation.Status.FAILED, error=str(error)[:400], finished_at=now
    )
    _tell(run, _("The comparison with Retell's records stopped"), body=str(error)[:400], now=now)


def tell_of_differences(*, run_id: UUID, now: datetime) -> bool:
    """Tell the agency, once, of a run that ended with differences nobody has resolved; False if none."""
    run = Reconciliation.objects.get(pk=run_id)
    left = Difference.objects.filter(reconciliation=run, status=Status.OPEN).count()
    if run.status != Reconciliation.Status.DONE or not left:
        return False
    title = ngettext(
        "%(count)d call differs from Retell's records",
        "%(count)d calls differ from Retell's records",
        left,
    )
    body = _("Each line of the comparison says what to do.")
    return _tell(run, title % {"count": left}, body=body, now=now)


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
