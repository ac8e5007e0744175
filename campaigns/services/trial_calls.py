"""A test call: asked for with its seconds held, sent once, and settled like any other call."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from audit import actions
from audit.services import record
from billing.ledger import Overtaken
from billing.rules import least_hold
from billing.services import close_reservation, current_rate, hold, reserve
from campaigns import trial_jobs
from campaigns.dialling.numbers import number_pool
from campaigns.dialling.wording import reasons
from campaigns.models import TrialCall
from campaigns.rules import Verdict
from campaigns.services.trial_deciding import trial_candidate, trial_decision
from campaigns.settings_schema import max_call_seconds, with_defaults
from convomono.lib.db import IntegrityError, run_atomic
from convomono.lib.ids import uuid7
from convomono.lib.jobs import enqueue
from telephony.services import touch_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from accounts.models import User
    from campaigns.dialling.wording import Reason
    from campaigns.models import Campaign, CampaignVersion
    from convomono.lib.phone import ParsedNumber

MOST_SECONDS: Final = 300
MOST_A_DAY: Final = 20
_TRIES: Final = 3


class TrialRefused(Exception):
    """The number may not be called now; `reasons` are the sentences of the rules that say so."""

    def __init__(self, found: list[Reason]) -> None:
        super().__init__(found)
        self.reasons = found


class TooManyTrials(Exception):
    """The client made twenty test calls within a day."""


class NoCallerNumber(Exception):
    """No number of the client may be called from just now; `code` is the waiting code that says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def ask_trial_call(
    *,
    campaign: Campaign,
    version: CampaignVersion,
    number: ParsedNumber,
    variables: Mapping[str, str],
    key: UUID,
    is_sandbox: bool,
    actor: User,
    now: datetime,
) -> TrialCall:
    """
    Set the seconds of one test call aside and have a worker make it; the same `key` again is the same call.

    The number passes the decision of every dial but two points: consent, which whoever asks gives for
    a phone of their own, and the campaign's own hours; the law's hours hold.

    :raises TrialRefused: if the number may not be called now
    :raises TooManyTrials: after twenty within a day
    :raises NoCallerNumber: if none of the client's numbers may be used
    :raises InsufficientCredits: if too few minutes are available
    """
    if known := TrialCall.objects.filter(client_id=campaign.client_id, key=key).first():
        return known
    candidate = trial_candidate(campaign=campaign, number=number, now=now)
    decision = trial_decision(candidate=candidate, is_sandbox=is_sandbox, now=now)
    if decision.verdict != Verdict.ALLOW:
        raise TrialRefused(reasons(decision.as_json()))
    mine = TrialCall.objects.filter(client_id=campaign.client_id)
    if mine.filter(created_at__gt=now - timedelta(days=1)).count() >= MOST_A_DAY:
        raise TooManyTrials
    pool = number_pool(client_id=campaign.client_id, now=now, only=campaign.caller_numbers)
    from_number = pool.choose(near=number.e164)
    if from_number is None:
        raise NoCallerNumber(pool.code)
    trial = TrialCall(
        id=uuid7(),
        client_id=campaign.client_id,
        campaign=campaign,
        version_id=version.pk,
        key=key,
        phone_number=number.e164,
        from_number=from_number,
        decision=decision.as_json(),
        asked_by_email=actor.email,
        created_at=now,
    )
    for _time in range(_TRIES):
        try:
            run_atomic(lambda: _write(trial, version, variables, actor, now))
        except (IntegrityError, Overtaken):
            # The form was sent twice at once; or somebody else moved the wallet in between.
            if known := TrialCall.objects.filter(client_id=campaign.client_id, key=key).first():
                return known
        else:
            return trial
    raise Overtaken


def _write(
    trial: TrialCall,
    version: CampaignVersion,
    variables: Mapping[str, str],
    actor: User,
    now: datetime,
) -> None:
    """Write the call and hold its seconds, or neither."""
    seconds = min(max_call_seconds(version.settings), MOST_SECONDS)
    terms = current_rate(client=trial.client, now=now).terms
    reserve(
        client_id=trial.client_id,
        batch_call_id=trial.pk,
        campaign_id=trial.campaign_id,
        # A price may bill its shortest call longer than this one may last.
        seconds=max(seconds, least_hold(terms=terms)),
        label=f"Test call: {trial.campaign.name}",
        actor=actor,
        now=now,
    )
    held = hold(attempt_id=trial.pk, batch_call_id=trial.pk, max_call_seconds=seconds, now=now)
    # One call and no more: what it doesn't need goes back when it is settled.
    close_reservation(batch_call_id=trial.pk, now=now)
    trial.held_seconds = held.seconds
    trial.request = _request(trial, version, variables)
    trial.save(force_insert=True)
    touch_number(phone_number=trial.from_number, now=now)
    details = {
        "number_ends": trial.phone_number[-4:],
        "version": version.number,
        "seconds": held.seconds,
    }
    record(actions.TRIAL_CALL_ASKED, resource=trial.campaign, actor=actor, now=now, details=details)
    enqueue(trial_jobs.send_trial_call, queue="calls", trial_id=str(trial.pk))


def _request(
    trial: TrialCall, version: CampaignVersion, variables: Mapping[str, str]
) -> dict[str, object]:
    settings = with_defaults(version.settings)
    return {
        "idempotency_key": str(trial.pk),
        "from_number": trial.from_number,
        "to_number": trial.phone_number,
        "agent_id": version.provider_agent_id,
        "agent_version": version.provider_agent_version,
        "dynamic_variables": dict(variables),
        "metadata": {
            "attempt_id": str(trial.pk),
            "campaign_id": str(trial.campaign_id),
            "client_id": str(trial.client_id),
        },
        # A call never outlives what was set aside for it.
        "max_call_duration_ms": min(settings["max_call_duration_ms"], trial.held_seconds * 1000),
        "ring_duration_ms": settings["ring_duration_ms"],
    }
