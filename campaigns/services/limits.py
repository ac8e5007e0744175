"""A client's own calling limits, and the review of the rules they tighten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns import line_jobs
from campaigns.calling_rules import WEEK, Limits, find_rule
from campaigns.models import ClientLimits, RuleReview
from convomono.lib.db import IntegrityError, atomic

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from accounts.models import Client, User
    from audit.services import Actor

NO_LIMITS = Limits()


class RuleUnknown(Exception):
    """No rule of this name and version is in force; somebody changed the file meanwhile."""


class RuleReviewed(Exception):
    """This version of the rule was reviewed before."""


def client_limits(client_id: UUID) -> Limits:
    """Return a client's own limits; without any, those that tighten nothing. One query."""
    row = ClientLimits.objects.filter(client_id=client_id).first()
    if row is None:
        return NO_LIMITS
    return Limits(
        weekdays=frozenset(row.weekdays) & WEEK,
        opens_minute=row.opens_minute,
        closes_minute=row.closes_minute,
        calls_per_day=row.calls_per_day,
        calls_per_week=row.calls_per_week,
        gap_seconds=row.gap_seconds,
    )


def set_client_limits(*, client: Client, limits: Limits, actor: Actor, now: datetime) -> bool:
    """
    Set a client's own limits for all its campaigns, from the next dial on; tell whether they changed.

    What is looser than a calling rule has no effect: the rule binds.
    """
    if client_limits(client.pk) == limits:
        return False
    columns = {
        "weekdays": sorted(limits.weekdays),
        "opens_minute": limits.opens_minute,
        "closes_minute": limits.closes_minute,
        "calls_per_day": limits.calls_per_day,
        "calls_per_week": limits.calls_per_week,
        "gap_seconds": limits.gap_seconds,
        "changed_by_email": actor.actor_email,
        "changed_at": now,
    }

    @atomic
    def block() -> None:
        if not ClientLimits.objects.filter(client=client).update(**columns):
            ClientLimits.objects.create(client=client, **columns)
        record(actions.LIMITS_CHANGED, resource=client, actor=actor, now=now, details=shown)
        line_jobs.ask_to_decide_again(client_id=client.pk, now=now)

    shown = {name: value for name, value in columns.items() if not name.startswith("changed")}
    try:
        block()
    except IntegrityError:  # somebody else has just set the first ones
        block()
    return True


def review_rule(
    *, rule_id: str, version: int, reviewer: User, on: date, note: str, now: datetime
) -> RuleReview:
    """
    Keep a person's word that they reviewed one version of a rule; a changed rule needs another.

    :raises RuleUnknown: if the file has no such version (any more)
    :raises RuleReviewed: if somebody has reviewed it before
    """
    rule = find_rule(rule_id)
    if rule is None or rule.version != version:
        raise RuleUnknown(rule_id)
    review = RuleReview(
        rule_id=rule_id,
        rule_version=version,
        reviewed_by_email=reviewer.email,
        reviewed_by_name=reviewer.name or reviewer.email,
        reviewed_on=on,
        note=note,
        created_at=now,
    )

    @atomic
    def block() -> None:
        review.save(force_insert=True)
        details = {"rule": rule_id, "version": version, "note": note}
        record(actions.RULE_REVIEWED, resource=review, actor=reviewer, now=now, details=details)

    try:
        block()
    except IntegrityError:
        raise RuleReviewed(rule_id) from None
    return review
