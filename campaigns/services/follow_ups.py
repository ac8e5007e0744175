"""Follow-ups: made by hand or by a rule, changed, closed, and told of when they are due."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Notification, User
from accounts.notifications import notify
from audit import actions
from audit.services import record
from campaigns.models import Attempt, Enrolment, FollowUp, FollowUpRule
from convomono.lib.db import IntegrityError, atomic, insert_once, run_atomic
from telephony.transfers import CANCELLED_REASON

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor
    from campaigns.models import Campaign
    from leads.models import Lead

_BY_ITSELF = "follow-ups"  # who made a follow-up that no rule asked for
Outcome = FollowUpRule.Outcome
Status = FollowUp.Status
# Rules act right after a call; what a killed process left is found within this time of the call's end.
LOOK_BACK = timedelta(hours=1)
AT_ONCE = 200


def create_follow_up(
    *,
    lead: Lead,
    due_at: datetime,
    note: str,
    assignee: User | None,
    key: UUID,
    actor: Actor,
    now: datetime,
) -> FollowUp:
    """Promise something about a lead; the same `key` (of the form) promises it once."""
    row = FollowUp(
        client_id=lead.client_id,
        lead=lead,
        due_at=due_at,
        note=note,
        assignee=assignee,
        key=f"form:{key}",
        created_by_email=actor.actor_email,
        created_at=now,
    )
    try:
        _insert(row, actor=actor, now=now)
    except IntegrityError:
        return FollowUp.objects.get(client_id=lead.client_id, key=row.key)
    return row


def promise_after_call(
    *, attempt: Attempt, due_at: datetime, note: str, key: str, actor: Actor, now: datetime
) -> bool:
    """Promise something about a lead after a call, inside the caller's transaction; once for a key."""
    # A duplicate would end a MongoDB transaction, so it is looked for; the key stays the guard.
    if FollowUp.objects.filter(client_id=attempt.client_id, key=key).exists():
        return False
    row = FollowUp(
        client_id=attempt.client_id,
        lead_id=attempt.lead_id,
        campaign_id=attempt.campaign_id,
        call_id=attempt.call_id,
        due_at=due_at,
        note=note,
        key=key,
        created_by_email=actor.actor_email,
        created_at=now,
    )
    _insert(row, actor=actor, now=now)
    return True


@atomic
def _insert(row: FollowUp, *, actor: Actor, now: datetime) -> None:
    row.save(force_insert=True)
    record(actions.FOLLOW_UP_CREATED, resource=row.lead, actor=actor, now=now)


@atomic
def change_follow_up(
    *,
    follow_up: FollowUp,
    due_at: datetime,
    note: str,
    assignee: User | None,
    actor: Actor,
    now: datetime,
) -> bool:
    """Put an open follow-up off, or give it to somebody else; False if it is closed."""
    changed = FollowUp.objects.filter(pk=follow_up.pk, status=Status.OPEN).update(
        due_at=due_at, note=note, assignee=assignee, reminded_at=None
    )
    if changed:
        record(actions.FOLLOW_UP_CHANGED, resource=follow_up.lead, actor=actor, now=now)
    return bool(changed)


@atomic
def close_follow_up(*, follow_up: FollowUp, status: str, actor: Actor, now: datetime) -> bool:
    """Mark it done or cancelled; False if somebody closed it before."""
    closed = FollowUp.objects.filter(pk=follow_up.pk, status=Status.OPEN).update(
        status=status, closed_at=now, closed_by_email=actor.actor_email
    )
    if closed:
        details = {"status": status}
        record(
            actions.FOLLOW_UP_CLOSED,
            resource=follow_up.lead,
            actor=actor,
            now=now,
            details=details,
        )
    return bool(closed)


@atomic
def add_rule(  # what a rule says
    *,
    client: Client,
    campaign: Campaign | None,
    outcome: str,
    delay: timedelta,
    note: str,
    assignee: User | None,
    actor: Actor,
    now: datetime,
) -> FollowUpRule:
    """Make a follow-up after each call with this outcome from now on."""
    rule = FollowUpRule.objects.create(
        client=client,
        campaign=campaign,
        outcome=outcome,
        delay_seconds=int(delay.total_seconds()),
        note=note,
        assignee=assignee,
        created_by_email=actor.actor_email,
        created_at=now,
    )
    record(actions.FOLLOW_UP_RULE_ADDED, resource=rule, actor=actor, now=now)
    return rule


@atomic
def remove_rule(*, rule: FollowUpRule, actor: Actor, now: datetime) -> bool:
    """Make no more follow-ups by a rule; those that were made stay. False if it was off already."""
    removed = FollowUpRule.objects.filter(pk=rule.pk, is_active=True).update(is_active=False)
    if removed:
        record(actions.FOLLOW_UP_RULE_REMOVED, resource=rule, actor=actor, now=now)
    return bool(removed)


