"""What a dial's answer changes: placed, refused, busy, or nobody knows."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from audit.services import System
from billing.services import void
from campaigns.dialling import waiting
from campaigns.dialling.placing import placed_attempt, return_to_line
from campaigns.enrolments import finish_if_complete, move_enrolment
from campaigns.models import Attempt, BatchCall, Campaign, Enrolment
from campaigns.services.steering import pause_by_system, pause_campaign_by_system
from convomono.lib.bulk import update_row
from convomono.lib.db import IntegrityError, run_atomic
from leads.models import Lead, LeadStatusChange, Suppression
from leads.services import record_summary, suppress
from telephony.provider import (
    Batch,
    DoNotCall,
    PaymentRequired,
    PlacedCall,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorised,
    Unavailable,
)
from telephony.services import record_placed_call

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

log = structlog.get_logger()

DISPATCHER = System("dispatcher")
# A refusal that is about the number that was called, not about the campaign.
_BAD_DESTINATION = re.compile(
    r"\bto_number\b|destination|invalid (phone )?number|not a valid phone", re.IGNORECASE
)
Status = Enrolment.Status


class Effect(StrEnum):
    """What an answer says about the platform, for the breaker."""

    WELL = "well"
    BUSY = "busy"
    AWAY = "away"


def effect_of(answer: PlacedCall | Batch | ProviderError) -> Effect:
    """Tell how the platform is doing by its answer; a refusal is an answer too."""
    if isinstance(answer, PlacedCall | Batch | Rejected):
        return Effect.WELL
    return Effect.BUSY if isinstance(answer, RateLimited) else Effect.AWAY


def apply_answer(
    *, attempt: Attempt, answer: PlacedCall | ProviderError, retry_at: datetime, now: datetime
) -> None:
    """
    Write what the answer to a dial means; `retry_at` is when a call that was not taken is due again.

    Only a refusal of an attempt whose every sending was answered proves that nothing rings. After a
    lost answer anything but a placed call leaves the attempt unknown, for the look-up to settle. A
    refusal says nothing of a later sending either: then somebody else waits for that one's answer.
    """
    if isinstance(answer, PlacedCall):
        record_placed(attempt=attempt, provider_call_id=answer.call_id, now=now)
    elif attempt.was_lost or not isinstance(answer, Rejected | RateLimited | Unavailable):
        record_lost(attempt=attempt, error=str(answer))
    elif isinstance(answer, Rejected):
        _record_refused(attempt=attempt, error=answer, now=now)
    else:
        busy = isinstance(answer, RateLimited)
        reason = waiting.PROVIDER_BUSY if busy else waiting.PROVIDER_AWAY
        _record_put_off(attempt, answer, due_at=retry_at, waiting_reason=reason, now=now)


def record_placed(*, attempt: Attempt, provider_call_id: str, now: datetime) -> None:
    """
    Note that a call rings; its first events may have told so before. Twice is once.

    A second call for one attempt is the platform's fault and the agency's concern: it stops nobody.
    """

    def block() -> None:
        call = record_placed_call(
            provider_call_id=provider_call_id, attempt=placed_attempt(attempt), now=now
        )
        if not note_placed(
            attempt=attempt, provider_call_id=provider_call_id, call_id=call.pk, now=now
        ):
            Attempt.objects.filter(pk=attempt.pk, provider_call_id="").update(
                provider_call_id=provider_call_id, call_id=call.pk
            )

    try:
        run_atomic(block)
    except IntegrityError:
        try:
            run_atomic(block)  # the event that overtook us has made the call meanwhile
        except IntegrityError:
            _tell_of_second_call(attempt=attempt, provider_call_id=provider_call_id, now=now)


def may_be_placed(attempt: Attempt) -> bool:
    """Tell whether it would be news of this attempt that its call rings."""
    if attempt.status == Attempt.Status.NOT_PLACED:
        return not attempt.outcome_class  # given up for lost
    return attempt.status in {Attempt.Status.DIALLING, Attempt.Status.UNKNOWN}


def note_placed(*, attempt: Attempt, provider_call_id: str, call_id: UUID, now: datetime) -> bool:
    """
    Mark an attempt and its lead as ringing, inside the caller's block; False if it is known already.

    Also one that was given up as never placed: somebody is on the phone after all, and isn't in line.
    """
    columns: dict[str, Any] = {
        "status": Attempt.Status.PLACED,
        "placed_at": now,
        "ended_at": None,
        "error": "",
        "provider_call_id": provider_call_id,
        "call_id": call_id,
    }
    # Nearly always it waits for this very answer.
    waits = {"id": attempt.pk, "status": Attempt.Status.DIALLING}
    placed = update_row(Attempt, waits, columns) or Attempt.objects.filter(
        Q(status=Attempt.Status.NOT_PLACED, outcome_class="") | Q(status=Attempt.Status.UNKNOWN),
        pk=attempt.pk,
    ).update(**columns)
    if placed:
        for before in (Status.DIALLING, Status.QUEUED):
            if move_enrolment(
                enrolment_id=attempt.enrolment_id,
                from_statuses=(before,),
                to_status=Status.IN_CALL,
                now=now,
                guards={"attempt_number": attempt.number},
                batch_call_id=attempt.batch_call_id,
                last_call_id=call_id,
                last_attempted_at=now,
            ):
                break
    return bool(placed)


def _tell_of_second_call(*, attempt: Attempt, provider_call_id: str, now: datetime) -> None:
    log.error("dial.second_call", attempt_id=str(attempt.pk), provider_call_id=provider_call_id)
    notify(
        client=None,
        level=Notification.Level.BAD,
        title=_("The voice platform made two calls of one attempt"),
        body=_("Look at call %(call)s there: it belongs to no lead here.")
        % {"call": provider_call_id},
        url="/agency/health/",
        key=f"dial.second_call:{provider_call_id}",
        now=now,
    )


def record_lost(*, attempt: Attempt, error: str) -> None:
    """Note that nobody knows whether the phone rings; the hold stays and nobody redials."""

    def block() -> None:
        lost = _as_sent(attempt).update(
            status=Attempt.Status.UNKNOWN, was_lost=True, error=error[:400]
        )
        if lost:
            # No lease: what becomes of it is the look-up's business.
            Enrolment.objects.filter(
                pk=attempt.enrolment_id, status=Status.DIALLING, attempt_number=attempt.number
            ).update(lease=None, lease_until=None)

    run_atomic(block)


def reason_to_halt(disconnection_reason: str) -> str:
    """Return the code of `waiting` for a campaign that a call of its own must stop."""
    is_scam = disconnection_reason == waiting.PAUSED_SCAM
    return waiting.PAUSED_SCAM if is_scam else waiting.PAUSED_TELEPHONY


def halt_everything(*, reason: str, now: datetime) -> int:
    """Pause every launch that dials and tell the agency; return how many were paused."""
    running = BatchCall.objects.filter(
        status__in=(BatchCall.Status.RUNNING, BatchCall.Status.SCHEDULED)
    ).values_list("pk", flat=True)
    paused = sum(pause_by_system(batch_call_id=pk, reason=reason, now=now) for pk in list(running))
    notify(
        client=None,
        level=Notification.Level.BAD,
        title=_("All dialling has stopped"),
        body=waiting.waiting_sentence(reason, facts={}),
        url="/agency/live/",
        key=f"dialling.halted:{reason}:{now:%Y-%m-%dT%H}",
        now=now,
    )
    return paused


def halt_launch(*, batch_call_id: UUID, reason: str, detail: str, now: datetime) -> bool:
    """Pause one launch and tell its client why; False if it doesn't dial any more."""
    batch_call = BatchCall.objects.select_related("campaign__client").get(pk=batch_call_id)
    body = " ".join([waiting.waiting_sentence(reason, facts={}), detail]).strip()
    tell = partial(_tell_paused, batch_call.campaign, body, f"batch.paused:{batch_call_id}", now)
    return pause_by_system(batch_call_id=batch_call_id, reason=reason, now=now, within=tell)


