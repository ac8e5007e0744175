"""Lists of calls, and one call with everything that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils.translation import gettext as _

from billing.models import Transaction
from billing.sentences import charge_sentence
from campaigns.dialling.wording import inputs, reasons
from campaigns.models import Attempt, Campaign, CampaignVersion, TrialCall
from campaigns.queries.call_words import (
    disclosure_sentence,
    latency_sentence,
    transfer_sentence,
)
from campaigns.queries.live import CallRow, call_rows
from campaigns.queries.transcripts import loose_passages, script_of
from campaigns.settings_schema import with_defaults
from leads.models import Lead
from leads.services import suppressed_numbers
from telephony.corrections import corrections_meaning
from telephony.disclosure import GIVEN, MISSES, misses_with
from telephony.models import Call, CallDetail, CallLookup

if TYPE_CHECKING:
    from datetime import date, tzinfo
    from uuid import UUID

    from django.db.models import Model, QuerySet

    from campaigns.dialling.wording import Reason
    from campaigns.queries.transcripts import Done, Turn

MOST_OTHERS = 10
NEWEST_FIRST = ("-created_at", "-pk")


@dataclass(frozen=True)
class CallFilter:
    """What somebody asked for; empty means all."""

    outcome: str = ""
    status: str = ""
    campaign_id: UUID | None = None
    since: date | None = None
    until: date | None = None
    number: str = ""
    version: int | None = None  # of the campaign
    opening: str = ""  # "given", "missed", or the notice that was left out


def call_list(calls: QuerySet[Call], asked: CallFilter, *, zone: tzinfo) -> QuerySet[Call]:
    """
    Return calls newest first, without transcripts; days are those of the zone.

    Of those in progress who has been on the line longest comes first: new ones are added behind, so
    that pages stay as they were.
    """
    exact = {
        "status": asked.status,
        "campaign_id": asked.campaign_id,
    }
    rows = calls.filter(**{name: value for name, value in exact.items() if value})
    if asked.outcome:
        rows = rows.filter(_came_to(asked.outcome))
    if asked.opening:
        rows = rows.filter(
            _came_to(Call.OutcomeClass.HUMAN), disclosure__in=_openings(asked.opening)
        )
    if asked.campaign_id and asked.version:
        rows = rows.filter(**_spoken_by(asked.campaign_id, asked.version))
    if asked.since:
        rows = rows.filter(created_at__gte=_midnight(asked.since, zone))
    if asked.until:
        rows = rows.filter(created_at__lt=_midnight(asked.until + timedelta(days=1), zone))
    if digits := "".join(char for char in asked.number if char.isdigit()):
        rows = rows.filter(to_number__contains=digits)
    return rows.order_by(*(("created_at", "pk") if asked.status in Call.LIVE else NEWEST_FIRST))


def _came_to(outcome: str) -> Q:
    corrected = Q(corrected_outcome__in=corrections_meaning(outcome))
    return corrected | Q(corrected_outcome="", outcome_class=outcome)


def _openings(asked: str) -> tuple[str, ...]:
    """Return what calls keep whose opening was so."""
    if asked == GIVEN:
        return (GIVEN,)
    return MISSES if asked == "missed" else misses_with(asked)


def _spoken_by(campaign_id: UUID, version: int) -> dict[str, Any]:
    """Return what calls of a version have in common: its agent at Retell, as published then."""
    found = CampaignVersion.objects.filter(campaign_id=campaign_id, number=version).first()
    if found is None:
        return {"pk": None}
    return {
        "agent_id": found.provider_agent_id,
        "agent_version": found.provider_agent_version,
    }


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone)


@dataclass(frozen=True)
class Moment:
    """One line of a call's time line."""

    title: str
    at: datetime
    text: str = ""
    icon: str = ""
    tone: str = ""
    offset: str = ""


@dataclass(frozen=True)
class Answer:
    """One thing the analysis read out of the call."""

    name: str
    value: str


@dataclass(frozen=True)
class CallPage:
    """
    One call; `detail` is empty until the first event with a transcript.

    `version` is the campaign's that spoke. `passages` were looked up and belong to no line of `turns`;
    `lookup` tells whether the others are known yet.
    """

    call: Call
    detail: CallDetail | None
    campaign: Campaign | None
    lead: Lead | None
    attempt: Attempt | None
    version: CampaignVersion | None
    reasons: list[Reason]
    looked_at: list[tuple[str, str]]
    turns: list[Turn | Done]
    lookup: CallLookup | None
    passages: list[str]
    charge: str
    opening: str
    latency: str
    transfer: str
    timeline: list[Moment]
    answers: list[Answer]
    corrections: list[tuple[str, str]]  # what a person may say that it was; empty if nothing
    listed_level: str  # of the widest do-not-call list that the number is on; empty if on none
    row: CallRow
    earlier: list[CallRow]  # the other calls with this person, newest first
    shows_speech: bool  # what is said is shown while it is said


