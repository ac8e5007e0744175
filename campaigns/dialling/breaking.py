"""The circuit breaker of a campaign: pauses it when its last calls say that something is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from math import sqrt
from typing import TYPE_CHECKING, Any

from django.db.models import Sum

from campaigns.dialling import waiting
from campaigns.dialling.answers import halt_campaign, reason_to_halt
from campaigns.models import BatchCall, SafetyPolicy
from campaigns.services.steering import TOP_UP
from telephony.disclosure import MISSES
from telephony.models import Call
from telephony.rules import OUTCOMES, OutcomeClass, Stops

if TYPE_CHECKING:
    from datetime import datetime

_FAILED = {OutcomeClass.TECHNICAL, OutcomeClass.NOT_PLACED, OutcomeClass.NUMBER_TROUBLE}
_OPTED_OUT = "user_requested_dnc"
_NEGATIVE = "Negative"
OFF = 100
# People are fewer than calls: half as many tell as much.
_FEWEST_PEOPLE = 5
# Of each call, in this order.
_READ = ("outcome_class", "disconnection_reason", "user_sentiment", "disclosure", "agent_version")
HOUR = timedelta(hours=1)
# So many of a campaign's launches are looked at; if nobody pressed for any of them, so long ago counts.
LOOKED_AT = 50
LOOKS_BACK = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Safety:
    """
    When to stop, in whole per cent (100: never), minutes of talk an hour (0: no limit), and how many calls that leave
    out what has to be said first (0: never).
    """

    window_calls: int = 50
    least_calls: int = 20
    failed_percent: int = 50
    opted_out_percent: int = 10
    negative_percent: int = 60
    talk_minutes_per_hour: int = 0
    missed_disclosures: int = 5


@dataclass(frozen=True, kw_only=True)
class Recent:
    """
    What the last calls came to; `analysed` are those people whose mood is known.

    `undisclosed` calls of people, of one version that is in use, left out what has to be said first.
    """

    calls: int = 0
    failed: int = 0
    people: int = 0
    opted_out: int = 0
    analysed: int = 0
    negative: int = 0
    undisclosed: int = 0
    talk_seconds: int = 0  # in the last hour
    halting: str = ""  # the code of a call that none may follow


@dataclass(frozen=True)
class Trip:
    """Why the breaker opened: a code of `waiting` with the figures of its sentence."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)


