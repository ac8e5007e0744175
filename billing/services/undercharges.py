"""Bills what a call was billed too little: a line of its own that names the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from billing import rules
from billing.ledger import find_line, move_reservation, once, post
from billing.models import CallHold, Transaction, Wallet
from billing.services.charges import follow_charge
from billing.services.holds import HoldMissing

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from audit.services import Actor


def charge_rest(
    *,
    client_id: UUID,
    call_id: UUID,
    due_seconds: int,
    cause: UUID,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Transaction | None:
    """
    Bill a call up to `due_seconds`, at its launch's terms; None if it was billed as much before.

    What is missing is paid like an over-run: by what its launch has free, by what is available, by
    debt. The lines of the call cost together what one of `due_seconds` would. Once per `cause`. The
    call and its day's counters follow in the same block.

    :raises HoldMissing: if no dial of this client was billed for the call
    """
    key = f"consume:{call_id}:{cause}"

    def block() -> Transaction | None:
        hold = _hold(client_id, call_id)
        lines = _charges(hold)
        missing = due_seconds - sum(line.seconds for line in lines)
        if missing <= 0:
            return None
        wallet = Wallet.objects.get(client_id=client_id)
        line = _line(hold, wallet, missing)
        line.amount_micros = rules.price_micros(
            seconds=due_seconds, terms=hold.reservation.terms
        ) - sum(one.amount_micros for one in lines)
        # The first line of a call has the call's own key: nothing else bills it then.
        line.key = key if lines else f"consume:{call_id}"
        line.corrects_id = lines[0].pk if lines else None
        line.call_id, line.reason, line.created_at = call_id, reason[:200], now
        line.actor_id, line.actor_email = actor.actor_id, actor.actor_email
        post(line)
        if line.reserved_delta:
            taken = -line.reserved_delta
            move_reservation(hold.reservation_id, free=-taken, posted=taken)
        details = {"seconds": line.seconds, "reason": reason[:200]}
        record(actions.CALL_CHARGED, resource=line, actor=actor, now=now, details=details)
        follow_charge(client_id=client_id, call_id=call_id)
        return line

    return once(find=lambda: find_line(client_id=client_id, key=key), block=block)


def _hold(client_id: UUID, call_id: UUID) -> CallHold:
    mine = CallHold.objects.select_related("reservation").filter(client_id=client_id)
    row = mine.filter(call_id=call_id).first()
    if row is None:
        raise HoldMissing
    return row


def _charges(hold: CallHold) -> list[Transaction]:
    lines = Transaction.objects.filter(
        client_id=hold.client_id, call_id=hold.call_id, type=Transaction.Type.CONSUME
    )
    return list(lines.order_by("seq"))


def _line(hold: CallHold, wallet: Wallet, missing: int) -> Transaction:
    reservation = hold.reservation
    free = min(missing, reservation.free_seconds)
    available = min(missing - free, wallet.available_seconds)
    return Transaction(
        client_id=hold.client_id,
        wallet=wallet,
        type=Transaction.Type.CONSUME,
        seconds=missing,
        reserved_delta=-free,
        available_delta=-available,
        debt_delta=missing - free - available,
        consumed_delta=missing,
        price_per_minute_micros=reservation.price_per_minute_micros,
        increment_seconds=reservation.increment_seconds,
        minimum_seconds=reservation.minimum_seconds,
        rate_id=reservation.rate_id,
        reservation_id=reservation.pk,
        campaign_id=reservation.campaign_id,
        reference_id=str(hold.attempt_id),
    )
