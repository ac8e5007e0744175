"""The safe steps that resolve a difference to Retell's books, and what resolves one by itself."""

from __future__ import annotations

from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from audit import actions
from audit.services import record
from billing.models import CallHold, Difference
from billing.services.charges import follow_charge
from billing.services.holds import consume
from billing.services.refunds import NotCharged, charge_left, refund_call
from billing.services.undercharges import charge_rest
from convomono.lib.db import insert_once, run_atomic
from convomono.lib.keys import beside
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.services import Actor
    from billing.models import Reconciliation
    from billing.reconciling import Comparison

Kind, Status, Step = Difference.Kind, Difference.Status, Difference.Step
APPLIED_WITHIN = timedelta(minutes=5)
"""What Retell told is applied by the drain within seconds; after that it changed nothing."""
CHUNK = 200
DECIDED = (Step.REFUND, Step.CHARGE, Step.EXCUSE)
FIGURES = (
    "call_id",
    "their_ms",
    "our_ms",
    "their_micros",
    "our_micros",
    "charged_seconds",
    "billed_seconds",
    "due_seconds",
)
SAME = ("kind", "provider_call_id", "their_ms", "our_ms", "their_micros", "our_micros")


class StepRefused(Exception):
    """The step is not among the safe ones of this difference, or it was resolved already."""


def resolve_difference(
    *, difference: Difference, step: str, reason: str, actor: Actor, now: datetime
) -> Difference:
    """
    Take one of the safe steps; lines of the ledger stay, what corrects one is new. Twice is once.

    A refund or a charge is of what is too much or too little by now; if that is nothing (any more)
    no line is written, and `reason` says so.

    :raises StepRefused: if the step isn't safe here, an excuse has no reason, or it was resolved
    """
    reason = " ".join(reason.split())[:200]

    def block() -> Difference:
        row = Difference.objects.get(pk=difference.pk)
        if row.status == Status.RESOLVED and row.step == step:
            return row
        if row.status != Status.OPEN or step not in row.safe_steps:
            raise StepRefused
        if step == Step.EXCUSE and not reason:
            raise StepRefused
        said = reason
        if step == Step.REFUND and not _refund(row, actor=actor, now=now):
            said = _("It was given back before.")
        if step == Step.CHARGE and not _charge(row, actor=actor, now=now):
            said = _("It was billed before.")
        changes = {
            "status": Status.FETCHING if step == Step.FETCH else Status.RESOLVED,
            "step": step,
            "reason": said,
            "resolved_by_email": actor.actor_email,
            "resolved_at": now,
            "fetched_at": None,
        }
        Difference.objects.filter(pk=row.pk, status=Status.OPEN).update(**changes)
        details = {"step": step, "reason": said, "call": row.provider_call_id}
        record(actions.DIFFERENCE_RESOLVED, resource=row, actor=actor, now=now, details=details)
        row.refresh_from_db()
        return row

    return run_atomic(block)


def differences_to_fetch(*, most: int = 100) -> list[Difference]:
    """Return the differences whose call is to be asked of Retell, the longest waiting first."""
    rows = Difference.objects.filter(status=Status.FETCHING, fetched_at=None)
    return list(rows.order_by("resolved_at", "pk")[:most])


def mark_fetched(*, difference: Difference, now: datetime) -> None:
    """Say that Retell was asked, and what it told of the call is in the inbox."""
    Difference.objects.filter(pk=difference.pk, status=Status.FETCHING).update(fetched_at=now)


def settle_fetched(*, now: datetime) -> int:
    """
    Resolve what Retell's news has put right, and open what it left as it was; return how many.

    A call that nobody here knows isn't in our books although Retell told of it.
    """
    rows = Difference.objects.filter(status=Status.FETCHING, fetched_at__isnull=False)
    done = 0
    for row in list(rows.order_by("fetched_at", "pk")[:200]):
        if _was_put_right(row):
            done += _mine(row).update(status=Status.RESOLVED)
        elif row.fetched_at and row.fetched_at <= now - APPLIED_WITHIN:
            done += reopen(difference=row)
    return done


def reopen(*, difference: Difference) -> int:
    """
    Say that Retell's news of a call changes nothing; 1 if it waited for it.

    One that nobody here knows even so is no call of ours.
    """
    sentence = _("Retell's news changed nothing: leave it with a reason.")
    is_known = Call.objects.filter(provider_call_id=difference.provider_call_id).exists()
    return _mine(difference).update(
        status=Status.OPEN,
        step="",
        resolved_by_email="",
        resolved_at=None,
        fetched_at=None,
        is_foreign=difference.kind == Kind.MISSING_HERE and not is_known,
        sentence=sentence,
    )


def decided_before(difference: Difference) -> Difference:
    """Give an unsaved difference the step that resolved the very same one in an earlier run."""
    same = {name: getattr(difference, name) for name in SAME}
    decided = Difference.objects.filter(**same, status=Status.RESOLVED, step__in=DECIDED)
    earlier = decided.order_by("-resolved_at", "-pk").first()
    if earlier is None or not _still_holds(earlier, difference):
        return difference
    for name in ("step", "reason", "resolved_by_email", "resolved_at"):
        setattr(difference, name, getattr(earlier, name))
    difference.status = Status.RESOLVED
    return difference