def halt_campaign(
    *,
    client_id: UUID,
    campaign_id: UUID,
    reason: str,
    now: datetime,
    facts: dict[str, Any] | None = None,
) -> bool:
    """Pause every launch of a campaign and tell its client why, once; False if none dials any more."""
    campaign = Campaign.objects.select_related("client").get(pk=campaign_id)
    body = waiting.waiting_sentence(reason, facts=facts or {})
    tell = partial(_tell_paused, campaign, body, f"campaign.paused:{campaign_id}", now)
    paused = pause_campaign_by_system(  # each tells, and the key makes it one message
        client_id=client_id,
        campaign_id=campaign_id,
        reason=reason,
        facts=facts,
        now=now,
        within=tell,
    )
    return bool(paused)


def _tell_paused(campaign: Campaign, body: str, key: str, now: datetime) -> None:
    notify(
        client=campaign.client,
        level=Notification.Level.BAD,
        title=_("%(campaign)s was paused") % {"campaign": campaign.name},
        body=body,
        url=f"/app/campaigns/{campaign.pk}/",
        key=f"{key}:{now.isoformat()}",
        now=now,
    )


def _as_sent(attempt: Attempt) -> QuerySet[Attempt]:
    """Return the attempt's row while its latest sending is the one that `attempt` knows of."""
    return Attempt.objects.filter(
        pk=attempt.pk, status=Attempt.Status.DIALLING, sends_count=attempt.sends_count
    )


