"""Rules on outcomes: written, tested on past calls, switched on, and carried out once for each call."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from audit import actions
from audit.services import record
from campaigns.automation import CallFacts, Conditions, Params, means
from campaigns.models import Attempt, AutomationRule, AutomationRun
from campaigns.services.call_facts import facts_of
from campaigns.services.outcome_actions import ACTIONS
from convomono.lib.db import atomic, compare_and_set, in_transaction, insert_once, run_atomic

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor

log = structlog.get_logger()

# The analysis of a call comes within a minute or so, and may change what it came to.
ANALYSIS_WAIT = timedelta(seconds=90)
# A rule on what was answered waits for it so long.
ANALYSIS_PATIENCE = timedelta(minutes=15)
# Which clients have rules is asked for this often, in the clock's time.
KNOWN_FOR = timedelta(seconds=5)
# Rules that were switched on within this are asked whether they missed a call meanwhile.
CATCH_UP = timedelta(hours=1)
# After each failure of an action; after the last of them it is given up.
TRY_AGAIN = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
)
PAST_CALLS = 1000
KEPT_FOR = timedelta(days=180)
SHOWN = 10
AT_ONCE = 200
Status = AutomationRun.Status
_known: dict[UUID, tuple[datetime, list[AutomationRule]]] = {}


class RuleUntested(Exception):
    """Somebody wanted to switch a rule on that was not tested as it is now."""


@dataclass(frozen=True, kw_only=True)
class RuleContent:
    """A rule as somebody writes it."""

    name: str
    campaign_id: UUID | None
    outcomes: tuple[str, ...]
    action: str
    params: Params
    conditions: Conditions = field(default_factory=Conditions)


@dataclass(frozen=True)
class TestResult:
    """What a rule would have done: how many of the last calls it means, with the newest of them."""

    __test__ = False

    looked_at: int
    meant: int
    newest: list[Attempt]


@atomic
def save_rule(
    *,
    client: Client,
    content: RuleContent,
    actor: Actor,
    now: datetime,
    rule: AutomationRule | None = None,
) -> AutomationRule:
    """Write a rule, or change one; either way it is off and untested afterwards."""
    columns: dict[str, Any] = {
        "name": content.name,
        "campaign_id": content.campaign_id,
        "outcomes": list(content.outcomes),
        "conditions": dict(content.conditions),
        "action": content.action,
        "params": dict(content.params),
        "is_active": False,
        "tested_at": None,
        "activated_at": None,
    }
    if rule is None:
        by = {"created_by_email": actor.actor_email, "created_at": now}
        rule = AutomationRule.objects.create(client=client, **columns, **by)
    else:
        edits = F("edits_count") + 1
        AutomationRule.objects.filter(pk=rule.pk).update(**columns, edits_count=edits)
        rule.refresh_from_db()
    record(actions.AUTOMATION_CHANGED, resource=rule, actor=actor, now=now)
    return rule


def try_rule(*, rule: AutomationRule, now: datetime) -> TestResult:
    """Look which of the client's last 1,000 calls a rule means, and note that it was tested."""
    attempts = Attempt.objects.filter(
        client_id=rule.client_id, status=Attempt.Status.ENDED
    ).select_related("enrolment__lead")
    if rule.campaign_id:
        attempts = attempts.filter(campaign_id=rule.campaign_id)
    rows = list(attempts.order_by("-created_at", "-pk")[:PAST_CALLS])
    facts = facts_of(rows, reads_analysis=bool(rule.conditions))
    meant = [row for row in rows if means(rule.outcomes, facts[row.pk], rule.conditions)]
    compare_and_set(rule, "edits_count", tested_at=now)
    return TestResult(len(rows), len(meant), meant[:SHOWN])


@atomic
def switch_rule(*, rule: AutomationRule, is_active: bool, actor: Actor, now: datetime) -> None:
    """
    Switch a rule on or off; on, it holds for calls that end from now on.

    :raises RuleUntested: if it was not tested as it is now
    """
    rows = AutomationRule.objects.filter(pk=rule.pk)
    if is_active:
        changed = rows.filter(is_active=False).exclude(tested_at=None)
        if not changed.update(is_active=True, activated_at=now) and not rows.filter(is_active=True):
            raise RuleUntested
    else:
        rows.update(is_active=False)
    details = {"is_active": is_active}
    record(actions.AUTOMATION_SWITCHED, resource=rule, actor=actor, now=now, details=details)


def note_outcome(*, attempt: Attempt, now: datetime) -> int:
    """
    Note for each rule that a call of its campaign has ended, inside the caller's transaction.

    Nothing is done yet: the rule looks at the call once its analysis had time to come.
    """
    return sum(_insert(rule, attempt, now) for rule in rules_for(attempt, now))


def rules_for(attempt: Attempt, now: datetime) -> list[AutomationRule]:
    """Return the rules that look at this call; those of a moment ago, and most clients have none."""
    mine = _rules_of(attempt.client_id, now)
    return [rule for rule in mine if rule.campaign_id in {None, attempt.campaign_id}]


def run_due(*, now: datetime) -> int:
    """
    Carry out what is due; each rule acts on a call once, however often this runs. Returns how many.

    An action that fails is tried again, later each time, and given up after the fifth failure: then the
    run says so on the rule's page, and its client is told once a day.
    """
    _note_missed(now)
    due = AutomationRun.objects.filter(status=AutomationRun.Status.PENDING, due_at__lte=now)
    rows = list(due.select_related("rule", "client").order_by("due_at", "pk")[:AT_ONCE])
    done = 0
    for row in rows:
        try:
            done += _run(row, now)
        except Exception:  # one that fails must not hold up the others
            log.exception("automation.failed", run_id=str(row.pk))
            _put_off(row, now)
    return done


