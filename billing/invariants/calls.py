"""Each call that connected is billed by its own length or excused by name, and no other call is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING

from django.db.models import Q, Sum

from billing.models import CallHold, Difference, Reservation, Transaction
from billing.rules import billable_seconds
from convomono.lib.keys import beside
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from billing.invariants.lines import Finding
    from billing.models import Wallet
    from billing.rules import Terms

CHUNK = 500
UNRESOLVED = timedelta(hours=1)
Type = Transaction.Type
# What Retell charges us for moves no second of a client.
OF_SECONDS = sorted(set(Difference.Kind) - {Difference.Kind.COST_DIFFERS})
SETTLED = sorted(Call.OutcomeClass)
NO_DIAL = Call.OutcomeClass.NOT_PLACED


@dataclass(frozen=True)
class _Billed:
    """A charge as the ledger has it, and what refunds gave back of it."""

    seconds: int = 0
    refunded: int = 0


def check_calls(wallet: Wallet) -> Iterator[Finding]:
    """Yield charges of calls that nobody knows, other lengths than the call's, and calls unbilled."""
    charges = Transaction.objects.filter(client=wallet.client_id, type=Type.CONSUME)
    told = charges.values_list("key", "call_id", "reference_id")  # unsorted: nothing is kept
    for some in batched(told.iterator(chunk_size=CHUNK), CHUNK):
        calls = Call.objects.filter(pk__in=[call_id for _key, call_id, _attempt in some])
        attempts = dict(calls.values_list("pk", "attempt_id"))
        for key, call_id, attempt in some:
            if call_id not in attempts:
                yield "L8", f"line {key} bills a call that nobody knows"
            elif str(attempts[call_id]) != attempt:
                yield "L8", f"line {key} bills a call of another attempt"
    over = Call.objects.filter(
        client=wallet.client_id, outcome_class__in=SETTLED, attempt_id__isnull=False
    )
    for calls_ in batched(over.only(*_COLUMNS).iterator(chunk_size=CHUNK), CHUNK):
        yield from _check_lengths(wallet, calls_)


_COLUMNS = ("attempt_id", "duration_ms", "outcome_class")


def _check_lengths(wallet: Wallet, calls: tuple[Call, ...]) -> Iterator[Finding]:
    billed = _billed(wallet, [call.pk for call in calls])
    attempts = [call.attempt_id for call in calls if call.attempt_id]
    held = CallHold.objects.filter(attempt_id__in=attempts)
    launches = dict(held.values_list("attempt_id", "reservation_id"))
    terms = {row.pk: row.terms for row in Reservation.objects.filter(pk__in=set(launches.values()))}
    wrong: dict[UUID, Finding] = {}
    for call in calls:
        launch = launches.get(call.attempt_id) if call.attempt_id else None
        judge = _judge_no_dial if call.outcome_class == NO_DIAL else _judge
        finding = judge(call, terms[launch] if launch else None, billed.get(call.pk))
        if finding:
            wrong[call.pk] = finding
    if wrong:
        # A difference of cost alone excuses no seconds.
        excused = Difference.objects.filter(call_id__in=list(wrong), kind__in=OF_SECONDS)
        for call_id in set(wrong) - set(excused.values_list("call_id", flat=True)):
            yield wrong[call_id]


def _judge_no_dial(call: Call, _terms: Terms | None, billed: _Billed | None) -> Finding | None:
    if billed is None or billed.refunded >= billed.seconds:
        return None
    return "L16", f"call {call.pk} was no dial and is billed {billed.seconds} s"


def _judge(call: Call, terms: Terms | None, billed: _Billed | None) -> Finding | None:
    length = call.duration_ms or 0
    if terms is None:
        return ("L16", f"call {call.pk} was dialled without a hold") if length else None
    due = billable_seconds(duration_ms=length, terms=terms)
    is_free = call.outcome_class == Call.OutcomeClass.MACHINE and not terms.bills_voicemail
    if billed is None:
        if due and not is_free:
            return "L16", f"call {call.pk} of {length} ms is neither billed nor excused"
    elif billed.seconds != due:
        return "L7", f"call {call.pk} of {length} ms is billed {billed.seconds} s, not {due}"
    elif is_free and billed.refunded < billed.seconds:
        return "L7", f"call {call.pk} reached a machine and is billed {billed.seconds} s"
    return None


def _billed(wallet: Wallet, call_ids: list[UUID]) -> dict[UUID | None, _Billed]:
    mine: QuerySet[Transaction] = Transaction.objects.filter(
        client=wallet.client_id, call_id__in=call_ids
    )
    refunds = mine.filter(beside(type=Type.REFUND)).order_by().values_list("call_id")
    back = dict(refunds.annotate(total=Sum("seconds")))
    charges = mine.filter(beside(type=Type.CONSUME)).order_by().values_list("call_id")
    sums = charges.annotate(total=Sum("seconds"))
    return {call_id: _Billed(seconds, back.get(call_id, 0)) for call_id, seconds in sums}


def check_differences(*, client_id: UUID | None, now: datetime) -> Iterator[Finding]:
    """Yield what Retell's books tell otherwise and nobody has resolved within the hour."""
    mine = Q(client_id=client_id) if client_id else Q(client=None)
    left = Difference.objects.filter(
        mine,
        status=Difference.Status.OPEN,
        kind__in=OF_SECONDS,
        found_at__lte=now - UNRESOLVED,
    )
    for kind, call in left.order_by("pk").values_list("kind", "provider_call_id").iterator():
        yield "L16", f"call {call} is unresolved since the books were compared: {kind}"
