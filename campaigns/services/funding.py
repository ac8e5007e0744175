"""A launch that runs dry takes more minutes where its client allows that, else pauses; a purchase resumes it."""

from __future__ import annotations

from functools import partial
from itertools import batched
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from audit.services import System
from billing.models import Wallet
from billing.rules import hold_seconds
from billing.services import (
    ReservationEnded,
    bought_since,
    extend_reservation,
    launches_with_a_call,
    reservation_terms,
    reserved_times,
)
from campaigns.dialling import waiting
from campaigns.forecast import profile_of, talk_load
from campaigns.models import BatchCall
from campaigns.services.steering import (
    DRY,
    BatchCallNotPaused,
    pause_by_system,
    resume_batch_call,
)
from campaigns.settings_schema import max_call_seconds
from telephony.models import Call

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor

FUNDING = System("funding")
HISTORY_CALLS = 2000
AT_ONCE = 100


def run_dry(*, batch_call: BatchCall, owes: bool, now: datetime) -> bool:
    """
    Set more minutes aside for a launch that used up its own, or pause it; tell whether it did either.

    It pauses once no call is in progress any more: what those don't use comes back to it.
    """
    wallet = Wallet.objects.filter(client_id=batch_call.client_id).first()
    if wallet and wallet.extends_launches and extend(batch_call=batch_call, actor=FUNDING, now=now):
        return True
    fresh = BatchCall.objects.get(pk=batch_call.pk)
    if fresh.dialling_count or fresh.in_call_count:
        return False
    reason = waiting.PAUSED_DEBT if owes else waiting.PAUSED_CREDIT
    tell = partial(_tell_dry, batch_call, now)
    return pause_by_system(batch_call_id=batch_call.pk, reason=reason, now=now, within=tell)


def _tell_dry(batch_call: BatchCall, now: datetime) -> None:
    notify(
        client=batch_call.client,
        level=Notification.Level.BAD,
        title=_("%(campaign)s paused: its minutes are used up") % {"campaign": batch_call.campaign},
        body=_("It goes on by itself once your agency has sold you more minutes."),
        url=f"/app/campaigns/{batch_call.campaign_id}/",
        # Once for each time that it was given minutes.
        key=f"dry:{batch_call.pk}:{reserved_times(batch_call_id=batch_call.pk)}",
        now=now,
    )


def extend(*, batch_call: BatchCall, actor: Actor, now: datetime) -> int:
    """
    Set aside what the rest of a launch is expected to take, at most what is available.

    Return how many seconds: 0 if too few are available for a call, or it has enough for one.
    """
    terms = reservation_terms(batch_call_id=batch_call.pk)
    if terms is None:
        return 0
    try:
        return extend_reservation(
            batch_call_id=batch_call.pk,
            seconds=_needed_seconds(batch_call, now)
            + hold_seconds(
                max_call_seconds=max_call_seconds(batch_call.version.settings), terms=terms
            ),
            actor=actor,
            now=now,
        )
    except ReservationEnded:
        return 0


def resume(*, batch_call: BatchCall, actor: Actor, now: datetime) -> None:
    """
    Resume a launch; who resumes one that ran dry agrees to set more minutes aside for it.

    :raises BatchCallNotPaused: if it is running or over
    """
    if batch_call.status == BatchCall.Status.PAUSED and batch_call.pause_reason in DRY:
        extend(batch_call=batch_call, actor=actor, now=now)
    resume_batch_call(batch_call=batch_call, actor=actor, now=now)


def resume_funded(*, now: datetime) -> int:
    """
    Resume launches that ran dry and whose clients have bought minutes since; return how many.

    Those of a client who allows it take whatever becomes available. Twice is once.
    """
    dry = BatchCall.objects.filter(status=BatchCall.Status.PAUSED, pause_reason__in=DRY)
    waiting_ones = list(dry.order_by("paused_at", "pk").values_list("pk", flat=True))
    done = 0
    # All of them: clients who never pay keep nobody behind them waiting.
    for some in batched(waiting_ones, AT_ONCE):
        rows = list(
            dry.filter(pk__in=some)
            .select_related("client__wallet", "version", "campaign__retry_policy")
            .order_by("paused_at", "pk")
        )
        has_some = launches_with_a_call(batch_call_ids=[row.pk for row in rows])
        done += sum(_resume_if_funded(row, row.pk in has_some, now) for row in rows)
    return done


def _resume_if_funded(batch_call: BatchCall, has_some: bool, now: datetime) -> bool:
    # Calls in progress may have given back what they had not used.
    if not (has_some or _takes_more(batch_call, now)):
        return False
    try:
        resume_batch_call(batch_call=batch_call, actor=FUNDING, now=now, reasons=DRY)
    except BatchCallNotPaused:  # somebody was quicker, or stopped it
        return False
    return True


def _takes_more(batch_call: BatchCall, now: datetime) -> bool:
    wallet = Wallet.of(batch_call.client)
    if wallet.debt_seconds or not wallet.available_seconds:
        return False
    since = batch_call.paused_at or now
    if not (wallet.extends_launches or bought_since(client_id=batch_call.client_id, since=since)):
        return False
    return extend(batch_call=batch_call, actor=FUNDING, now=now) > 0


def _needed_seconds(batch_call: BatchCall, now: datetime) -> int:
    calls = Call.objects.filter(client_id=batch_call.client_id).order_by("-created_at", "-pk")
    tries = batch_call.campaign.retry_policy.max_attempts
    load = talk_load(
        leads_by_tries={tries: batch_call.in_progress_count},
        profile=profile_of(calls.values_list("outcome_class", "duration_ms")[:HISTORY_CALLS]),
    )
    return load.seconds_high