def _record_put_off(
    attempt: Attempt,
    error: ProviderError,
    *,
    due_at: datetime,
    waiting_reason: str,
    now: datetime,
) -> None:
    def block() -> None:
        # A write and not a look: it collides with whoever sends the attempt again.
        if _as_sent(attempt).update(error=str(error)[:400]):
            return_to_line(attempt=attempt, due_at=due_at, waiting_reason=waiting_reason, now=now)

    run_atomic(block)


def _record_refused(*, attempt: Attempt, error: Rejected, now: datetime) -> None:
    def block() -> None:
        refused = _as_sent(attempt).update(
            status=Attempt.Status.NOT_PLACED, error=error.message[:400], ended_at=now
        )
        if refused:
            void(attempt_id=attempt.pk, now=now)
            _after_refusal(attempt, error, now)

    run_atomic(block)
    finish_if_complete(batch_call_id=attempt.batch_call_id, now=now)


def _after_refusal(attempt: Attempt, error: Rejected, now: datetime) -> None:
    if isinstance(error, DoNotCall):
        suppress(
            level=Suppression.Level.CLIENT,
            client_id=attempt.client_id,
            campaign_id=None,
            phone_number=attempt.phone_number,
            source=Suppression.Source.API,
            reason=_("The voice platform holds this number as do-not-call."),
            actor=DISPATCHER,
            now=now,
        )
        _end(attempt, Status.SUPPRESSED, now)
    elif _BAD_DESTINATION.search(error.message) and not is_ours(error):
        # The number is wrong in every campaign, so the lead is told of too.
        if _end(attempt, Status.INVALID, now):
            record_summary(
                lead_id=attempt.lead_id,
                why=LeadStatusChange.Why.REFUSED,
                now=now,
                status=Lead.Status.INVALID,
            )
    else:
        return_to_line(attempt=attempt, due_at=now, waiting_reason="", now=now)
        halt_after(error, batch_call_id=attempt.batch_call_id, now=now)


def is_ours(error: Rejected) -> bool:
    """Tell whether the whole platform refuses us: the key, or what the agency pays."""
    return isinstance(error, Unauthorised | PaymentRequired)


def halt_after(error: Rejected, *, batch_call_id: UUID, now: datetime) -> None:
    """Pause what a refusal concerns: every launch, or the one whose request was refused."""
    if is_ours(error):
        is_key = isinstance(error, Unauthorised)
        halt_everything(reason=waiting.PAUSED_KEY if is_key else waiting.PAUSED_PAYMENT, now=now)
        return
    halt_launch(
        batch_call_id=batch_call_id,
        reason=waiting.PAUSED_REFUSED,
        detail=error.message,
        now=now,
    )


def _end(attempt: Attempt, status: str, now: datetime) -> bool:
    return move_enrolment(
        enrolment_id=attempt.enrolment_id,
        from_statuses=(Status.DIALLING,),
        to_status=status,
        now=now,
        guards={"attempt_number": attempt.number},
        last_outcome="not_placed",
    )
