"""Sends a test call, once, and finds out what became of one whose answer was lost."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Client
from billing.services import HoldResolved, hold, keep_holds, void
from campaigns.dialling.gates import GateClosed, pass_gates
from campaigns.dialling.placing import Overtaken, take_turn
from campaigns.dialling.wording import reasons
from campaigns.models import TrialCall
from campaigns.rules import Verdict
from campaigns.services.trial_deciding import trial_candidate, trial_decision
from convomono.lib import live
from convomono.lib.db import IntegrityError, run_atomic
from convomono.lib.phone import parse_number
from leads.services import suppressed_numbers
from telephony.models import Call
from telephony.provider import ProviderError, RateLimited, Rejected, Unavailable
from telephony.services import PlacedAttempt, record_placed_call

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from campaigns.dialling.candidates import Candidate
    from campaigns.dialling.sending import Gateway

# Whoever sends answers within the SDK's time; after that the platform's list tells.
LOST_AFTER: Final = timedelta(minutes=2)
GIVE_UP: Final = timedelta(minutes=15)
AT_ONCE: Final = 50
_TRIES: Final = 3
_Status = TrialCall.Status


class _Forbidden(Exception):
    """Since it was asked for the client was stopped, or the number was put on a list."""


def send_trial_call(
    *,
    trial_id: UUID,
    gateway: Gateway,
    explain: Callable[[ProviderError], str],
    stopped: str,
    is_sandbox: bool,
    now: datetime,
) -> bool:
    """
    Dial a test call that waits; False if it was sent or given up before.

    `explain` puts a refusal into words for whoever asked, `stopped` says that calling was stopped
    meanwhile. Twice is once: the row is taken by compare-and-set before the network, under the gates
    that every dial passes, and decided on again: hours may have closed, or somebody called the person.
    """
    trial = TrialCall.objects.filter(pk=trial_id, status=_Status.QUEUED).first()
    if trial is None:
        return False
    if not _take_when_allowed(trial, stopped=stopped, is_sandbox=is_sandbox, now=now):
        return False
    try:
        placed = gateway.create_phone_call(**trial.request)
    except ProviderError as error:
        if isinstance(error, Rejected | RateLimited | Unavailable):
            _refuse(trial, explain(error), now)
        else:  # the phone may be ringing: the hold stays, nobody dials again
            TrialCall.objects.filter(pk=trial.pk, status=_Status.DIALLING).update(
                status=_Status.UNKNOWN, error=str(error)[:400]
            )
        return True
    record_trial_placed(trial=trial, provider_call_id=placed.call_id, now=now)
    return True


def record_trial_placed(*, trial: TrialCall, provider_call_id: str, now: datetime) -> Call:
    """Note that a test call rings; its first event may have told so before. Twice is once."""

    def block() -> Call:
        call = record_placed_call(
            provider_call_id=provider_call_id, attempt=_placed(trial), now=now
        )
        known = Q(status__in=(_Status.DIALLING, _Status.UNKNOWN)) | Q(call_id=None)
        TrialCall.objects.filter(known, pk=trial.pk).update(
            status=_Status.PLACED, call_id=call.pk, error=""
        )
        # The platform is asked about a silent call by when we heard of it, which may be long after its sending.
        keep_holds(attempt_ids=[trial.pk], max_call_seconds=_longest_seconds(trial), now=now)
        live.changed(client_id=trial.client_id)
        return call

    try:
        return run_atomic(block)
    except IntegrityError:
        return run_atomic(block)  # an event that overtook us has made the call meanwhile


def adopt_trial(*, attempt_id: UUID, provider_call_id: str, now: datetime) -> bool:
    """Record the call of an event that overtook the answer to a test call, in the caller's transaction."""
    trial = TrialCall.objects.filter(pk=attempt_id).first()
    if trial is None or Call.objects.filter(attempt_id=attempt_id).exists():
        return False
    call = record_placed_call(provider_call_id=provider_call_id, attempt=_placed(trial), now=now)
    TrialCall.objects.filter(pk=trial.pk).update(status=_Status.PLACED, call_id=call.pk, error="")
    return True