def call_page(call: Call, *, now: datetime) -> CallPage:
    """Read everything about one call; a dozen queries."""
    detail = CallDetail.objects.filter(call=call).first()
    lookup = CallLookup.objects.filter(call=call).first()
    passages = lookup.passages if lookup else []
    turns = script_of(detail, passages)
    line = _ledger_line(call)
    campaign = _find(Campaign.objects.filter(client_id=call.client_id), call.campaign_id)
    lead = _find(Lead.objects.filter(client_id=call.client_id), call.lead_id)
    attempts = Attempt.objects.filter(client_id=call.client_id).select_related("enrolment")
    attempt = _find(attempts, call.attempt_id)
    versions = CampaignVersion.objects.filter(client_id=call.client_id)
    trials = TrialCall.objects.filter(client_id=call.client_id)
    asked = _find(trials, call.attempt_id) if call.is_test else attempt
    decision = asked.decision if asked else {}
    listed = suppressed_numbers(
        client_id=call.client_id, campaign_id=call.campaign_id, phone_numbers=[call.person_number]
    )
    return CallPage(
        call=call,
        detail=detail,
        campaign=campaign,
        lead=lead,
        attempt=attempt,
        version=_find(versions, asked.version_id if asked else None),
        reasons=reasons(decision),
        looked_at=inputs(decision),
        turns=turns,
        lookup=lookup,
        passages=loose_passages(turns, passages),
        charge=charge_sentence(call, line),
        opening=disclosure_sentence(call),
        latency=latency_sentence(detail.latency if detail else {}),
        transfer=transfer_sentence(call),
        timeline=_timeline(call, attempt, line.created_at if line else None),
        answers=_answers(detail),
        corrections=_corrections(call),
        listed_level=str(listed.get(call.person_number, "")),
        row=call_rows([call], now=now)[0],
        earlier=call_rows(_others(call), now=now),
        shows_speech=campaign is not None and shows_speech(campaign),
    )


def _corrections(call: Call) -> list[tuple[str, str]]:
    if call.outcome_class in ("", Call.OutcomeClass.NOT_PLACED) or call.is_test:
        return []
    return [(str(value), str(label)) for value, label in Call.Correction.choices]


def shows_speech(campaign: Campaign) -> bool:
    """Tell whether the campaign asks for what is said while it is said."""
    return with_defaults(campaign.settings)["live_transcript"]


def _others(call: Call) -> list[Call]:
    if call.lead_id is None:
        return []
    calls = Call.objects.filter(client_id=call.client_id, lead_id=call.lead_id).exclude(pk=call.pk)
    return list(calls.order_by("-created_at", "-pk")[:MOST_OTHERS])


def _find[Row: Model](rows: QuerySet[Row], row_id: UUID | None) -> Row | None:
    return None if row_id is None else rows.filter(pk=row_id).first()


def _answers(detail: CallDetail | None) -> list[Answer]:
    data = detail.call_analysis.get("custom_analysis_data") if detail else None
    if not isinstance(data, dict):
        return []
    yes_no = {True: _("yes"), False: _("no")}
    return [
        Answer(
            name=str(name).replace("_", " ").capitalize(),
            value=yes_no[value] if isinstance(value, bool) else str(value),
        )
        for name, value in data.items()
        if value not in ("", None)
    ]


def _timeline(call: Call, attempt: Attempt | None, billed_at: datetime | None) -> list[Moment]:
    """Return queued, decided, dialled, answered, ended, analysed, billed: what is known, in order."""
    lines: list[tuple[str, datetime | None, str, str, str]] = []
    if attempt is not None:
        allowed = " ".join(reason.sentence for reason in reasons(attempt.decision))
        title = _("Decided: attempt %(number)d") % {"number": attempt.number}
        lines += [
            (_("Queued"), attempt.enrolment.created_at, "", "queue-list", ""),
            (title, attempt.created_at, allowed, "scale", "info"),
            (_("Dialled"), attempt.placed_at, "", "phone-arrow-up-right", "accent"),
        ]
    else:
        lines += [(_("Dialled"), call.created_at, "", "phone-arrow-up-right", "accent")]
    over = call.disconnection_reason.replace("_", " ")
    lines += [
        (_("Answered"), call.started_at, "", "phone", "ok"),
        (_("Ended"), call.ended_at, over, "phone-x-mark", ""),
        (_("Analysed"), call.analyzed_at, "", "sparkles", "info"),
        (_("Billed"), billed_at, "", "banknotes", ""),
    ]
    known = [(title, at, text, icon, tone) for title, at, text, icon, tone in lines if at]
    dialled_at = next((at for title, at, *_rest in known if title == _("Dialled")), None)
    return [
        Moment(title, at, text, icon, tone, _offset(at, dialled_at))
        for title, at, text, icon, tone in known
    ]


def _ledger_line(call: Call) -> Transaction | None:
    """Return the line by which the ledger consumed the call's seconds, given back since or not."""
    if call.attempt_id is None:  # nobody is charged for it
        return None
    lines = Transaction.objects.filter(
        client_id=call.client_id, call_id=call.pk, type=Transaction.Type.CONSUME
    )
    return lines.order_by("created_at").first()


def _offset(at: datetime, dialled_at: datetime | None) -> str:
    """Say how long after the dial it was, to the millisecond; empty for what came before."""
    if dialled_at is None or at <= dialled_at:
        return ""
    milliseconds = (at - dialled_at) // timedelta(milliseconds=1)
    return f"+{milliseconds // 1000}.{milliseconds % 1000:03d} s"
