"""Decisions of dialling, without any input or output: may we call, when again, which move is allowed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from campaigns.dialling import waiting
from campaigns.dialling.retrying import (
    DialPolicy,
    DispositionPolicy,
    Earlier,
    at_another_time,
    off_weekends,
    on_a_business_day,
)
from campaigns.dialling.waiting import WAITING, waiting_sentence
from campaigns.dialling.windows import (
    Hours,
    closed_for,
    is_open,
    known_zones,
    local_time,
    next_opening,
)
from convomono.lib.phone import is_fictional
from telephony.rules import Outcome, OutcomeClass, RetryRule

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.calling_rules import CallingRules

__all__ = [
    "WAITING",
    "Decision",
    "DialFacts",
    "DialPolicy",
    "DialWindow",
    "NextStep",
    "Verdict",
    "decide",
    "hours_for",
    "may_move",
    "next_step",
    "waiting_sentence",
]

E164 = re.compile(r"\+[1-9]\d{6,14}")
DAY = timedelta(hours=24)
# A window that never opens is looked at again: somebody may have mended the lead's zone.
NEVER_OPEN_RETRY = timedelta(days=1)
# Not an attempt (no line free, carrier away): again after this.
REQUEUE_SECONDS = 60

type End = Literal["suppressed", "invalid", "exhausted"]


class Verdict(StrEnum):
    """Call now, never again, or not yet."""

    ALLOW = "allow"
    DENY = "deny"
    DEFER = "defer"


@dataclass(frozen=True, kw_only=True)
class DialFacts:
    """
    What is known of a person at the moment of the decision.

    `suppressed_on` names the widest do-not-call list that one of the person's numbers is on;
    `suppressed_number` is that number, if it isn't the one to be dialled. `recent_attempts` are the
    dials to this number by anybody, all campaigns, all clients, as far back as the rules remember.
    """

    phone_number: str
    country: str
    zones: tuple[str, ...]
    suppressed_on: str = ""
    suppressed_number: str = ""
    has_consent: bool = True
    attempts_count: int = 0
    recent_attempts: tuple[datetime, ...] = ()
    is_callback: bool = False  # they asked for this call: it may be one more than allowed


@dataclass(frozen=True, kw_only=True)
class DialWindow:
    """When the campaign calls, in the lead's time; any hour holds in the sandbox alone."""

    hours: Hours
    is_any_hour: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """
    One verdict with the rules that led to it and what they looked at.

    A denial names the status that the enrolment `ends_as`; a deferral its waiting code and the
    earliest instant at which asking again makes sense.
    """

    verdict: Verdict
    rule_ids: tuple[str, ...]
    inputs: dict[str, Any] = field(default_factory=dict)
    ends_as: End | None = None
    waiting_code: str = ""
    not_before: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as Attempt and Enrolment keep it."""
        return {
            "verdict": str(self.verdict),
            "rules": list(self.rule_ids),
            "inputs": self.inputs,
            "waiting": self.waiting_code,
            "not_before": self.not_before.isoformat() if self.not_before else None,
        }


@dataclass(frozen=True)
class _Deferral:
    rule_id: str
    waiting_code: str
    not_before: datetime


def decide(
    *,
    facts: DialFacts,
    policy: DialPolicy,
    window: DialWindow,
    rules: CallingRules,
    is_sandbox: bool,
    now: datetime,
) -> Decision:
    """Say whether this person may be called at this instant; of several deferrals the latest binds."""
    zones = _zones(facts, rules)
    any_hour = window.is_any_hour and is_sandbox and is_fictional(facts.phone_number)
    inputs = _inputs(facts, zones, rules, any_hour=any_hour, now=now) | _paced_by(
        facts, policy, rules
    )
    if (refused := _denial(facts, policy, zones or any_hour)) is not None:
        rule_id, ends_as = refused
        return Decision(verdict=Verdict.DENY, rule_ids=(rule_id,), inputs=inputs, ends_as=ends_as)
    deferrals = [*_pace(facts, policy, rules, now)]
    hours = hours_for(facts=facts, policy=policy, window=window, rules=rules)
    if not any_hour and (closed := _closed(hours, window, zones, rules, now)):
        deferrals.append(closed)
    if deferrals:
        latest = max(deferrals, key=lambda one: one.not_before)
        return Decision(
            verdict=Verdict.DEFER,
            rule_ids=tuple(one.rule_id for one in deferrals),
            inputs=inputs,
            waiting_code=latest.waiting_code,
            not_before=latest.not_before,
        )
    allowed_by = _allowed_by(rules, any_hour=any_hour)
    return Decision(verdict=Verdict.ALLOW, rule_ids=allowed_by, inputs=inputs)


def _allowed_by(rules: CallingRules, *, any_hour: bool) -> tuple[str, ...]:
    """Name every rule that was looked at and kept."""
    of_days = (rules.hours_rule, rules.days_rule, rules.holidays_rule)
    times = ("sandbox.any_hour",) if any_hour else of_days
    found = (*times, *rules.cap_rules, "person.gap", rules.gap_rule, rules.consent_rule)
    return tuple(name for name in found if name)


def _zones(facts: DialFacts, rules: CallingRules) -> tuple[str, ...]:
    """Return every zone that must be open; the country's when the number tells none."""
    return known_zones(facts.zones) or rules.zones


