"""Who is due in a launch, with everything a decision looks at: one chunk, a handful of queries."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q

from campaigns.calling_rules import CallingRules, calling_rules, country_zones, tightened
from campaigns.calling_rules.places import place_of, zones_allowed
from campaigns.dialling.retrying import DispositionPolicy
from campaigns.dialling.windows import Hours, days_in, known_zones
from campaigns.models import (
    Attempt,
    BatchCall,
    CallingWindow,
    Enrolment,
    PersonPace,
    RetryPolicy,
    TrialCall,
)
from campaigns.models.dialling import LINE_ORDER
from campaigns.rules import Decision, DialFacts, DialPolicy, DialWindow, decide
from campaigns.services.limits import client_limits
from campaigns.services.variables import variable_rules
from convomono.lib.keys import beside
from leads.services import has_consent, listed_among, suppressed_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from campaigns.calling_rules import Limits
    from campaigns.calling_rules.places import Place
    from campaigns.variables import VariableRule
    from leads.services import Listed

# What counts as a call to a person: it rang, or may have.
RANG = (
    Attempt.Status.DIALLING,
    Attempt.Status.PLACED,
    Attempt.Status.UNKNOWN,
    Attempt.Status.ENDED,
)
# Of test calls too; one waits no longer than this for the worker that makes it.
_TRIAL_RANG = (TrialCall.Status.DIALLING, TrialCall.Status.UNKNOWN, TrialCall.Status.PLACED)
_TRIAL_WAITS = timedelta(hours=1)
_NANP = "+1"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """
    An enrolment that is due, as it was read.

    `kept` is an attempt that was written earlier and certainly never placed: it is sent under its
    own key. `pace_of` is the attempt that last took the person's turn; a dial swaps it. `variables` are rules for
    a version that keeps none itself.
    """

    batch_call: BatchCall
    enrolment: Enrolment
    facts: DialFacts
    rules: CallingRules
    variables: tuple[VariableRule, ...]
    kept: Attempt | None
    pace_of: UUID | None
    preferred_number: str

    def decide(self, *, is_sandbox: bool, now: datetime) -> Decision:
        """Decide at this instant on what was read."""
        return decide(
            facts=self.facts,
            policy=dial_policy(self.batch_call),
            window=dial_window(self.batch_call),
            rules=self.rules,
            is_sandbox=is_sandbox,
            now=now,
        )


def due_enrolments(*, batch_call: BatchCall, limit: int, now: datetime) -> list[Enrolment]:
    """
    Return who is due, with their leads: who asked to be called back by now, then the longest waiting.

    Of those due at one instant the highest score goes first.
    """
    due = Enrolment.objects.filter(
        batch_call_id=batch_call.pk,
        status=Enrolment.Status.QUEUED,
        next_attempt_at__lte=now,
        held_at=None,
    ).select_related("lead")
    asked = list(due.filter(callback_at__lte=now).order_by("callback_at", "pk")[:limit])
    known = {one.pk for one in asked}
    others = due.order_by(*LINE_ORDER)[: limit - len(asked)]
    return asked + [one for one in others if one.pk not in known]


def load_candidates(
    *, batch_call: BatchCall, enrolments: Sequence[Enrolment], now: datetime
) -> list[Candidate]:
    """Read what decisions about these enrolments need; nine queries at most, however many they are."""
    if not enrolments:
        return []
    numbers = sorted({one.phone_number for one in enrolments})
    # The turns first: whoever dials a person after this read swaps them, and our dial collides.
    turns = dict(
        PersonPace.objects.filter(phone_number__in=numbers).values_list(
            "phone_number", "attempt_id"
        )
    )
    earlier = _attempts_of(enrolments)
    kept = {
        key: rows[-1] for key, rows in earlier.items() if rows[-1].status == Attempt.Status.DIALLING
    }
    new = [one.phone_number for one in enrolments if not one.attempt_number]
    known = _called_from(client_id=batch_call.client_id, numbers=new)
    limits = client_limits(batch_call.client_id)
    places = {one.pk: _where(one, limits, now) for one in enrolments}
    memory = max(rules.longest_memory for _zones, rules in places.values())
    memory = max(memory, timedelta(seconds=dial_policy(batch_call).gap_seconds))
    rang = _calls_to(
        numbers, since=now - memory, apart_from={one.pk for one in kept.values()}, now=now
    )
    # Who asked under one of their numbers not to be called isn't called under another.
    theirs = {one.pk: [one.phone_number, *one.lead.other_numbers] for one in enrolments}
    suppressed = suppressed_numbers(
        client_id=batch_call.client_id,
        campaign_id=batch_call.campaign_id,
        phone_numbers=sorted({number for some in theirs.values() for number in some}),
    )
    variables = _rules(batch_call)
    listed = {key: listed_among(some, suppressed) for key, some in theirs.items()}
    return [
        Candidate(
            batch_call=batch_call,
            enrolment=one,
            facts=DialFacts(
                phone_number=one.phone_number,
                country=_country(one),
                zones=places[one.pk][0],
                **_listed_as(listed[one.pk], one.phone_number),
                has_consent=has_consent(one.lead),
                attempts_count=one.attempts_count,
                recent_attempts=tuple(rang[one.phone_number]),
                is_callback=one.callback_at is not None,
            ),
            rules=places[one.pk][1],
            variables=variables,
            kept=kept.get(one.pk),
            pace_of=turns.get(one.phone_number),
            preferred_number=_last_number(earlier.get(one.pk, ()))
            or known.get(one.phone_number, ""),
        )
        for one in enrolments
    ]


def _rules(batch_call: BatchCall) -> tuple[VariableRule, ...]:
    """Return what is said of the variables now, for launches whose version keeps nothing of it."""
    has_version = batch_call.version_id is not None  # a launch that is never kept has none
    if has_version and batch_call.version.variable_rules is not None:
        return ()
    return tuple(variable_rules(batch_call.campaign_id))


def _listed_as(listed: Listed | None, dialled: str) -> dict[str, str]:
    """Return the facts of a person's place on a do-not-call list."""
    if listed is None:
        return {}
    other = "" if listed.phone_number == dialled else listed.phone_number
    return {"suppressed_on": str(listed.level), "suppressed_number": other}


