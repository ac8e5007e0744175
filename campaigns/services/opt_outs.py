"""Whoever asks on a call not to be called again: on the client's list and out of its lines, whoever called whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.dialling.answers import DISPATCHER
from campaigns.enrolments import move_enrolment
from campaigns.models import Enrolment
from convomono.lib.keys import beside
from convomono.lib.phone import NumberRefused, parse_number
from leads.models import Lead, Suppression
from leads.services import suppress
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from campaigns.models import Attempt
    from telephony.events import CallChange


def suppress_called(*, attempt: Attempt, change: CallChange, now: datetime) -> None:
    """Keep a person whom we called from being called again, inside the caller's transaction; twice is once."""
    _suppress(attempt.phone_number, [attempt.lead_id], change, now)


def suppress_caller(*, change: CallChange, now: datetime) -> bool:
    """
    Keep a person who called us and asked for it from being called, inside the caller's transaction.

    Any order and any number of times gives the same rows. The news takes effect once, when the call is
    settled and its caller known: who is taken off the list later isn't put back by a repetition. False:
    it is no such call, or told nothing new. Calls on the web have no caller, and test calls an attempt.
    """
    outcome, before = change.outcome, change.before
    is_call_to_us = (
        change.attempt_id is None
        and change.direction == Call.Direction.INBOUND
        and change.call_type == "phone_call"
    )
    if outcome is None or not outcome.suppresses or not is_call_to_us:
        return False
    if before.outcome_class and before.from_number:
        return False
    try:
        number = parse_number(change.from_number).e164
    except NumberRefused:  # withheld, or none that anybody could be called by
        return False
    leads = Lead.objects.filter(client_id=change.client_id, phone_number=number)
    _suppress(number, list(leads.values_list("pk", flat=True)), change, now)
    return True


def _suppress(
    phone_number: str, lead_ids: Sequence[UUID], change: CallChange, now: datetime
) -> None:
    suppress(
        level=Suppression.Level.CLIENT,
        client_id=change.client_id,
        campaign_id=None,
        phone_number=phone_number,
        source=Suppression.Source.CALL,
        reason=change.after.disconnection_reason,
        call_id=change.call_id,
        actor=DISPATCHER,
        now=now,
    )
    # Out of every line of this client at once; the decision would deny them anyway.
    queued = Enrolment.objects.filter(beside(status=Enrolment.Status.QUEUED), lead_id__in=lead_ids)
    for enrolment_id in list(queued.values_list("pk", flat=True)):
        move_enrolment(
            enrolment_id=enrolment_id,
            from_statuses=(Enrolment.Status.QUEUED,),
            to_status=Enrolment.Status.SUPPRESSED,
            now=now,
        )
