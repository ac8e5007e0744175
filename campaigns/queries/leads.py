"""The leads of a campaign, and one lead with all its attempts and why each was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from campaigns import script
from campaigns.dialling.windows import local_time
from campaigns.dialling.wording import Reason, inputs, reasons
from campaigns.how_far import HOW_FAR
from campaigns.models import Attempt, Enrolment, FollowUp
from campaigns.queries.lead_sentences import lead_sentence
from campaigns.queries.lead_statuses import StatusHistory, status_history
from campaigns.queries.leads_history import Line, history
from campaigns.queries.new_leads import new_leads_sentences
from campaigns.services.variables import rules_of
from campaigns.variables import said_values
from convomono.lib.pages import keyset_page
from leads.models import Consent, Lead, LeadNote
from leads.services import listed_among, numbers_of, suppressed_numbers
from leads.services.scoring import weighing_of
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.models import Campaign
    from campaigns.variables import VariableRule
    from convomono.lib.pages import KeysetPage
    from leads.scoring import Score

MOST_ROWS = 50
# Whoever was called last comes first, then those nobody has called yet.
ENROLMENT_ORDER = ("-last_attempted_at", "pk")


def enrolment_list(
    campaign: Campaign,
    *,
    status: str = "",
    search: str = "",
    launched: str = "",
    far: str = "",
) -> QuerySet[Enrolment]:
    """Return a campaign's leads; `launched` "no" keeps those that wait for a launch, `far` those of HOW_FAR."""
    rows = Enrolment.objects.filter(client_id=campaign.client_id, campaign=campaign)
    if status:
        rows = rows.filter(status=status)
    if launched == "no":
        rows = rows.filter(batch_call=None)
    elif launched == "yes":
        rows = rows.exclude(batch_call=None)
    if far:
        rows = rows.filter(HOW_FAR[far][1])
    if search:
        rows = rows.filter(lead__search_text__contains=search.casefold())
    return rows.order_by(*ENROLMENT_ORDER)


def enrolment_page(rows: QuerySet[Enrolment], *, token: str | None) -> KeysetPage[Enrolment]:
    """Return a page of these, each with its lead and launch; three queries at most."""
    whole = Enrolment.objects.select_related("lead", "batch_call")
    return keyset_page(rows, order=ENROLMENT_ORDER, token=token, read_from=whole)


@dataclass(frozen=True)
class EnrolmentRow:
    """A lead in a campaign, with the sentence on what it waits for."""

    enrolment: Enrolment
    sentence: str


def with_sentences(enrolments: list[Enrolment], *, now: datetime) -> list[EnrolmentRow]:
    """Say for each lead of one client what it waits for; two queries if somebody is in no launch."""
    told = _new_leads(enrolments, now)
    return [
        EnrolmentRow(row, lead_sentence(row, now=now, new_leads=told.get(row.campaign_id, "")))
        for row in enrolments
    ]


def _new_leads(enrolments: Sequence[Enrolment], now: datetime) -> dict[UUID, str]:
    waiting = [row for row in enrolments if row.batch_call_id is None]
    if not waiting:
        return {}
    campaigns = {row.campaign_id for row in waiting}
    return new_leads_sentences(waiting[0].client_id, campaigns, now=now)


@dataclass(frozen=True)
class AttemptRow:
    """One try, with the decision that allowed or denied it and the call it became."""

    attempt: Attempt
    call: Call | None
    verdict: str
    reasons: list[Reason]
    inputs: list[tuple[str, str]]


@dataclass(frozen=True)
class NextCall:
    """When a lead is called next in a campaign, and why then; the script as it will be said."""

    enrolment: Enrolment
    sentence: str
    reasons: list[Reason]
    opening: str
    script: str


@dataclass(frozen=True)
class LeadPage:
    """One lead: everything done with it, newest first."""

    lead: Lead
    enrolments: list[EnrolmentRow]
    attempts: list[AttemptRow]
    consents: list[Consent]
    other_calls: list[Call]
    suppressed_on: str
    listed_other: str  # a further number that is on a list while the first one isn't
    next_calls: list[NextCall]
    follow_ups: list[FollowUp]
    notes: list[LeadNote]
    history: list[Line]
    statuses: StatusHistory
    local_times: list[tuple[str, str]]
    score: Score


def lead_page(lead: Lead, *, now: datetime) -> LeadPage:
    """Read a lead's history; a constant number of queries."""
    enrolments = list(
        Enrolment.objects.filter(lead=lead)
        .select_related("campaign", "batch_call")
        .order_by("-created_at", "pk")
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
    numbers = numbers_of(lead)
    on_lists = suppressed_numbers(client_id=lead.client_id, campaign_id=None, phone_numbers=numbers)
    others = listed_among(numbers[1:], on_lists)
    own_level = str(on_lists.get(lead.phone_number, ""))
    own = {"client_id": lead.client_id, "lead": lead}
    consents = list(
        Consent.objects.filter(**own).select_related("lead_import").order_by("-given_at", "pk")
    )
    notes = list(LeadNote.objects.filter(**own).order_by("-created_at", "-pk")[:MOST_ROWS])
    follow_ups = list(
        FollowUp.objects.filter(**own).select_related("assignee").order_by("-due_at")[:MOST_ROWS]
    )
    rules = rules_of(row.campaign_id for row in enrolments)
    rows = with_sentences(enrolments, now=now)
    return LeadPage(
        lead=lead,
        enrolments=rows,
        attempts=[_attempt_row(row, by_attempt.get(row.pk)) for row in attempts],
        consents=consents,
        other_calls=[call for call in calls if call.attempt_id not in known],
        suppressed_on=own_level,
        listed_other=others.phone_number if others and not own_level else "",
        next_calls=[_next_call(one, lead, rules[one.enrolment.campaign_id], now) for one in rows],
        follow_ups=[row for row in follow_ups if row.status == FollowUp.Status.OPEN],
        notes=notes,
        history=history(
            lead=lead,
            enrolments=enrolments,
            attempts=attempts,
            calls=calls,
            consents=consents,
            notes=notes,
            follow_ups=follow_ups,
        ),
        statuses=status_history(lead),
        local_times=[(zone.replace("_", " "), local_time(zone, now)) for zone in lead.zones],
        score=weighing_of(lead.client_id).score(lead),
    )


def _next_call(
    told: EnrolmentRow, lead: Lead, rules: Sequence[VariableRule], now: datetime
) -> NextCall:
    row = told.enrolment
    values = said_values(rules, own=script.lead_values(lead), given=row.dynamic_vars)
    waits = row.status == Enrolment.Status.QUEUED
    deferred = waits and row.next_attempt_at > now and row.decision.get("verdict") == "defer"
    return NextCall(
        enrolment=row,
        sentence=told.sentence,
        reasons=reasons(row.decision) if deferred else [],
        opening=script.render(row.campaign.opening_line, values),
        script=script.render(row.campaign.script_raw, values),
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
