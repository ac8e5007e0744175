"""What one event of Retell's does to everything: the call, the money, the lead, the counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.services import Charge, consume, forgive_machine, void
from campaigns.models import Attempt
from campaigns.services.dialling import free_lines, record_outcome
from campaigns.services.opt_outs import suppress_caller
from campaigns.services.trial_sending import adopt_trial
from convomono.lib import live
from reporting.services import count_outcome
from telephony.models import Call
from telephony.rules import OutcomeClass
from telephony.services import PlacedAttempt, apply_event, record_placed_call, record_settlement
from webhooks.client_events import tell_client

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from telephony.events import CallChange, CallEvent


class SecondCall(Exception):
    """Retell tells of a call for an attempt that has another one: somebody was called twice."""


def handle(*, event: CallEvent, now: datetime) -> CallChange | None:
    """
    Apply an event, inside the caller's transaction: in any order and any number of times.

    None: nobody knows the call yet; the event is kept for when somebody does.
    """
    change = repeat(event=event, now=now)
    if change is not None:
        tell_client(change=change, now=now)
    return change


def repeat(*, event: CallEvent, now: datetime) -> CallChange | None:
    """
    Apply an event like `handle`, without telling the client's own systems.

    For one that was applied before: they have heard of it, however long ago.
    """
    change = apply_event(event=event, now=now)
    if change is None and _adopt(event, now):
        change = apply_event(event=event, now=now)
    if change is None:
        return None
    charge = settle(change, now)
    if charge is not None:
        change = change.charged(
            billed_seconds=charge.billed_seconds, client_cost_micros=charge.client_cost_micros
        )
    if change.attempt_id is not None:
        record_outcome(change=change, charge=charge, now=now)
    else:
        suppress_caller(change=change, now=now)
    if change.is_settled:
        _count(change)
    live.changed(client_id=change.client_id, campaign_id=change.campaign_id, call_id=change.call_id)
    return change


def conclude(*, changes: Iterable[CallChange], now: datetime) -> None:
    """Do what follows events that are applied and committed, once for all of them."""
    free_lines(changes=changes, now=now)


def _adopt(event: CallEvent, now: datetime) -> bool:
    """
    Record the call of an event that overtook the answer to its dial, or outlived its dialler.

    The attempt's own row says whose it is; the event says only which attempt.

    :raises SecondCall: if the attempt has another call
    """
    if event.attempt_id is None:
        return False
    attempt = Attempt.objects.filter(pk=event.attempt_id).first()
    if attempt is None:
        return adopt_trial(
            attempt_id=event.attempt_id, provider_call_id=event.provider_call_id, now=now
        )
    first = Call.objects.filter(attempt_id=attempt.pk).values_list("provider_call_id", flat=True)
    if first:
        raise SecondCall(
            f"Attempt {attempt.pk} is call {first[0]} already. Look at both at Retell."
        )
    placed = PlacedAttempt(
        client_id=attempt.client_id,
        campaign_id=attempt.campaign_id,
        batch_call_id=attempt.batch_call_id,
        enrolment_id=attempt.enrolment_id,
        attempt_id=attempt.pk,
        lead_id=attempt.lead_id,
        agent_id=event.agent_id,
        agent_version=event.agent_version,
        from_number=attempt.from_number or event.from_number,
        to_number=attempt.phone_number,
        must_say=attempt.decision.get("must_say", {}),
    )
    record_placed_call(provider_call_id=event.provider_call_id, attempt=placed, now=now)
    return True


def settle(change: CallChange, now: datetime) -> Charge | None:
    """Post the hold of a settled call, or void it if the call was no dial; once, whoever repeats."""
    if change.outcome is None or change.attempt_id is None:
        return None
    is_machine = change.outcome.outcome_class is OutcomeClass.MACHINE
    if change.before.outcome_class:  # settled in an earlier event's transaction
        paid = Charge(change.before.billed_seconds, change.before.client_cost_micros)
        if not is_machine or change.before.outcome_class == OutcomeClass.MACHINE:
            return paid
        forgiven = forgive_machine(attempt_id=change.attempt_id, call_id=change.call_id, now=now)
        return forgiven or paid
    if change.outcome.outcome_class is OutcomeClass.NOT_PLACED:
        void(attempt_id=change.attempt_id, now=now)
        return None
    return consume(
        attempt_id=change.attempt_id,
        call_id=change.call_id,
        duration_ms=change.after.duration_ms or 0,
        is_machine=is_machine,
        now=now,
    )


def _count(change: CallChange) -> None:
    """Count a settled call, and write on it what was charged and counted."""
    counted = count_outcome(change=change)
    paid = (change.after.billed_seconds, change.after.client_cost_micros)
    if counted is None and paid == (change.before.billed_seconds, change.before.client_cost_micros):
        return
    record_settlement(
        call_id=change.call_id,
        billed_seconds=paid[0],
        client_cost_micros=paid[1],
        counted=change.counted if counted is None else counted,
    )
