"""From a decision to the moment before a call is sent: what is written, in which order, under which guards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accounts.models import Client
from billing.ledger import Overtaken as LedgerOvertaken
from billing.services import hold, void
from campaigns import script
from campaigns.dialling.disclosing import must_say
from campaigns.dialling.gates import GateClosed, pass_gates
from campaigns.dialling.numbers import chosen_by
from campaigns.enrolments import move_enrolment
from campaigns.models import Attempt, BatchCall, Enrolment, PersonPace
from campaigns.services.experimenting import version_for
from campaigns.settings_schema import max_call_seconds, with_defaults
from campaigns.variables import read_rules, said_values
from convomono.lib.bulk import insert_row, update_row
from convomono.lib.db import IntegrityError, run_atomic
from convomono.lib.ids import uuid7
from convomono.lib.reading import read_row
from leads.models import Lead
from leads.services import suppressed_numbers
from telephony.services import PlacedAttempt, touch_number

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from campaigns.dialling.candidates import Candidate
    from campaigns.models import CampaignVersion
    from campaigns.rules import Decision

Status = Enrolment.Status


class Overtaken(Exception):
    """Somebody else was quicker with the lead, the person or the launch; nothing was written."""


class Forbidden(Exception):
    """Since the decision the launch was paused, its client deactivated, or the person opted out."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to send one attempt, until an instant of real time."""

    lease: UUID
    until: datetime


def prepare_attempt(
    *,
    candidate: Candidate,
    decision: Decision,
    from_number: str,
    claim: Claim,
    now: datetime,
    handover_id: UUID | None = None,
    is_sent: bool = False,
) -> Attempt:
    """
    Take the lead, write the attempt and set its seconds aside, in one block; nothing is sent yet.

    A kept attempt is taken up again under its own key. With a `handover_id` it goes with that list.
    A new one that `is_sent` at once is armed in the same block, as `arm` does: the network is next.

    :raises Forbidden: if it is to be sent and may not be; nothing was written
    :raises Overtaken: if the lead or the person was taken meanwhile
    :raises HoldResolved: if a kept attempt's seconds were given back
    :raises ReservationEmpty: if too few seconds are free
    """
    kept = candidate.kept
    attempt = kept or _new_attempt(candidate, decision, from_number, now)
    if kept is None:
        attempt.handover_id = handover_id

    def block() -> None:
        _claim(candidate, attempt, claim, now)
        take_turn(candidate, attempt_id=attempt.pk, now=now)
        held = hold(
            attempt_id=attempt.pk,
            batch_call_id=candidate.batch_call.pk,
            max_call_seconds=max_call_seconds(_version(candidate).settings),
            now=now,
            is_first=kept is None,
        )
        if kept is None:
            attempt.held_seconds = held.seconds
            attempt.request = _request(candidate, attempt, held_seconds=held.seconds)
            if is_sent:
                _let_go(attempt, now)
                attempt.sends_count, attempt.sent_at = 1, now
            insert_row(attempt)
            touch_number(phone_number=from_number, now=now)

    try:
        run_atomic(block)
    except GateClosed:
        raise Forbidden from None
    except (IntegrityError, LedgerOvertaken):
        # Another process has this number of attempt, or the person's first turn; or our own commit
        # took effect although its outcome was lost, and this lead is ours.
        if not _is_mine(attempt, claim):
            raise Overtaken from None
    return attempt


def arm(*, attempt: Attempt, now: datetime) -> None:
    """
    Check a last time that it may be sent and count the sending; the next step is the network.

    The launch's row is written under the condition that it runs, so that a pause and a dial collide
    in the database: after a pause is committed nothing more is armed.

    :raises Forbidden: if launch or client isn't active any more, dialling was stopped, the number
        suppressed, or the person's consent taken back
    :raises Overtaken: if another dispatcher has sent it
    """
    sends = attempt.sends_count

    def block() -> None:
        _let_go(attempt, now)
        # Two dispatchers may hold one attempt for a moment, the slower one after its claim ran out:
        # the count lets one of them send.
        counted = Attempt.objects.filter(
            pk=attempt.pk, status=Attempt.Status.DIALLING, sends_count=sends
        ).update(sends_count=sends + 1, sent_at=now)
        if not counted:
            raise Overtaken

    try:
        run_atomic(block)
    except GateClosed:
        raise Forbidden from None
    except IntegrityError:  # the first dial of two processes made one gate
        raise Overtaken from None
    attempt.sends_count, attempt.sent_at = sends + 1, now