def purge_runs(*, now: datetime) -> int:
    """
    Delete what rules did half a year ago, some at a time; return how many runs.

    Events that may be applied again are younger, so that nothing is done a second time.
    """
    gone = 0
    for status in (Status.DONE, Status.SKIPPED, Status.FAILED):
        old = AutomationRun.objects.filter(status=status, due_at__lt=now - KEPT_FOR)
        while keys := list(old.order_by("due_at").values_list("pk", flat=True)[:AT_ONCE]):
            gone += AutomationRun.objects.filter(pk__in=keys).delete()[0]
    return gone


def _rules_of(client_id: UUID, now: datetime) -> list[AutomationRule]:
    """Return a client's active rules, as they were a moment ago: most clients have none."""
    known = _known.get(client_id)
    if known is None or not timedelta() <= now - known[0] < KNOWN_FOR:
        rows = AutomationRule.objects.filter(client_id=client_id, is_active=True)
        _known[client_id] = known = (now, list(rows))
    return known[1]


def _note_missed(now: datetime) -> None:
    """Note the calls that ended when a rule had just been switched on, and not every process knew of it."""
    fresh = AutomationRule.objects.filter(
        is_active=True, activated_at__gt=now - CATCH_UP, activated_at__lte=now
    )
    for rule in fresh:
        assert rule.activated_at is not None  # as it was asked for
        attempts = Attempt.objects.filter(
            client_id=rule.client_id,
            status=Attempt.Status.ENDED,
            created_at__gt=now - 2 * CATCH_UP,
            ended_at__gte=rule.activated_at,
            ended_at__lte=rule.activated_at + 2 * KNOWN_FOR,
        )
        if rule.campaign_id:
            attempts = attempts.filter(campaign_id=rule.campaign_id)
        for attempt in attempts.order_by("ended_at", "pk"):
            _insert(rule, attempt, now)


def _insert(rule: AutomationRule, attempt: Attempt, now: datetime) -> bool:
    row = AutomationRun(
        client_id=attempt.client_id,
        rule=rule,
        attempt_id=attempt.pk,
        due_at=now + ANALYSIS_WAIT,
        created_at=now,
    )
    if not in_transaction():
        return insert_once(row, "rule", "attempt_id")
    # A duplicate would end a MongoDB transaction, so it is looked for; the key stays the guard.
    if AutomationRun.objects.filter(rule=rule, attempt_id=attempt.pk).exists():
        return False
    row.save(force_insert=True)
    return True


def _run(row: AutomationRun, now: datetime) -> bool:
    attempt = (
        Attempt.objects.select_related(
            "enrolment__lead", "enrolment__batch_call__campaign__retry_policy", "client"
        )
        .filter(pk=row.attempt_id)
        .first()
    )
    rule = row.rule
    if attempt is None or not rule.is_active:
        _close(row, AutomationRun.Status.SKIPPED, "")
        return False
    facts = facts_of([attempt], reads_analysis=bool(rule.conditions))[attempt.pk]
    if _waits_for_analysis(row, facts, now):
        return False
    if not means(rule.outcomes, facts, rule.conditions):
        _close(row, AutomationRun.Status.SKIPPED, "")
        return False

    def block() -> bool:
        # The row first: of two workers one acts, and with a failed action it is pending again.
        if not _close(row, AutomationRun.Status.DONE, ""):
            return False
        result = ACTIONS[rule.action](rule, attempt, now)
        AutomationRun.objects.filter(pk=row.pk).update(result=result[:300])
        return True

    return run_atomic(block)


def _waits_for_analysis(row: AutomationRun, facts: CallFacts, now: datetime) -> bool:
    """Let a run wait on where its rule may mean the call, and nobody knows yet what was answered."""
    is_open = not facts.is_analysed and means(row.rule.outcomes, facts)
    if not is_open or now - row.created_at >= ANALYSIS_PATIENCE:
        return False
    pending = AutomationRun.objects.filter(pk=row.pk, status=AutomationRun.Status.PENDING)
    pending.update(due_at=now + ANALYSIS_WAIT)
    return True


def _put_off(row: AutomationRun, now: datetime) -> None:
    """Count a failure: the run waits for its next try, or is over."""
    tries = row.tries_count + 1
    rows = AutomationRun.objects.filter(
        pk=row.pk, status=AutomationRun.Status.PENDING, tries_count=row.tries_count
    )
    if tries <= len(TRY_AGAIN):
        result = _("It failed and is tried again.")
        rows.update(tries_count=tries, due_at=now + TRY_AGAIN[tries - 1], result=result)
        return
    result = _("It failed %(n)d times and was given up.") % {"n": tries}
    if rows.update(tries_count=tries, status=AutomationRun.Status.FAILED, result=result):
        notify(
            client=row.client,
            level=Notification.Level.BAD,
            title=_("The rule “%(rule)s” failed") % {"rule": row.rule.name},
            body=_("What it should have done after a call was given up. Look at the rule."),
            url=f"/app/automation/{row.rule_id}/",
            key=f"automation.failed:{row.rule_id}:{now:%Y-%m-%d}",
            now=now,
        )


def _close(row: AutomationRun, status: str, result: str) -> bool:
    pending = AutomationRun.objects.filter(pk=row.pk, status=AutomationRun.Status.PENDING)
    return bool(pending.update(status=status, result=result))