def tripped(*, safety: Safety, recent: Recent) -> Trip | None:
    """Say whether these calls have to stop the campaign; the first reason of several is named."""
    fewest_people = max(_FEWEST_PEOPLE, safety.least_calls // 2)
    shares = (
        (waiting.BREAKER_FAILED, recent.failed, recent.calls, safety.failed_percent, False),
        (
            waiting.BREAKER_OPTED_OUT,
            recent.opted_out,
            recent.people,
            safety.opted_out_percent,
            True,
        ),
        (waiting.BREAKER_NEGATIVE, recent.negative, recent.analysed, safety.negative_percent, True),
    )
    for code, part, whole, limit, is_of_people in shares:
        least = fewest_people if is_of_people else safety.least_calls
        if limit >= OFF or whole < least:
            continue
        # A few people's moods are chance: of people the share has to be above the limit for certain.
        share = _at_least(part, whole) if is_of_people else part / whole
        if share * 100 > limit:
            return Trip(code, {"percent": part * 100 // whole, "calls": whole, "limit": limit})
    if 0 < safety.missed_disclosures <= recent.undisclosed:
        return Trip(waiting.BREAKER_DISCLOSURE, {"used": recent.undisclosed})
    limit = safety.talk_minutes_per_hour
    if limit and recent.talk_seconds > limit * 60:
        return Trip(waiting.BREAKER_SPEND, {"used": recent.talk_seconds // 60, "limit": limit})
    return None


def _at_least(part: int, whole: int) -> float:
    """Return the lower end of the share's 95 % interval (Wilson)."""
    share, z = part / whole, 1.96
    middle = share + z * z / (2 * whole)
    spread = z * sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    return (middle - spread) / (1 + z * z / whole)


def safety_of(batch_call: BatchCall) -> Safety:
    """Return the campaign's policy as the rule takes it; without one the defaults hold."""
    try:
        row = batch_call.campaign.safety_policy
    except SafetyPolicy.DoesNotExist:
        return Safety()
    return Safety(
        window_calls=row.window_calls,
        least_calls=row.least_calls,
        failed_percent=row.failed_percent,
        opted_out_percent=row.opted_out_percent,
        negative_percent=row.negative_percent,
        talk_minutes_per_hour=row.talk_minutes_per_hour,
        missed_disclosures=row.missed_disclosures,
    )


def counted_from(batch_call: BatchCall) -> datetime:
    """
    Return when a person last launched or resumed the campaign: its calls are counted from there.

    A launch of new leads that nobody pressed for goes on counting what the launches before it found.
    """
    launches = BatchCall.objects.filter(
        client_id=batch_call.client_id, campaign_id=batch_call.campaign_id
    ).order_by("-created_at", "-pk")
    columns = ("created_at", "resumed_at", "launched_by_email")
    rows = list(launches.values_list(*columns)[:LOOKED_AT])
    pressed = [created_at for created_at, _resumed, by in rows if by != TOP_UP.actor_email]
    resumed = [resumed_at for _created, resumed_at, _by in rows if resumed_at is not None]
    return max([*pressed, *resumed], default=batch_call.created_at - LOOKS_BACK)


def recent_calls(*, batch_call: BatchCall, safety: Safety, now: datetime) -> Recent:
    """Read a campaign's last calls since a person let it dial; two queries, three with a spend limit."""
    calls = Call.objects.filter(
        client_id=batch_call.client_id, campaign_id=batch_call.campaign_id
    ).order_by("-created_at", "-pk")
    since = counted_from(batch_call)
    rows = list(
        calls.filter(
            batch_call_id__isnull=False, created_at__gte=since, outcome_class__gt=""
        ).values_list(*_READ)[: safety.window_calls]
    )
    people = [row for row in rows if row[0] == OutcomeClass.HUMAN]
    return Recent(
        calls=len(rows),
        failed=sum(row[0] in _FAILED for row in rows),
        people=len(people),
        opted_out=sum(row[1] == _OPTED_OUT for row in people),
        analysed=sum(bool(row[2]) for row in people),
        negative=sum(row[2] == _NEGATIVE for row in people),
        undisclosed=_undisclosed(batch_call, people),
        talk_seconds=_talked(batch_call, since, now) if safety.talk_minutes_per_hour else 0,
        halting=_halting([row[1] for row in rows]),
    )


def _undisclosed(batch_call: BatchCall, people: list[tuple[Any, ...]]) -> int:
    """Count the calls of the worst version in use; what an earlier one left out is no fault of a new one."""
    versions = [one for one in (batch_call.version, batch_call.variant) if one is not None]
    spoken = [row[4] for row in people if row[3] in MISSES]
    return max(spoken.count(one.provider_agent_version) for one in versions)


def _halting(reasons: list[str]) -> str:
    halting = (
        reason
        for reason in reasons
        if (outcome := OUTCOMES.get(reason)) and outcome.stops is Stops.CAMPAIGN
    )
    return next((reason_to_halt(reason) for reason in halting), "")


def break_if_bad(*, batch_call: BatchCall, now: datetime) -> bool:
    """Pause a campaign whose last calls ask for it, and tell its client why; True if it did."""
    safety = safety_of(batch_call)
    recent = recent_calls(batch_call=batch_call, safety=safety, now=now)
    # Whoever heard of such a call halts the campaign at once, unless killed in between.
    trip = Trip(recent.halting) if recent.halting else tripped(safety=safety, recent=recent)
    if trip is None:
        return False
    return halt_campaign(
        client_id=batch_call.client_id,
        campaign_id=batch_call.campaign_id,
        reason=trip.code,
        facts=trip.facts,
        now=now,
    )


def _talked(batch_call: BatchCall, since: datetime, now: datetime) -> int:
    found = Call.objects.filter(
        client_id=batch_call.client_id,
        campaign_id=batch_call.campaign_id,
        created_at__gte=max(since, now - HOUR),
    ).aggregate(seconds=Sum("billed_seconds"))
    return found["seconds"] or 0