def without_own(candidate: Candidate, attempt: Attempt) -> Candidate:
    """Return the candidate as it looks to a resend of this attempt: it isn't a second call."""
    recent = list(candidate.facts.recent_attempts)
    if attempt.created_at in recent:
        recent.remove(attempt.created_at)
    # It was counted against nothing yet, so the cap is what it was.
    return replace(
        candidate,
        kept=attempt,
        facts=replace(candidate.facts, recent_attempts=tuple(recent)),
    )


def dial_policy(batch_call: BatchCall) -> DialPolicy:
    """Return the campaign's policy as the rules take it."""
    try:
        row = batch_call.campaign.retry_policy
    except RetryPolicy.DoesNotExist:
        return DialPolicy()
    return DialPolicy(
        max_attempts=row.max_attempts,
        gap_seconds=row.gap_seconds,
        busy_delay_seconds=row.busy_delay_seconds,
        no_answer_delay_seconds=row.no_answer_delay_seconds,
        voicemail_delay_seconds=row.voicemail_delay_seconds,
        declined_delay_seconds=row.declined_delay_seconds,
        technical_delay_seconds=row.technical_delay_seconds,
        callback_delay_seconds=row.callback_delay_seconds,
        dispositions={
            reason: DispositionPolicy(most=own["most"], delay_seconds=own["delay_seconds"])
            for reason, own in row.dispositions.items()
        },
        is_other_time_of_day=row.is_other_time_of_day,
        is_business_days=row.is_business_days,
    )


def dial_window(batch_call: BatchCall) -> DialWindow:
    """Return the campaign's hours; without any it never calls."""
    try:
        row = batch_call.campaign.calling_window
    except CallingWindow.DoesNotExist:
        return DialWindow(hours=Hours(frozenset(), 0, 0))
    hours = Hours(frozenset(row.weekdays), row.opens_minute, row.closes_minute)
    return DialWindow(hours=hours, is_any_hour=row.is_any_hour)


def _attempts_of(enrolments: Iterable[Enrolment]) -> dict[UUID, list[Attempt]]:
    tried = [one.pk for one in enrolments if one.attempt_number]
    found: dict[UUID, list[Attempt]] = defaultdict(list)
    if tried:
        for row in Attempt.objects.filter(enrolment_id__in=tried).order_by("number"):
            found[row.enrolment_id].append(row)
    return found


def _where(
    enrolment: Enrolment, limits: Limits, now: datetime
) -> tuple[tuple[str, ...], CallingRules]:
    """Return the zones a person may be in and the rules that bind there, as the lead is now."""
    lead, number = enrolment.lead, enrolment.phone_number
    zones = zones_allowed(
        told=lead.time_zone,
        candidates=lead.zone_candidates or enrolment.zones,
    )
    place = place_of(country=_country(enrolment), region=lead.region, phone_number=number)
    return zones, rules_in(place, zones=zones, limits=limits, now=now)


def rules_in(
    place: Place, *, zones: tuple[str, ...], limits: Limits, now: datetime
) -> CallingRules:
    """Return the rules of a place on the days it is there now, with a client's own limits."""
    first, last = days_in(known_zones(zones) or country_zones(place.country), now)
    return tightened(calling_rules(place, first, last), limits)


def _calls_to(
    numbers: list[str], *, since: datetime, apart_from: set[UUID], now: datetime
) -> dict[str, list[datetime]]:
    """
    Return when each number was called, by test calls too.

    Who waits in a list at Retell may ring at any moment.
    """
    found: dict[str, list[datetime]] = defaultdict(list)
    at_retell = Q(status=Attempt.Status.DIALLING, handover_id__isnull=False)
    rows = Attempt.objects.filter(
        Q(created_at__gt=since) | Q(placed_at__gt=since) | at_retell,
        beside(status__in=RANG),
        phone_number__in=numbers,
    ).values_list("pk", "phone_number", "created_at", "placed_at", "handover_id")
    for pk, number, created_at, placed_at, handover_id in rows:
        if pk in apart_from:
            continue
        waits = handover_id is not None and placed_at is None
        found[number].append(now if waits else max(created_at, placed_at or created_at))
    # Few rows: a client makes twenty test calls a day at most.
    trials = TrialCall.objects.filter(
        status__in=_TRIAL_RANG, created_at__gt=since - _TRIAL_WAITS, phone_number__in=numbers
    )
    for number, sent_at in trials.filter(sent_at__gt=since).values_list("phone_number", "sent_at"):
        if sent_at is not None:
            found[number].append(sent_at)
    return found


def _called_from(*, client_id: UUID, numbers: list[str]) -> dict[str, str]:
    """Return the number from which this client last called each of these people, in any campaign."""
    if not numbers:
        return {}
    rows = Attempt.objects.filter(
        beside(client_id=client_id, status__in=RANG), phone_number__in=numbers
    ).exclude(from_number="")
    return dict(rows.order_by("created_at", "pk").values_list("phone_number", "from_number"))


def _country(enrolment: Enrolment) -> str:
    fallback = "US" if enrolment.phone_number.startswith(_NANP) else ""
    return enrolment.lead.country or fallback


def _last_number(attempts: Sequence[Attempt]) -> str:
    return attempts[-1].from_number if attempts else ""
