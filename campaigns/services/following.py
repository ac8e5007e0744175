"""What follows a call by itself: what rules ask for, a transfer that failed, a wish that came too late."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.models import Attempt, Enrolment, FollowUp, FollowUpRule
from convomono.lib.bulk import insert_rows
from convomono.lib.db import insert_once
from convomono.lib.keys import beside
from leads.models.people import NOBODY
from telephony.transfers import CANCELLED_REASON

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

_BY_ITSELF = "follow-ups"  # who made a follow-up that no rule asked for
# What no call's news have told, such as a lead that was given up, is found so long after the call.
LOOK_BACK = timedelta(hours=1)
Outcome = FollowUpRule.Outcome


def rules_in_force(client_ids: Iterable[UUID]) -> dict[UUID, list[FollowUpRule]]:
    """Return the active rules of the clients that have any; one query, none without clients."""
    found: dict[UUID, list[FollowUpRule]] = defaultdict(list)
    if ids := set(client_ids):
        for rule in FollowUpRule.objects.filter(is_active=True, client_id__in=ids):
            found[rule.client_id].append(rule)
    return found


def promised(
    attempt: Attempt, enrolment: Enrolment, rules: Sequence[FollowUpRule], now: datetime
) -> list[FollowUp]:
    """
    Return the follow-ups that a call asks for by what is known of it, unsaved.

    The `key` of each says whether it was made before. None of somebody who was erased since the call.
    """
    if attempt.phone_number.startswith(NOBODY):
        return []
    outcomes = _outcomes(attempt, enrolment)
    rows = [_ruled(rule, attempt, now) for rule in rules if _asks(rule, attempt, outcomes)]
    if attempt.disconnection_reason == CANCELLED_REASON:
        rows.append(_left_alone(attempt, now))
    return rows


def may_ask(rules: Sequence[FollowUpRule], attempt: Attempt, outcome_class: str) -> int:
    """Return how many of the rules may ask for a follow-up after a call with this outcome."""
    possible = {outcome_class, Outcome.CONVERTED, Outcome.EXHAUSTED}
    return sum(
        rule.outcome in possible and rule.campaign_id in (None, attempt.campaign_id)
        for rule in rules
    )


def follow_call(*, attempt_id: UUID, client_id: UUID, reason: str, now: datetime) -> int:
    """
    Make what a call asks for and isn't there yet, inside the caller's transaction; return how many.

    `reason` is why the call ended, as Retell says it.

    :raises IntegrityError: if somebody else made one meanwhile
    """
    rules = rules_in_force([client_id])
    if not rules and reason != CANCELLED_REASON:
        return 0
    rows = list(_promised_of([attempt_id], rules, now))
    keys = [row.key for row in rows]
    # A duplicate would end a MongoDB transaction, so it is looked for; the key stays the guard.
    made = FollowUp.objects.filter(beside(client_id=client_id), key__in=keys)
    known = set(made.values_list("key", flat=True)) if keys else set()
    missing = [row for row in rows if row.key not in known]
    insert_rows(missing)
    return len(missing)


def move_promises(attempt: Attempt, *, by: timedelta, now: datetime) -> None:
    """
    Move what a call asked for along with its end, which was thought to be `by` earlier.

    Inside the caller's transaction, after the end was written. What a person moved stays.
    """
    if not by:
        return
    rules = rules_in_force([attempt.client_id])
    for row in _promised_of([attempt.pk], rules, now):
        made = FollowUp.objects.filter(
            key=row.key, status=FollowUp.Status.OPEN, due_at=row.due_at - by
        )
        made.update(due_at=row.due_at)


def move_callback(attempt: Attempt, before: datetime, at: datetime) -> None:
    """Move the follow-up of `promise_callback` to another time, unless a person moved it."""
    made = FollowUp.objects.filter(key=_callback_key(attempt), status=FollowUp.Status.OPEN)
    made.filter(due_at=before).update(due_at=at)


def _callback_key(attempt: Attempt) -> str:
    return f"callback:{attempt.pk}"


def promise_callback(attempt: Attempt, at: datetime, now: datetime) -> bool:
    """
    Make the follow-up of somebody who asked for a call at a time that no launch calls them any more.

    Inside the caller's transaction, once for each call; False if it was made before.

    :raises IntegrityError: if somebody else made it meanwhile
    """
    key = _callback_key(attempt)
    if FollowUp.objects.filter(key=key).exists():
        return False
    row = _of_itself(attempt, at, now, key=key)
    row.note = _(
        "Asked to be called back at this time. The launch is over: nobody calls by itself."
    )
    insert_rows([row])
    return True


def follow_by_rules(*, attempt_ids: Iterable[UUID], now: datetime) -> int:
    """
    Make what these attempts ask for, outside any transaction; return how many it made.

    A second time makes none.
    """
    ids = list(attempt_ids)
    clients = Attempt.objects.filter(pk__in=ids).values_list("client_id", flat=True)
    rules = rules_in_force(clients) if ids else {}
    return sum(insert_once(row, "key") for row in _promised_of(ids, rules, now))


def follow_what_was_missed(*, now: datetime) -> int:
    """Make what calls that ended within the last hour ask for by now, whoever moved their leads."""
    clients = FollowUpRule.objects.filter(is_active=True).values_list("client_id", flat=True)
    ended = Attempt.objects.filter(
        Q(client_id__in=set(clients)) | Q(disconnection_reason=CANCELLED_REASON),
        status=Attempt.Status.ENDED,
        ended_at__gte=now - LOOK_BACK,
    ).order_by("-ended_at")
    return follow_by_rules(attempt_ids=ended.values_list("pk", flat=True)[:5000], now=now)


def _promised_of(
    attempt_ids: Sequence[UUID], rules: dict[UUID, list[FollowUpRule]], now: datetime
) -> Iterator[FollowUp]:
    if not attempt_ids:
        return
    rows = Attempt.objects.filter(pk__in=attempt_ids).select_related("enrolment")
    for row in rows.defer("decision", "request", "enrolment__decision", "enrolment__dynamic_vars"):
        yield from promised(row, row.enrolment, rules.get(row.client_id, []), now)


def _asks(rule: FollowUpRule, attempt: Attempt, outcomes: set[str]) -> bool:
    if rule.client_id != attempt.client_id or attempt.status != Attempt.Status.ENDED:
        return False
    if rule.campaign_id not in (None, attempt.campaign_id):
        return False
    if attempt.ended_at is None or attempt.ended_at < rule.created_at:
        return False
    return rule.outcome in outcomes


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


def _ruled(rule: FollowUpRule, attempt: Attempt, now: datetime) -> FollowUp:
    return FollowUp(
        client_id=attempt.client_id,
        lead_id=attempt.lead_id,
        rule_id=rule.pk,
        campaign_id=attempt.campaign_id,
        call_id=attempt.call_id,
        due_at=(attempt.ended_at or now) + timedelta(seconds=rule.delay_seconds),
        note=rule.note,
        assignee_id=rule.assignee_id,
        key=f"rule:{rule.pk}:{attempt.pk}",
        created_by_email=rule.created_by_email,
        created_at=now,
    )


def _left_alone(attempt: Attempt, now: datetime) -> FollowUp:
    """Promise at once to look after somebody whom a transfer left alone: the call ended by it."""
    row = _of_itself(attempt, attempt.ended_at or now, now, key=f"transfer:{attempt.pk}")
    row.note = _("The transfer failed: nobody took the call.")
    return row


def _of_itself(attempt: Attempt, due_at: datetime, now: datetime, *, key: str) -> FollowUp:
    """Return a follow-up after a call that no rule asks for, without its note."""
    return FollowUp(
        client_id=attempt.client_id,
        lead_id=attempt.lead_id,
        campaign_id=attempt.campaign_id,
        call_id=attempt.call_id,
        due_at=due_at,
        key=key,
        created_by_email=_BY_ITSELF,
        created_at=now,
    )
