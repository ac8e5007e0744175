"""May we call this number, and why: asked of the very function that decides each dial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns.dialling.candidates import load_candidates
from campaigns.dialling.wording import Reason, inputs, reasons
from campaigns.models import Attempt, BatchCall, Campaign, Enrolment
from convomono.lib.display import brief_instant
from convomono.lib.keys import beside
from convomono.lib.phone import time_zones
from leads.models import Consent, Lead, Suppression
from leads.services import suppressed_numbers
from leads.services.suppressions import hashed_numbers

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client
    from convomono.lib.phone import ParsedNumber

MOST_CAMPAIGNS = 10
FEW_CAMPAIGNS = 3  # of those it is in none of
MOST_ATTEMPTS = 20


@dataclass(frozen=True)
class Answer:
    """What the decision for one campaign would be now; `until` is when a deferral ends."""

    campaign: Campaign
    is_enrolled: bool
    verdict: str
    reasons: list[Reason]
    inputs: list[tuple[str, str]]
    until: str


@dataclass(frozen=True)
class Tried:
    """One attempt to this number by this client, with why it was made or denied."""

    attempt: Attempt
    verdict: str
    reasons: list[Reason]


@dataclass(frozen=True)
class NumberCheck:
    """Everything that decides about a number, for one client; the agency's list is only named."""

    phone_number: str
    lead: Lead | None
    answers: list[Answer]
    is_listed: bool
    was_erased: bool
    entries: list[Suppression]
    consents: list[Consent]
    attempts: list[Tried]


def check_number(
    *, client: Client, number: ParsedNumber, is_sandbox: bool, now: datetime
) -> NumberCheck:
    """
    Decide as the dispatcher would for each campaign that the number is in, else for the newest.

    A number that is no lead is decided on as a lead without consent.
    """
    lead = Lead.objects.filter(client=client, phone_number=number.e164).first()
    enrolled = _enrolments(lead)
    campaigns = _campaigns(client, enrolled)
    answers = [
        _answer(campaign, enrolled.get(campaign.pk), lead, number, client, is_sandbox, now)
        for campaign in campaigns
    ]
    words = [number.e164, *hashed_numbers(number.e164)]
    entries = Suppression.objects.filter(beside(client_id=client.pk), phone_number__in=words)
    newest = list(entries.order_by("-created_at", "-pk"))
    attempts = Attempt.objects.filter(client_id=client.pk, phone_number=number.e164)
    of_lead = Consent.objects.filter(client_id=client.pk, lead=lead).select_related("lead_import")
    consents = of_lead if lead else []
    listed = suppressed_numbers(client_id=client.pk, campaign_id=None, phone_numbers=[number.e164])
    return NumberCheck(
        phone_number=number.e164,
        lead=lead,
        answers=answers,
        is_listed=bool(listed),
        was_erased=any(entry.is_erased for entry in newest),
        entries=newest,
        consents=sorted(consents, key=lambda one: one.given_at, reverse=True),
        attempts=[
            Tried(one, str(one.decision.get("verdict", "")), reasons(one.decision))
            for one in attempts.order_by("-created_at", "-pk")[:MOST_ATTEMPTS]
        ],
    )


def _enrolments(lead: Lead | None) -> dict[object, Enrolment]:
    if lead is None:
        return {}
    rows = Enrolment.objects.filter(lead=lead).select_related("lead")
    return {row.campaign_id: row for row in rows}


def _campaigns(client: Client, enrolled: dict[object, Enrolment]) -> list[Campaign]:
    rows = Campaign.objects.filter(client=client).exclude(status=Campaign.Status.ARCHIVED)
    rows = rows.select_related("retry_policy", "calling_window")
    mine = list(rows.filter(pk__in=list(enrolled)).order_by("-created_at", "-pk")[:MOST_CAMPAIGNS])
    return mine or list(rows.order_by("-created_at", "-pk")[:FEW_CAMPAIGNS])


def _answer(  # private
    campaign: Campaign,
    enrolment: Enrolment | None,
    lead: Lead | None,
    number: ParsedNumber,
    client: Client,
    is_sandbox: bool,
    now: datetime,
) -> Answer:
    person = lead or Lead(
        client=client,
        phone_number=number.e164,
        country=number.country,
        zone_candidates=list(time_zones(number.e164)),
    )
    asked = enrolment or Enrolment(
        client=client,
        campaign=campaign,
        lead=person,
        phone_number=number.e164,
        zones=person.zones,
        next_attempt_at=now,
    )
    # A launch that is never kept: the decision asks it for the campaign's policy and hours.
    batch_call = BatchCall(client=client, campaign=campaign)
    (candidate,) = load_candidates(batch_call=batch_call, enrolments=[asked], now=now)
    decision = candidate.decide(is_sandbox=is_sandbox, now=now)
    kept = decision.as_json()
    return Answer(
        campaign=campaign,
        is_enrolled=enrolment is not None,
        verdict=str(decision.verdict),
        reasons=reasons(kept),
        inputs=inputs(kept),
        until=brief_instant(decision.not_before),
    )
