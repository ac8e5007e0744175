"""What a call costs its client by now: what was billed for it, less what was given back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing import doors
from billing.models import Transaction
from convomono.lib import live
from telephony.models import Call
from telephony.services import record_settlement

if TYPE_CHECKING:
    from uuid import UUID

Type = Transaction.Type


@dataclass(frozen=True)
class Charge:
    """What a client pays for one call."""

    billed_seconds: int
    client_cost_micros: int


def charge_of(*, client_id: UUID, call_id: UUID) -> Charge:
    """Return what the lines of a call come to; nothing if there are none."""
    lines = Transaction.objects.filter(
        client_id=client_id, call_id=call_id, type__in=(Type.CONSUME, Type.REFUND)
    )
    seconds = micros = 0
    for kind, line_seconds, line_micros in lines.values_list("type", "seconds", "amount_micros"):
        sign = 1 if kind == Type.CONSUME else -1
        seconds += sign * line_seconds
        micros += sign * line_micros
    return Charge(seconds, micros)


def follow_charge(*, client_id: UUID, call_id: UUID) -> None:
    """
    Write on a call what it costs by now, and have its day count that; inside the caller's block.

    For a line that no event of the call brought: where one did, its handler writes and counts.
    Twice is once.
    """
    call = Call.objects.filter(client_id=client_id, pk=call_id).first()
    if call is None:  # its row was deleted since: the ledger knows it alone
        return
    charge = charge_of(client_id=client_id, call_id=call_id)
    if (call.billed_seconds, call.client_cost_micros) == (
        charge.billed_seconds,
        charge.client_cost_micros,
    ):
        return
    call.billed_seconds = charge.billed_seconds
    call.client_cost_micros = charge.client_cost_micros
    counted = doors.counters()(call=call)
    record_settlement(
        call_id=call.pk,
        billed_seconds=charge.billed_seconds,
        client_cost_micros=charge.client_cost_micros,
        counted=call.counted if counted is None else counted,
    )
    live.changed(client_id=client_id, campaign_id=call.campaign_id, call_id=call.pk)