def clients_with_rules(client_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of the clients that have a rule in force; one query, none without clients."""
    ids = set(client_ids)
    active = FollowUpRule.objects.filter(is_active=True, client_id__in=ids)
    return set(active.values_list("client_id", flat=True)) if ids else ids


def follow_by_rules(*, attempt_ids: Iterable[UUID], now: datetime) -> int:
    """
    Make the follow-ups that rules ask for after these attempts, and that of a transfer that failed.

    A second time makes none. Outside any transaction; returns how many it made.
    """
    ids = list(attempt_ids)
    if not ids:
        return 0
    rows = Attempt.objects.filter(pk__in=ids).select_related("enrolment")
    attempts = list(
        rows.defer("decision", "request", "enrolment__decision", "enrolment__dynamic_vars")
    )
    rules = list(
        FollowUpRule.objects.filter(
            is_active=True, client_id__in={attempt.client_id for attempt in attempts}
        ).select_related("assignee")
    )
    made = sum(
        _follow(rule, attempt, now=now)
        for attempt in attempts
        for rule in rules
        if _asks(rule, attempt)
    )
    return made + sum(
        _follow_transfer(attempt, now=now)
        for attempt in attempts
        if attempt.disconnection_reason == CANCELLED_REASON
    )


def _asks(rule: FollowUpRule, attempt: Attempt) -> bool:
    if rule.client_id != attempt.client_id or attempt.status != Attempt.Status.ENDED:
        return False
    if rule.campaign_id not in (None, attempt.campaign_id):
        return False
    if attempt.ended_at is None or attempt.ended_at < rule.created_at:
        return False
    return rule.outcome in _outcomes(attempt, attempt.enrolment)


def _outcomes(attempt: Attempt, enrolment: Enrolment) -> set[str]:
    found = {attempt.outcome_class}
    if attempt.outcome_class == Outcome.HUMAN and enrolment.is_converted:
        found.add(Outcome.CONVERTED)
    if (
        enrolment.status == Enrolment.Status.EXHAUSTED
        and enrolment.attempt_number == attempt.number
    ):
        found.add(Outcome.EXHAUSTED)
    return found


def _follow(rule: FollowUpRule, attempt: Attempt, *, now: datetime) -> bool:
    row = FollowUp(
        client_id=attempt.client_id,
        lead_id=attempt.lead_id,
        rule=rule,
        campaign_id=attempt.campaign_id,
        call_id=attempt.call_id,
        due_at=(attempt.ended_at or now) + timedelta(seconds=rule.delay_seconds),
        note=rule.note,
        assignee=rule.assignee,
        key=f"rule:{rule.pk}:{attempt.pk}",
        created_by_email=rule.created_by_email,
        created_at=now,
    )
    return insert_once(row, "key")


def _follow_transfer(attempt: Attempt, *, now: datetime) -> bool:
    """Promise at once to look after somebody whom a transfer left alone: the call ended by it."""
    row = FollowUp(
        client_id=attempt.client_id,
        lead_id=attempt.lead_id,
        campaign_id=attempt.campaign_id,
        call_id=attempt.call_id,
        due_at=attempt.ended_at or now,
        note=_("The transfer failed: nobody took the call."),
        key=f"transfer:{attempt.pk}",
        created_by_email=_BY_ITSELF,
        created_at=now,
    )
    return insert_once(row, "key")


def follow_what_was_missed(*, now: datetime) -> int:
    """Do what follows the calls that ended within the last hour, whoever was killed before."""
    rules = FollowUpRule.objects.filter(is_active=True)
    clients = set(rules.values_list("client_id", flat=True))
    ended = Attempt.objects.filter(
        Q(client_id__in=clients) | Q(disconnection_reason=CANCELLED_REASON),
        status=Attempt.Status.ENDED,
        ended_at__gte=now - LOOK_BACK,
    ).order_by("-ended_at")
    return follow_by_rules(attempt_ids=ended.values_list("pk", flat=True)[:5000], now=now)


def remind(*, now: datetime) -> list[FollowUp]:
    """
    Tell of follow-ups that are due, in the app; return those with an assignee, who get a mail too.

    Each is told of once; two processes that remind at the same time tell once.
    """
    due = FollowUp.objects.filter(
        Q(reminded_at=None), status=Status.OPEN, due_at__lte=now
    ).select_related("lead", "client", "assignee")
    rows = list(due.order_by("due_at", "pk")[:AT_ONCE])
    told = [row for row in rows if run_atomic(partial(_remind, row, now))]
    return [row for row in told if row.assignee and row.assignee.is_active]


def _remind(row: FollowUp, now: datetime) -> bool:
    """Note that it was told, and tell; both or neither, so that a killed run leaves it to the next."""
    if not FollowUp.objects.filter(pk=row.pk, reminded_at=None).update(reminded_at=now):
        return False
    notify(
        client=row.client,
        level=Notification.Level.INFO,
        title=_("Follow-up due: %s") % row.lead,
        body=f"{row.note} ({row.assignee})" if row.assignee else row.note,
        url=f"/app/leads/{row.lead_id}/",
        key=f"follow_up.due:{row.pk}:{row.due_at:%Y%m%dT%H%M}",
        now=now,
    )
    return True