def _let_go(attempt: Attempt, now: datetime) -> None:
    """
    Look a last time whether the call may leave, inside the transaction that counts it as sent.

    :raises Forbidden: if its launch doesn't run, its client isn't active or the person not to be called
    :raises GateClosed: if dialling was stopped
    """
    launch = {"id": attempt.batch_call_id, "status": BatchCall.Status.RUNNING}
    if not update_row(BatchCall, launch, {"last_dialled_at": now}) or not _is_allowed(attempt):
        raise Forbidden
    pass_gates(client_id=attempt.client_id, now=now)


def rearm(*, attempt: Attempt, claim: Claim, now: datetime) -> None:
    """
    Make ready to send an attempt again whose answer was lost, under the same key.

    :raises Forbidden: if launch or client isn't active any more, or the number was suppressed
    :raises Overtaken: if its outcome became known
    :raises HoldResolved: if its seconds were given back
    """

    def block() -> None:
        hold(
            attempt_id=attempt.pk,
            batch_call_id=attempt.batch_call_id,
            max_call_seconds=attempt.request["max_call_duration_ms"] // 1000,
            now=now,
        )
        reopened = Attempt.objects.filter(
            pk=attempt.pk, status=Attempt.Status.UNKNOWN, sends_count=attempt.sends_count
        ).update(status=Attempt.Status.DIALLING)
        claimed = Enrolment.objects.filter(
            pk=attempt.enrolment_id, status=Status.DIALLING, attempt_number=attempt.number
        ).update(lease=claim.lease, lease_until=claim.until)
        if not (reopened and claimed):
            raise Overtaken

    run_atomic(block)
    arm(attempt=attempt, now=now)


def stand_down(*, attempt: Attempt, reason: str, now: datetime) -> None:
    """
    End an attempt that was certainly never placed; its lead goes back into the line.

    The lead is looked at afresh then: somebody who was suppressed meanwhile ends there.
    """

    def block() -> None:
        ended = Attempt.objects.filter(
            pk=attempt.pk,
            status=Attempt.Status.DIALLING,
            was_lost=False,
            sends_count=attempt.sends_count,
        ).update(status=Attempt.Status.NOT_PLACED, error=reason[:400], ended_at=now)
        if ended:
            void(attempt_id=attempt.pk, now=now)
            return_to_line(attempt=attempt, due_at=now, waiting_reason="", now=now)

    run_atomic(block)


def return_to_line(
    *, attempt: Attempt, due_at: datetime, waiting_reason: str, now: datetime
) -> bool:
    """Let the lead of a dial that came to nothing wait again; after a stop there is no line."""
    stopped = BatchCall.objects.filter(
        pk=attempt.batch_call_id, status=BatchCall.Status.CANCELLED
    ).exists()
    return move_enrolment(
        enrolment_id=attempt.enrolment_id,
        from_statuses=(Status.DIALLING,),
        to_status=Status.CANCELLED if stopped else Status.QUEUED,
        now=now,
        guards={"attempt_number": attempt.number},
        batch_call_id=attempt.batch_call_id,
        next_attempt_at=due_at,
        waiting_reason="" if stopped else waiting_reason,
    )


def placed_attempt(attempt: Attempt) -> PlacedAttempt:
    """Return what the telephony room is told of an attempt."""
    return PlacedAttempt(
        client_id=attempt.client_id,
        campaign_id=attempt.campaign_id,
        batch_call_id=attempt.batch_call_id,
        enrolment_id=attempt.enrolment_id,
        attempt_id=attempt.pk,
        lead_id=attempt.lead_id,
        agent_id=attempt.request["agent_id"],
        agent_version=attempt.request["agent_version"],
        from_number=attempt.from_number,
        to_number=attempt.phone_number,
        must_say=attempt.decision.get("must_say", {}),
    )


def _is_allowed(attempt: Attempt) -> bool:
    """Look at what forbids a call from one moment to the next."""
    agrees = {
        "id": attempt.lead_id,
        "client_id": attempt.client_id,
        "consent_status": Lead.ConsentStatus.GIVEN,
    }
    lead = read_row(Lead, agrees, ("other_numbers",))
    active = {"id": attempt.client_id, "status": Client.Status.ACTIVE}
    if lead is None or read_row(Client, active, ("id",)) is None:
        return False
    return not suppressed_numbers(
        client_id=attempt.client_id,
        campaign_id=attempt.campaign_id,
        phone_numbers=[attempt.phone_number, *lead[0]],
        are_few=True,
    )


