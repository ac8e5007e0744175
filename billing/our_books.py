"""What our own books say of calls that are compared with Retell's: charges, holds, erasures."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.models import CallHold, Transaction
from telephony.models import Call, CallErasure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID


@dataclass
class Billed:
    """
    What the ledger says of one call: seconds charged and given back, and how many charges there are.

    A line that bills the rest of a call is part of its charge.
    """

    seconds: int = 0
    refunded: int = 0
    charges: int = 0

    @property
    def net(self) -> int:
        return self.seconds - self.refunded


def erased_among(calls: Sequence[Call]) -> set[str]:
    """Return which of these calls Retell has deleted because we asked it to."""
    done = CallErasure.objects.filter(
        provider_call_id__in=[row.provider_call_id for row in calls], status=CallErasure.Status.DONE
    )
    return set(done.values_list("provider_call_id", flat=True))


def billed_for(call_ids: Sequence[UUID]) -> dict[UUID, Billed]:
    """Return what each of these calls was billed; of one that has no line nothing, by a default."""
    found: defaultdict[UUID, Billed] = defaultdict(Billed)
    clients = Call.objects.filter(pk__in=call_ids).values_list("client_id", flat=True)
    lines = Transaction.objects.filter(
        client_id__in=set(clients),  # it leads the index
        call_id__in=call_ids,
        type__in=(Transaction.Type.CONSUME, Transaction.Type.REFUND),
    )
    for call_id, type_, seconds, corrects in lines.values_list(
        "call_id", "type", "seconds", "corrects_id"
    ):
        if call_id is None:
            continue
        if type_ == Transaction.Type.CONSUME:
            found[call_id].seconds += seconds
            found[call_id].charges += corrects is None
        else:
            found[call_id].refunded += seconds
    return found


def holds_of(attempt_ids: Iterable[UUID]) -> dict[UUID | None, CallHold]:
    """Return the hold of each dial, with its launch; a dial without one isn't among them."""
    rows = CallHold.objects.select_related("reservation").filter(attempt_id__in=list(attempt_ids))
    return {row.attempt_id: row for row in rows}