def _denial(facts: DialFacts, policy: DialPolicy, has_hours: object) -> tuple[str, End] | None:
    if facts.suppressed_on:
        return f"suppressed.{facts.suppressed_on}", "suppressed"
    if not E164.fullmatch(facts.phone_number):
        return "number.invalid", "invalid"
    if not has_hours:
        return "zone.unknown", "invalid"
    if not facts.has_consent:
        return "consent.missing", "suppressed"
    if facts.attempts_count >= policy.max_attempts and not facts.is_callback:
        return "attempts.cap", "exhausted"
    return None


def _pace(
    facts: DialFacts, policy: DialPolicy, rules: CallingRules, now: datetime
) -> list[_Deferral]:
    recent = sorted(facts.recent_attempts)
    deferrals = []
    for rule_id, gap in (("person.gap", policy.gap_seconds), (rules.gap_rule, rules.gap_seconds)):
        if gap and recent and recent[-1] + timedelta(seconds=gap) > now:
            until = recent[-1] + timedelta(seconds=gap)
            deferrals.append(_Deferral(rule_id, waiting.PERSON_GAP, until))
    for cap in rules.caps:
        within = [at for at in recent if at > now - timedelta(hours=cap.hours)]
        if len(within) >= cap.calls:
            until = within[-cap.calls] + timedelta(hours=cap.hours)
            deferrals.append(_Deferral(cap.rule_id, waiting.PERSON_CAP, until))
    return deferrals


def hours_for(
    *, facts: DialFacts, policy: DialPolicy, window: DialWindow, rules: CallingRules
) -> Hours:
    """Return when this person may be called: for a retry not on weekends, if the policy says so."""
    hours = window.hours.within(rules)
    is_retry = facts.attempts_count > 0 and not facts.is_callback
    return off_weekends(hours) if policy.is_business_days and is_retry else hours


def _closed(
    hours: Hours, window: DialWindow, zones: tuple[str, ...], rules: CallingRules, now: datetime
) -> _Deferral | None:
    if is_open(hours=hours, zones=zones, at=now):
        return None
    binding = _binding(window, zones, rules, now)
    opening = next_opening(hours=hours, zones=zones, after=now)
    if opening is None:
        code = waiting.NEVER_OPEN if hours.is_ever_open else waiting.HOURS_FORBIDDEN
        return _Deferral(binding, code, now + NEVER_OPEN_RETRY)
    closed = closed_for(hours=hours, zones=zones, at=now)
    code = waiting.CLOSED_DAY if closed - {"hours"} else waiting.WINDOW
    return _Deferral(binding, code, opening)


def _binding(window: DialWindow, zones: tuple[str, ...], rules: CallingRules, now: datetime) -> str:
    """Name the lines that close the zones now; the campaign's own hours only if no law does."""
    law = Hours(rules.weekdays, rules.opens_minute, rules.closes_minute, rules.holidays)
    names = {"hours": rules.hours_rule, "days": rules.days_rule, "holidays": rules.holidays_rule}
    closed = closed_for(hours=law, zones=zones, at=now)
    found = [names[kind] for kind in names if kind in closed]
    own = (
        "campaign.hours"
        if closed_for(hours=window.hours, zones=zones, at=now)
        else "campaign.weekend"
    )
    return " ".join(found) or own


def _inputs(
    facts: DialFacts, zones: tuple[str, ...], rules: CallingRules, *, any_hour: bool, now: datetime
) -> dict[str, Any]:
    return {
        "rules_version": rules.version,
        "country": rules.country,
        "jurisdictions": list(rules.jurisdictions),
        "zones": {zone: local_time(zone, now) for zone in zones},
        "zones_from": "number" if known_zones(facts.zones) else "country",
        "any_hour": any_hour,
        "suppressed_on": facts.suppressed_on,
        **({"suppressed_number": facts.suppressed_number} if facts.suppressed_number else {}),
        "has_consent": facts.has_consent,
        "attempts_count": facts.attempts_count,
        "calls_in_24_hours": sum(at > now - DAY for at in facts.recent_attempts),
    }


