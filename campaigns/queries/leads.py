"""The leads of a campaign, and one lead with all its attempts and why each was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from campaigns.dialling.wording import Reason, inputs, reasons
from campaigns.models import Attempt, Enrolment
from campaigns.rules import waiting_sentence
from convomono.lib.display import brief_instant
from leads.models import Consent, Lead
from leads.services import suppressed_numbers
from telephony.models import Call

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from campaigns.models import Campaign

MOST_ROWS = 50


def enrolment_list(
    campaign: Campaign, *, status: str = "", search: str = "", launched: str = ""
) -> QuerySet[Enrolment]:
    """Return a campaign's leads; `launched` "no" keeps those that wait for a launch."""
    rows = Enrolment.objects.filter(client_id=campaign.client_id, campaign=campaign)
    if status:
        rows = rows.filter(status=status)
    if launched == "no":
        rows = rows.filter(batch_call=None)
    elif launched == "yes":
        rows = rows.exclude(batch_call=None)
    if search:
        rows = rows.filter(lead__search_text__contains=search.casefold())
    return rows.select_related("lead").order_by("-last_attempted_at", "pk")


@dataclass(frozen=True)
class EnrolmentRow:
    """A lead in a campaign, with the sentence on what it waits for."""

    enrolment: Enrolment
    sentence: str


def with_sentences(enrolments: list[Enrolment]) -> list[EnrolmentRow]:
    """Say for each lead what it waits for; no query."""
    return [EnrolmentRow(row, _sentence(row)) for row in enrolments]


def _sentence(row: Enrolment) -> str:
    if row.status != Enrolment.Status.QUEUED or not row.waiting_reason:
        return ""
    return waiting_sentence(row.waiting_reason, until=brief_instant(row.next_attempt_at), facts={})


@dataclass(frozen=True)
class AttemptRow:
    """One try, with the decision that allowed or denied it and the call it became."""

    attempt: Attempt
    call: Call | None
    verdict: str
    reasons: list[Reason]
    inputs: list[tuple[str, str]]


@dataclass(frozen=True)
class LeadPage:
    """One lead: everything done with it, newest first."""

    lead: Lead
    enrolments: list[EnrolmentRow]
    attempts: list[AttemptRow]
    consents: list[Consent]
    other_calls: list[Call]
    suppressed_on: str


def lead_page(lead: Lead) -> LeadPage:
    """Read a lead's history; five queries."""
    enrolments = list(
        Enrolment.objects.filter(lead=lead).select_related("campaign").order_by("-created_at", "pk")
    )
    attempts = list(
        Attempt.objects.filter(
            client_id=lead.client_id, enrolment_id__in=[row.pk for row in enrolments]
        ).order_by("-created_at", "-pk")[:MOST_ROWS]
    )
    calls = list(
        Call.objects.filter(client_id=lead.client_id, lead_id=lead.pk).order_by(
            "-created_at", "-pk"
        )[:MOST_ROWS]
    )
    by_attempt = {call.attempt_id: call for call in calls if call.attempt_id}
    known = {row.pk for row in attempts}
    listed = suppressed_numbers(
        client_id=lead.client_id, campaign_id=None, phone_numbers=[lead.phone_number]
    )
    return LeadPage(
        lead=lead,
        enrolments=with_sentences(enrolments),
        attempts=[_attempt_row(row, by_attempt.get(row.pk)) for row in attempts],
        consents=list(
            Consent.objects.filter(client_id=lead.client_id, lead=lead).order_by("-given_at", "pk")
        ),
        other_calls=[call for call in calls if call.attempt_id not in known],
        suppressed_on=str(listed.get(lead.phone_number, "")),
    )


def _attempt_row(attempt: Attempt, call: Call | None) -> AttemptRow:
    decision: dict[str, Any] = attempt.decision
    return AttemptRow(
        attempt=attempt,
        call=call,
        verdict=str(decision.get("verdict", "")),
        reasons=reasons(decision),
        inputs=inputs(decision),
    )