def keep_found(difference: Difference, *, now: datetime) -> None:
    """
    Write what a look has found, unless its line is there already; what is unresolved has one.

    A line that a day's hours have goes over to the run that finds it again, and their looks leave it where
    it is. What the books say by now stands on it then.
    """
    difference.found_at = now
    row = decided_before(difference)
    same = Difference.objects.filter(kind=row.kind, provider_call_id=row.provider_call_id)
    earlier = None if row.status == Status.RESOLVED else _line_of(row, same)
    if earlier is None:
        insert_once(row, "reconciliation", "kind", "provider_call_id")
        return
    changes = _news(earlier, row)
    if not row.reconciliation.is_hourly and earlier.reconciliation_id != row.reconciliation_id:
        if same.filter(reconciliation=row.reconciliation).exists():
            return  # it was resolved here, and an hour's look found something else since
        changes["reconciliation"] = row.reconciliation
    if changes:
        Difference.objects.filter(pk=earlier.pk, status=earlier.status).update(**changes)


def _line_of(row: Difference, same: QuerySet[Difference]) -> Difference | None:
    """Return the unresolved line that this run shares."""
    mine = row.reconciliation
    for earlier in (
        same.exclude(status=Status.RESOLVED).select_related("reconciliation").order_by("pk")
    ):
        theirs = earlier.reconciliation
        if theirs.pk == mine.pk or mine.is_hourly or theirs.is_hourly:
            return earlier
    return None


def _news(earlier: Difference, row: Difference) -> dict[str, object]:
    """Return what a later look says otherwise; its sentence stays as long as the figures do."""
    if all(getattr(earlier, name) == getattr(row, name) for name in FIGURES):
        return {}
    return {name: getattr(row, name) for name in (*FIGURES, "client_id", "started_at", "sentence")}


def close_what_agrees(*, run: Reconciliation, part: Comparison, now: datetime) -> int:
    """Resolve open differences of earlier runs that a later look at the same hour doesn't find."""
    rows = Difference.objects.filter(
        status=Status.OPEN, started_at__gte=part.since, started_at__lt=part.until
    ).exclude(reconciliation=run)
    return close(
        [row.pk for row in rows.iterator(chunk_size=CHUNK) if part.agrees_on(row)], now=now
    )


def close(agreed: Sequence[UUID], *, now: datetime) -> int:
    """Resolve open differences on which the books agree by now; return how many."""
    return sum(
        Difference.objects.filter(beside(status=Status.OPEN), pk__in=some).update(
            status=Status.RESOLVED,
            step=Step.LATER,
            resolved_by_email="reconciliation",
            resolved_at=now,
        )
        for some in batched(agreed, CHUNK)
    )


def _mine(row: Difference) -> QuerySet[Difference]:
    return Difference.objects.filter(pk=row.pk, status=Status.FETCHING)


def _still_holds(earlier: Difference, row: Difference) -> bool:
    """Tell whether what is due is what it was, and no more or less is billed than was decided on."""
    if earlier.due_seconds != row.due_seconds:
        return False
    return row.billed_seconds in {earlier.billed_seconds, row.due_seconds}


def _was_put_right(row: Difference) -> bool:
    call = Call.objects.filter(provider_call_id=row.provider_call_id).first()
    if call is None or not call.is_over:
        return False
    if row.kind == Kind.COST_DIFFERS:
        return call.retell_cost_micros != row.our_micros
    return call.duration_ms is not None


def _refund(row: Difference, *, actor: Actor, now: datetime) -> bool:
    """Give back what is billed beyond what is due now; False if nothing is."""
    if row.call_id is None or row.client_id is None:
        raise StepRefused
    try:
        left = charge_left(client_id=row.client_id, call_id=row.call_id)
    except NotCharged:
        return False
    seconds = min(row.refundable_seconds, left.seconds - (row.due_seconds or 0))
    if seconds <= 0:
        return False
    refund_call(
        client_id=row.client_id,
        call_id=row.call_id,
        seconds=seconds,
        reason=f"Reconciliation: {row.get_kind_display()}",
        cause=f"difference:{row.pk}",
        actor=actor,
        now=now,
    )
    return True


def _charge(row: Difference, *, actor: Actor, now: datetime) -> bool:
    """Bill up to what is due; False if that much is billed."""
    if row.call_id is None or row.client_id is None or row.due_seconds is None:
        raise StepRefused
    call = Call.objects.get(pk=row.call_id)
    mine = CallHold.objects.filter(client_id=row.client_id)
    hold = mine.filter(attempt_id=call.attempt_id).first() if call.attempt_id else None
    if hold is None:
        raise StepRefused
    if hold.call_id is None:  # its end never billed it
        return _charge_whole(row, call, now=now)
    if hold.call_id != call.pk:
        raise StepRefused
    line = charge_rest(
        client_id=row.client_id,
        call_id=row.call_id,
        due_seconds=row.due_seconds,
        cause=row.pk,
        reason=f"Reconciliation: {row.get_kind_display()}",
        actor=actor,
        now=now,
    )
    return line is not None


def _charge_whole(row: Difference, call: Call, *, now: datetime) -> bool:
    assert call.attempt_id is not None  # it has a hold
    charge = consume(
        attempt_id=call.attempt_id,
        call_id=call.pk,
        duration_ms=row.their_ms or 0,
        is_machine=call.outcome_class == Call.OutcomeClass.MACHINE,
        now=now,
    )
    follow_charge(client_id=call.client_id, call_id=call.pk)
    return charge.billed_seconds > 0