def unsettled_trials(*, now: datetime) -> list[TrialCall]:
    """Return test calls that wait too long, or of which nobody knows whether they ring, oldest first."""
    rows = TrialCall.objects.filter(
        status__in=(_Status.QUEUED, _Status.DIALLING, _Status.UNKNOWN),
        created_at__lte=now - LOST_AFTER,
    )
    return list(rows.order_by("created_at", "pk")[:AT_ONCE])


def settle_trial(*, trial: TrialCall, gateway: Gateway, gone: str, now: datetime) -> bool:
    """
    Ask the platform for a test call whose answer was lost; tell whether it is settled now.

    Listed: it was placed. Not listed a quarter of an hour after it was sent: it never was, its
    seconds go back, and `gone` says so. One that waits in vain for a worker is given up too.

    :raises ProviderError: if the platform can't be asked
    """
    if trial.status == _Status.QUEUED:
        return now - trial.created_at >= GIVE_UP and _refuse(trial, gone, now)
    page = gateway.list_calls(attempt_id=str(trial.pk))
    if page.calls:
        record_trial_placed(trial=trial, provider_call_id=page.calls[0].call_id, now=now)
        return True
    return now - (trial.sent_at or trial.created_at) >= GIVE_UP and _refuse(trial, gone, now)


def _take_when_allowed(trial: TrialCall, *, stopped: str, is_sandbox: bool, now: datetime) -> bool:
    """Decide at this instant and take the call; if it may not be made now, refuse it and say why."""
    number = parse_number(trial.phone_number)
    for _time in range(_TRIES):
        candidate = trial_candidate(campaign=trial.campaign, number=number, now=now)
        decision = trial_decision(candidate=candidate, is_sandbox=is_sandbox, now=now)
        if decision.verdict != Verdict.ALLOW:
            sentences = " ".join(one.sentence for one in reasons(decision.as_json()))
            _refuse(trial, sentences if decision.verdict == Verdict.DEFER else stopped, now)
            return False
        try:
            return run_atomic(partial(_take, trial, candidate, now))
        except (_Forbidden, GateClosed):
            _refuse(trial, stopped, now)
            return False
        except HoldResolved:
            _refuse(
                trial,
                _("It waited too long, so its minutes were given back. Ask for it again."),
                now,
            )
            return False
        except (Overtaken, IntegrityError):
            continue  # somebody has just dialled the person, or made the first gate: look again
    return False


def _take(trial: TrialCall, candidate: Candidate, now: datetime) -> bool:
    is_active = Client.objects.filter(pk=trial.client_id, status=Client.Status.ACTIVE).exists()
    listed = suppressed_numbers(
        client_id=trial.client_id,
        campaign_id=trial.campaign_id,
        phone_numbers=[trial.phone_number],
    )
    if listed or not is_active:
        raise _Forbidden
    pass_gates(client_id=trial.client_id, now=now)
    rows = TrialCall.objects.filter(pk=trial.pk, status=_Status.QUEUED)
    taken = rows.update(status=_Status.DIALLING, sent_at=now)
    if taken:
        take_turn(candidate, attempt_id=trial.pk, now=now)
        # Its seconds are still set aside, and from now on as long as this call may last.
        hold(
            attempt_id=trial.pk,
            batch_call_id=trial.pk,
            max_call_seconds=_longest_seconds(trial),
            now=now,
        )
    return bool(taken)


def _longest_seconds(trial: TrialCall) -> int:
    longest: int = trial.request["max_call_duration_ms"] // 1000
    return longest


def _refuse(trial: TrialCall, sentence: str, now: datetime) -> bool:
    """End a test call that certainly doesn't ring, and give its seconds back."""

    def block() -> bool:
        rows = TrialCall.objects.filter(pk=trial.pk, call_id=None).exclude(status=_Status.REFUSED)
        ended = rows.update(status=_Status.REFUSED, error=sentence[:400])
        if ended:
            void(attempt_id=trial.pk, now=now)
            live.changed(client_id=trial.client_id)
        return bool(ended)

    return run_atomic(block)


def _placed(trial: TrialCall) -> PlacedAttempt:
    return PlacedAttempt(
        client_id=trial.client_id,
        campaign_id=trial.campaign_id,
        batch_call_id=None,
        enrolment_id=None,
        attempt_id=trial.pk,
        lead_id=None,
        agent_id=trial.request["agent_id"],
        agent_version=trial.request["agent_version"],
        from_number=trial.from_number,
        to_number=trial.phone_number,
        is_test=True,
    )