def _paced_by(facts: DialFacts, policy: DialPolicy, rules: CallingRules) -> dict[str, Any]:
    """Return what the gap and the caps were decided on."""
    last = max(facts.recent_attempts, default=None)
    return {
        "last_call_at": last.isoformat(timespec="seconds") if last else "",
        "gap_seconds": max(policy.gap_seconds, rules.gap_seconds),
        "caps": [f"{cap.calls} / {cap.hours} h" for cap in rules.caps],
        "max_attempts": policy.max_attempts,
    }


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """
    Where an enrolment goes after a call, and when it is due again if it is queued.

    `callback_at` is the time that the person asked for; such a call comes before all others.
    """

    status: Literal["done", "queued", "exhausted", "suppressed", "invalid"]
    next_attempt_at: datetime | None = None
    callback_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CallSaid:
    """
    What else a call told: why it ended, when the person asked to be called back, if they did.

    `wants_callback` without a time means later on. `was_reached` by this call or an earlier one.
    """

    reason: str = ""
    wants_callback: bool = False
    callback_at: datetime | None = None
    was_reached: bool = False


def next_step(
    *,
    outcome: Outcome,
    policy: DialPolicy,
    attempts_count: int,
    had_same_reason: bool,
    ended_at: datetime,
    said: CallSaid = CallSaid(),
    earlier: Earlier = Earlier(),  # noqa: B008 - frozen
    hours: Hours | None = None,
) -> NextStep:
    """
    Say what follows from a call's outcome.

    `attempts_count` includes this call if it counts; `had_same_reason` tells whether an earlier call
    to this lead ended for the same reason, for retries that are made a single time.
    """
    if outcome.suppresses:
        return NextStep(status="suppressed")
    if outcome.invalidates:
        return NextStep(status="invalid")
    if outcome.outcome_class == OutcomeClass.HUMAN:
        return _after_a_talk(said, policy, ended_at)
    own = policy.dispositions.get(said.reason, DispositionPolicy())
    over = outcome.counts_attempt and attempts_count >= policy.max_attempts
    over = over or bool(own.most and earlier.same_count >= own.most)
    if over or outcome.retry == RetryRule.NEVER or (outcome.is_once and had_same_reason):
        return NextStep(status="done" if said.was_reached else "exhausted")
    delay = _delay_seconds(outcome.retry, policy)
    if own.delay_seconds is not None and outcome.counts_attempt:
        delay = own.delay_seconds
    due = ended_at + timedelta(seconds=delay)
    return NextStep(
        status="queued",
        next_attempt_at=_better_time(due, outcome, policy=policy, earlier=earlier, hours=hours),
        callback_at=None if outcome.counts_attempt else earlier.promised_at,
    )


def _after_a_talk(said: CallSaid, policy: DialPolicy, ended_at: datetime) -> NextStep:
    if not said.wants_callback:
        return NextStep(status="done")
    later = ended_at + timedelta(seconds=policy.callback_delay_seconds)
    asked = said.callback_at or later
    return NextStep(status="queued", next_attempt_at=asked, callback_at=asked)


def _better_time(
    due: datetime,
    outcome: Outcome,
    *,
    policy: DialPolicy,
    earlier: Earlier,
    hours: Hours | None,
) -> datetime:
    """Move a retry to another time of the day and off the weekend, where the policy says so."""
    if not outcome.counts_attempt:
        return due  # it never rang: nothing is learned about the hour
    if policy.is_business_days:
        due = on_a_business_day(due=due, zone=earlier.zone)
        hours = off_weekends(hours) if hours is not None else None
    if policy.is_other_time_of_day and hours is not None:
        due = at_another_time(due=due, earlier=earlier, hours=hours)
    return due


def _delay_seconds(retry: RetryRule, policy: DialPolicy) -> int:
    return {
        RetryRule.BUSY: policy.busy_delay_seconds,
        RetryRule.NO_ANSWER: policy.no_answer_delay_seconds,
        RetryRule.VOICEMAIL: policy.voicemail_delay_seconds,
        RetryRule.DECLINED: policy.declined_delay_seconds,
        RetryRule.TECHNICAL: policy.technical_delay_seconds,
    }.get(retry, REQUEUE_SECONDS)


# Moves of an enrolment. An end may still change: the analysis of a call tells of voicemails late,
# and a person may ask on any call, or later by other means, not to be called again. Who was taken out
# of the line by hand may be put back (`services/queueing.py`).
_ENDS = ("done", "suppressed", "exhausted", "invalid")
MOVES: dict[str, frozenset[str]] = {
    "queued": frozenset({"dialling", "in_call", "cancelled", *_ENDS}),
    "dialling": frozenset({"in_call", "queued", "cancelled", *_ENDS}),
    "in_call": frozenset({"queued", "cancelled", *_ENDS}),
    "done": frozenset({"queued", "suppressed", "exhausted", "invalid"}),
    "exhausted": frozenset({"queued", "done", "suppressed", "invalid"}),
    "suppressed": frozenset(),
    "invalid": frozenset({"suppressed"}),
    "cancelled": frozenset({"queued", "suppressed"}),
}


def may_move(before: str, after: str) -> bool:
    """Tell whether an enrolment may go from one status to another."""
    return after in MOVES.get(before, frozenset())
