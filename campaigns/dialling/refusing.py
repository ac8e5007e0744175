"""Leads that are not called: denied for good, or deferred to a later instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.dialling.placing import stand_down
from campaigns.enrolments import move_enrolment
from campaigns.models import Attempt, Enrolment
from convomono.lib import live
from convomono.lib.db import IntegrityError, atomic, run_atomic
from leads.models import Lead, LeadStatusChange
from leads.services import record_summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from campaigns.dialling.candidates import Candidate
    from campaigns.rules import Decision

Status = Enrolment.Status
REFUSED = LeadStatusChange.Why.REFUSED
# So many deferrals stay well below 10 ms in one transaction on SQLite.
SLICE = 25
_LEAD_STATUS = {
    "suppressed": Lead.Status.SUPPRESSED,
    "invalid": Lead.Status.INVALID,
    "exhausted": Lead.Status.EXHAUSTED,
}


def deny(*, candidate: Candidate, decision: Decision, now: datetime) -> bool:
    """
    End a lead that must not be called, with an attempt that keeps the decision.

    False if somebody moved the lead meanwhile.
    """
    if candidate.kept is not None:
        stand_down(attempt=candidate.kept, reason="It may not be called any more.", now=now)
    enrolment, ends_as = candidate.enrolment, str(decision.ends_as)
    number = enrolment.attempt_number + 1

    def block() -> bool:
        moved = move_enrolment(
            enrolment_id=enrolment.pk,
            from_statuses=(Status.QUEUED,),
            to_status=ends_as,
            now=now,
            guards={"attempt_number": enrolment.attempt_number},
            attempt_number=number,
            decision=decision.as_json(),
        )
        if moved:
            _keep_decision(candidate, decision, number, now)
            record_summary(
                lead_id=enrolment.lead_id, why=REFUSED, now=now, status=_LEAD_STATUS[ends_as]
            )
        return moved

    try:
        return run_atomic(block)
    except IntegrityError:  # this number of attempt was written by another process
        return False


def defer(*, decided: Sequence[tuple[Candidate, Decision]], now: datetime) -> int:
    """Write until when leads wait and why; return how many were still in line."""
    written = 0
    for campaign_id in {candidate.enrolment.campaign_id for candidate, _decision in decided}:
        live.changed(campaign_id=campaign_id)
    for start in range(0, len(decided), SLICE):
        written += _defer_slice(decided[start : start + SLICE])
    return written


@atomic
def _defer_slice(decided: Sequence[tuple[Candidate, Decision]]) -> int:
    return sum(
        Enrolment.objects.filter(
            pk=candidate.enrolment.pk,
            status=Status.QUEUED,
            next_attempt_at=candidate.enrolment.next_attempt_at,
        ).update(
            next_attempt_at=decision.not_before,
            waiting_reason=decision.waiting_code,
            decision=decision.as_json(),
        )
        for candidate, decision in decided
    )


def _keep_decision(candidate: Candidate, decision: Decision, number: int, now: datetime) -> None:
    enrolment = candidate.enrolment
    Attempt.objects.create(
        client_id=enrolment.client_id,
        enrolment_id=enrolment.pk,
        number=number,
        campaign_id=enrolment.campaign_id,
        batch_call_id=candidate.batch_call.pk,
        version_id=candidate.batch_call.version_id,
        lead_id=enrolment.lead_id,
        phone_number=enrolment.phone_number,
        status=Attempt.Status.DENIED,
        decision=decision.as_json(),
        created_at=now,
        ended_at=now,
    )
