"""May a test call be made: the decision of every dial, but for consent and the campaign's own hours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from campaigns.dialling.candidates import dial_policy, load_candidates
from campaigns.dialling.windows import Hours
from campaigns.models import BatchCall, Enrolment
from campaigns.rules import DialWindow, decide
from convomono.lib.phone import time_zones
from leads.models import Lead

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.dialling.candidates import Candidate
    from campaigns.models import Campaign
    from campaigns.rules import Decision
    from convomono.lib.phone import ParsedNumber

_ALL_DAY: Final = Hours(frozenset(range(7)), 0, 24 * 60)


def trial_candidate(*, campaign: Campaign, number: ParsedNumber, now: datetime) -> Candidate:
    """Read what is known of a person to whom a test call is made."""
    lead = Lead.objects.filter(client_id=campaign.client_id, phone_number=number.e164).first()
    person = lead or Lead(
        client_id=campaign.client_id,
        phone_number=number.e164,
        country=number.country,
        zone_candidates=list(time_zones(number.e164)),
    )
    asked = Enrolment(
        client_id=campaign.client_id,
        campaign=campaign,
        lead=person,
        phone_number=number.e164,
        zones=person.zones,
        next_attempt_at=now,
    )
    launch = BatchCall(client_id=campaign.client_id, campaign=campaign)
    (candidate,) = load_candidates(batch_call=launch, enrolments=[asked], now=now)
    return candidate


def trial_decision(*, candidate: Candidate, is_sandbox: bool, now: datetime) -> Decision:
    """Decide as the dispatcher would, but with the consent of whoever asks and at any of our own hours."""
    return decide(
        facts=replace(candidate.facts, has_consent=True, attempts_count=0),
        policy=dial_policy(candidate.batch_call),
        window=DialWindow(hours=_ALL_DAY, is_any_hour=is_sandbox),
        rules=candidate.rules,
        is_sandbox=is_sandbox,
        now=now,
    )
