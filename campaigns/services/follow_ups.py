"""Follow-ups and their rules: made by hand, changed, closed, and told of when they are due."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Notification, User
from accounts.notifications import notify
from audit import actions
from audit.services import record
from campaigns.models import FollowUp, FollowUpRule
from convomono.lib.db import IntegrityError, atomic, run_atomic

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor
    from campaigns.models import Attempt, Campaign
    from leads.models import Lead

Status = FollowUp.Status
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


def forget_follow_ups(*, lead_id: UUID) -> None:
    """Delete a person's follow-ups and what was told of them, which names them; inside the caller's block."""
    rows = FollowUp.objects.filter(lead_id=lead_id)
    for key in rows.values_list("pk", flat=True):
        # All that begin so, by the index of keys: ";" comes right behind ":".
        told = f"follow_up.due:{key}"
        Notification.objects.filter(key__gte=f"{told}:", key__lt=f"{told};").delete()
    rows.delete()


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
