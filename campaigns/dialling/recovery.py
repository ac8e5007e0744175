"""What is set right by itself: claims of a dead dispatcher, answers that were lost, attempts left over."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from django.db.models import Q

from accounts.models import Client
from billing.services import keep_holds, void
from campaigns.dialling.answers import record_lost, record_placed
from campaigns.dialling.placing import return_to_line, stand_down
from campaigns.enrolments import finish_if_complete, move_enrolment
from campaigns.models import Attempt, BatchCall, Enrolment
from convomono.lib.db import run_atomic

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from telephony.provider import CallPage

Status = Enrolment.Status
AT_ONCE = 50
# An attempt that was never taken is sent under its own key for so long, then let go.
KEEP = timedelta(minutes=10)
NOT_TAKEN = "It was not taken in time."
# A request that timed out may still be on its way: it is looked for so long after its sending.
FIRST_LOOK = timedelta(seconds=30)
# Retell keeps an idempotency key for an hour; after most of it nothing is sent under it any more.
RESEND_WITHIN = timedelta(minutes=50)
MOST_SENDS = 5
# A call that Retell doesn't list so long after its last sending was never placed.
GIVE_UP = timedelta(minutes=15)

type Settled = Literal["placed", "resend", "given_up", "wait"]


def recover_lost_claims(
    *, real_now: datetime, now: datetime, under_way: Collection[UUID] = ()
) -> int:
    """
    Take up leads whose dispatcher died between claiming and answering; return how many.

    What was never sent goes back into the line with its attempt, and is sent under its own key.
    What was sent is unknown. `under_way` are attempts this process is still waiting for.
    """
    lost = list(
        Enrolment.objects.filter(status=Status.DIALLING, lease_until__lt=real_now).order_by(
            "lease_until", "pk"
        )[:AT_ONCE]
    )
    newest = {
        row.enrolment_id: row
        for row in Attempt.objects.filter(enrolment_id__in=[one.pk for one in lost]).order_by(
            "number"
        )
    }
    recovered = 0
    for enrolment in lost:
        attempt = newest.get(enrolment.pk)
        if attempt is None or attempt.pk not in under_way:
            recovered += _recover(enrolment, attempt, now)
    return recovered


def _recover(enrolment: Enrolment, attempt: Attempt | None, now: datetime) -> bool:
    if attempt is not None and attempt.status == Attempt.Status.DIALLING and attempt.sends_count:
        record_lost(attempt=attempt, error="The dispatcher ended before the answer came.")
        return True
    # The lease is the guard: whoever claimed it anew has another one.
    return move_enrolment(
        enrolment_id=enrolment.pk,
        from_statuses=(Status.DIALLING,),
        to_status=Status.QUEUED,
        now=now,
        guards={"lease": enrolment.lease},
        next_attempt_at=now,
    )


def let_go_of_kept(*, now: datetime) -> int:
    """
    End attempts that wait for their sending too long, or whose lead isn't in line any more.

    They were never placed; their seconds are given back. Returns how many. What Retell has in a list
    is none of them.
    """
    waiting = Attempt.objects.filter(
        Q(handover_id=None) | Q(sends_count=0),
        status=Attempt.Status.DIALLING,
        enrolment__status__in=(Status.QUEUED, *_OVER),
    ).select_related("enrolment")
    done = 0
    for attempt in waiting.order_by("created_at", "pk")[:AT_ONCE]:
        if attempt.enrolment.status != Status.QUEUED or is_kept_too_long(attempt, now=now):
            stand_down(attempt=attempt, reason=NOT_TAKEN, now=now)
            done += 1
    return done


def is_kept_too_long(attempt: Attempt, *, now: datetime) -> bool:
    """Tell whether an attempt that was never taken is too old to be sent under its own key."""
    return attempt.created_at <= now - KEEP


_OVER = (Status.CANCELLED, Status.SUPPRESSED, Status.INVALID, Status.EXHAUSTED, Status.DONE)


def unknown_attempts(*, now: datetime) -> list[Attempt]:
    """Return attempts whose answer was lost long enough ago to look for them, oldest first."""
    found = Attempt.objects.filter(
        status=Attempt.Status.UNKNOWN, created_at__lte=now - FIRST_LOOK
    ).order_by("created_at", "pk")
    return [attempt for attempt in found[:AT_ONCE] if _since_sent(attempt, now) >= FIRST_LOOK]


def settle_unknown(*, attempt: Attempt, page: CallPage, now: datetime) -> Settled:
    """
    Decide on what Retell lists for an attempt whose answer was lost.

    Listed: it was placed. Not listed: it may be sent again under the same key while its launch
    runs; otherwise it is given up once a call would certainly be listed, and its seconds go back.
    """
    if page.calls:
        record_placed(attempt=attempt, provider_call_id=page.calls[0].call_id, now=now)
        # The platform is asked about a silent call by when we heard of it, which may be long after its sending.
        longest_ms: int = attempt.request["max_call_duration_ms"]
        keep_holds(attempt_ids=[attempt.pk], max_call_seconds=longest_ms // 1000, now=now)
        return "placed"
    age = now - attempt.created_at
    if age < RESEND_WITHIN and attempt.sends_count < MOST_SENDS and _runs(attempt):
        return "resend"
    if _since_sent(attempt, now) < GIVE_UP or not _give_up(attempt, now):
        return "wait"
    return "given_up"


def _since_sent(attempt: Attempt, now: datetime) -> timedelta:
    return now - (attempt.sent_at or attempt.created_at)


def _runs(attempt: Attempt) -> bool:
    return BatchCall.objects.filter(
        pk=attempt.batch_call_id,
        status=BatchCall.Status.RUNNING,
        client__status=Client.Status.ACTIVE,
    ).exists()


def _give_up(attempt: Attempt, now: datetime) -> bool:
    def block() -> bool:
        # Sent again since Retell was asked? Then its list says nothing of that sending.
        ended = Attempt.objects.filter(
            pk=attempt.pk, status=Attempt.Status.UNKNOWN, sends_count=attempt.sends_count
        ).update(status=Attempt.Status.NOT_PLACED, ended_at=now)
        if ended:
            void(attempt_id=attempt.pk, now=now)
            return_to_line(attempt=attempt, due_at=now, waiting_reason="", now=now)
        return bool(ended)

    ended = run_atomic(block)
    finish_if_complete(batch_call_id=attempt.batch_call_id, now=now)
    return ended