def _new_attempt(
    candidate: Candidate, decision: Decision, from_number: str, now: datetime
) -> Attempt:
    enrolment = candidate.enrolment
    return Attempt(
        id=uuid7(),
        client_id=enrolment.client_id,
        enrolment_id=enrolment.pk,
        number=enrolment.attempt_number + 1,
        campaign_id=enrolment.campaign_id,
        batch_call_id=candidate.batch_call.pk,
        version_id=_version(candidate).pk,
        lead_id=enrolment.lead_id,
        phone_number=enrolment.phone_number,
        from_number=from_number,
        status=Attempt.Status.DIALLING,
        decision={
            **_decided(candidate, decision, from_number),
            "must_say": must_say(candidate, _version(candidate)),
        },
        callback_at=enrolment.callback_at,
        created_at=now,
    )


def _decided(candidate: Candidate, decision: Decision, from_number: str) -> dict[str, Any]:
    """Return the decision as it is kept, with why it is called from this number."""
    kept = decision.as_json()
    by = chosen_by(
        number=from_number,
        preferred=candidate.preferred_number,
        near=candidate.enrolment.phone_number,
    )
    return {**kept, "inputs": {**kept["inputs"], "number_by": by}} if from_number else kept


def _claim(candidate: Candidate, attempt: Attempt, claim: Claim, now: datetime) -> None:
    claimed = move_enrolment(
        enrolment_id=candidate.enrolment.pk,
        from_statuses=(Status.QUEUED,),
        to_status=Status.DIALLING,
        now=now,
        guards={
            "attempt_number": candidate.enrolment.attempt_number,
            "next_attempt_at": candidate.enrolment.next_attempt_at,
            "held_at": None,
        },
        batch_call_id=candidate.batch_call.pk,
        attempt_number=attempt.number,
        lease=claim.lease,
        lease_until=claim.until,
        waiting_reason="",
        moved_from=None,
        decision=attempt.decision,
    )
    if not claimed:
        raise Overtaken


def take_turn(candidate: Candidate, *, attempt_id: UUID, now: datetime) -> None:
    """
    Swap the person's turn for this attempt or test call, in the caller's transaction; two dials collide here.

    :raises Overtaken: if somebody has dialled the person since the candidate was read
    :raises IntegrityError: if that was their first turn
    """
    number = candidate.enrolment.phone_number
    if candidate.pace_of is None:
        insert_row(PersonPace(phone_number=number, attempt_id=attempt_id, changed_at=now))
        return
    before = {"phone_number": number, "attempt_id": candidate.pace_of}
    if not update_row(PersonPace, before, {"attempt_id": attempt_id, "changed_at": now}):
        raise Overtaken


def _is_mine(attempt: Attempt, claim: Claim) -> bool:
    written = Attempt.objects.filter(pk=attempt.pk).exists()
    return written and Enrolment.objects.filter(pk=attempt.enrolment_id, lease=claim.lease).exists()


def _request(candidate: Candidate, attempt: Attempt, *, held_seconds: int) -> dict[str, Any]:
    """Return the request as it is sent, and sent again: the same key must mean the same call."""
    version = _version(candidate)
    settings = with_defaults(version.settings)
    return {
        "idempotency_key": str(attempt.pk),
        "from_number": attempt.from_number,
        "to_number": attempt.phone_number,
        "agent_id": version.provider_agent_id,
        "agent_version": version.provider_agent_version,
        "dynamic_variables": _variables(candidate),
        "metadata": {
            "attempt_id": str(attempt.pk),
            "campaign_id": str(attempt.campaign_id),
            "client_id": str(attempt.client_id),
        },
        # A call never outlives what was set aside for it.
        "max_call_duration_ms": min(settings["max_call_duration_ms"], held_seconds * 1000),
        "ring_duration_ms": settings["ring_duration_ms"],
    }


def _version(candidate: Candidate) -> CampaignVersion:
    return version_for(candidate.batch_call, candidate.enrolment)


def _variables(candidate: Candidate) -> dict[str, str]:
    """Return what fills the script; what this lead lacks is empty, or its name would be read aloud."""
    enrolment, version = candidate.enrolment, _version(candidate)
    missing = dict.fromkeys(script.own_variables(*script.spoken(version)), "")
    own = script.lead_values(enrolment.lead)
    # The version's own: a default is part of what is said, and holds once it was published.
    kept = version.variable_rules
    rules = candidate.variables if kept is None else read_rules(kept)
    return {**missing, **said_values(rules, own=own, given=enrolment.dynamic_vars)}
