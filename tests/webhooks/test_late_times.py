"""What is due after a call is due at the same time in whichever order its events tell when it ended."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from campaigns.agent_settings import CONVERTED_FIELD
from campaigns.dialling.callbacks import CALLBACK_FIELD
from campaigns.models import Attempt, Enrolment, FollowUp, FollowUpRule, RetryPolicy
from leads.models import Lead
from telephony.models import Call
from tests.webhooks.conftest import ANALYSIS, deliver, tell, without
from tests.webhooks.test_handler import outcome_of
from webhooks.drain import step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from tests.webhooks.conftest import Ringing

pytestmark = pytest.mark.django_db
IN_TWO_HOURS = {CALLBACK_FIELD: "in 2 hours"}


def says(call: Ringing, reason: str, asked: dict[str, Any]) -> dict[str, bytes]:
    """Return a call's events; only the analysis tells when it ended, 90 seconds after the tests' now."""
    analysis = ANALYSIS | {"custom_analysis_data": asked}
    said = call.says(reason, seconds=30, call_analysis=analysis)
    return said | {"ended": without(said["ended"], "end_timestamp", "call_analysis")}


def told(call: Ringing, bodies: Iterable[bytes], now: datetime) -> dict[str, Any]:
    """Return all that a call's events come to, with what a colleague is to do."""
    for body in bodies:
        tell(body, now)
    due = FollowUp.objects.filter(lead_id=call.attempt.lead_id).order_by("note")
    return outcome_of(call.attempt) | {"follow_ups": list(due.values_list("note", "due_at"))}


def ask_for(call: Ringing, outcome: str, now: datetime) -> None:
    FollowUpRule.objects.create(
        client=call.attempt.client,
        outcome=outcome,
        delay_seconds=3600,
        note="Thank them",
        created_at=now - timedelta(days=1),
    )


@pytest.mark.parametrize(
    ("reason", "asked"),
    [
        ("inactivity", {}),
        ("voicemail_reached", {}),
        ("user_hangup", {}),
        ("user_hangup", IN_TWO_HOURS),
        ("agent_hangup", {CALLBACK_FIELD: "2026-11-29 15:00"}),
        ("user_hangup", IN_TWO_HOURS | {CONVERTED_FIELD: True}),
    ],
)
def test_are_the_same_in_every_order(
    reason: str, asked: dict[str, Any], launched: Callable[[int], list[Ringing]], now: datetime
):
    orders = list(permutations(["started", "ended", "analyzed"]))
    calls = launched(len(orders))
    for outcome_class in ("human", "machine"):
        ask_for(calls[0], outcome_class, now)

    outcomes = []
    for call, order in zip(calls, orders, strict=True):
        said = says(call, reason, asked)
        outcomes.append(told(call, (said[name] for name in order), now))

    for order, outcome in zip(orders, outcomes, strict=True):
        assert outcome == outcomes[0], order


def test_puts_off_the_retry_until_it_is_due(ringing: Ringing, now: datetime):
    """Drained, as they come: the retry counts from the end that Retell tells last."""
    said = says(ringing, "inactivity", {})
    for name in ("ended", "analyzed"):
        deliver(said[name], created_at=now, next_try_at=now)
        step(now=now)
        enrolment = Enrolment.objects.get()
        lead = Lead.objects.get(pk=enrolment.lead_id)
        assert lead.next_attempt_at == enrolment.next_attempt_at
        if name == "ended":
            thought = enrolment.next_attempt_at

    assert enrolment.next_attempt_at == thought + timedelta(seconds=90)


def test_leaves_a_follow_up_where_somebody_moved_it(ringing: Ringing, now: datetime):
    ask_for(ringing, "human", now)
    said = says(ringing, "user_hangup", {})
    tell(said["ended"], now)
    moved_to = now + timedelta(days=3)
    assert FollowUp.objects.update(due_at=moved_to) == 1

    tell(said["analyzed"], now)

    assert FollowUp.objects.get().due_at == moved_to


def test_leaves_a_retry_where_somebody_moved_it(ringing: Ringing, now: datetime):
    said = says(ringing, "inactivity", {})
    tell(said["ended"], now)
    moved_to = now + timedelta(days=3)
    Enrolment.objects.update(next_attempt_at=moved_to)

    tell(said["analyzed"], now)

    assert Enrolment.objects.get().next_attempt_at == moved_to


def test_shows_on_the_list_when_the_person_is_called_back(
    launched: Callable[[int], list[Ringing]], now: datetime
):
    """Only the analysis tells the wish, and it comes last: the list said that the lead was done with."""
    call, _other = launched(2)  # while the other one rings, the launch goes on
    said = says(call, "user_hangup", IN_TWO_HOURS)
    for name in ("started", "ended"):
        tell(said[name], now)
    assert Lead.objects.get(pk=call.attempt.lead_id).status == Lead.Status.REACHED

    tell(said["analyzed"], now)

    lead = Lead.objects.get(pk=call.attempt.lead_id)
    assert lead.next_attempt_at == now + timedelta(hours=2, seconds=90)
    assert lead.status == Lead.Status.CALLED


def without_end(call: Ringing, asked: dict[str, Any]) -> dict[str, bytes]:
    """Return the events of a talk, of which none tells when it ended."""
    said = says(call, "user_hangup", asked)
    return said | {"analyzed": without(said["analyzed"], "end_timestamp")}


def test_keeps_the_time_that_was_asked_for_while_nobody_knows_the_end(
    launched: Callable[[int], list[Ringing]], now: datetime
):
    """However often and late the same comes again."""
    call, _other = launched(2)
    said = without_end(call, IN_TWO_HOURS)
    for minutes, name in enumerate(["analyzed", "ended", "analyzed", "ended", "analyzed"]):
        tell(said[name], now + timedelta(minutes=minutes))

    enrolment = Enrolment.objects.get(pk=call.attempt.enrolment_id)
    assert enrolment.next_attempt_at == enrolment.callback_at == now + timedelta(hours=2)


def test_leaves_a_promised_call_where_somebody_moved_it(
    launched: Callable[[int], list[Ringing]], now: datetime
):
    call, _other = launched(2)
    said = without_end(call, IN_TWO_HOURS)
    tell(said["analyzed"], now)
    mine = Enrolment.objects.filter(pk=call.attempt.enrolment_id)
    mine.update(next_attempt_at=now - timedelta(days=1), moved_from=now + timedelta(hours=2))

    tell(call.says("user_hangup")["ended"], now)

    assert mine.get().next_attempt_at == now - timedelta(days=1)


@pytest.mark.parametrize("is_moved", [False, True])
def test_moves_the_promise_of_a_call_whose_launch_is_over(
    ringing: Ringing, now: datetime, is_moved: bool
):
    said = without_end(ringing, IN_TWO_HOURS)
    for name in ("ended", "analyzed"):
        tell(said[name], now)
    made = FollowUp.objects.filter(key=f"callback:{ringing.attempt.pk}")
    assert made.get().due_at == now + timedelta(hours=2)
    if is_moved:
        made.update(due_at=now + timedelta(days=2))

    tell(ringing.says("user_hangup")["ended"], now)

    later = timedelta(days=2) if is_moved else timedelta(hours=2, seconds=90)
    assert made.get().due_at == now + later


def test_moves_what_is_promised_of_a_call_that_turns_out_another(ringing: Ringing, now: datetime):
    """The analysis hears a machine, and tells the end as well."""
    RetryPolicy.objects.update(max_attempts=1)
    ask_for(ringing, "exhausted", now)
    heard = ANALYSIS | {"in_voicemail": True}
    said = ringing.says("inactivity", call_analysis=heard)
    tell(without(said["ended"], "end_timestamp", "call_analysis"), now)
    assert FollowUp.objects.get().due_at == now + timedelta(hours=1)

    tell(said["analyzed"], now)

    assert FollowUp.objects.get().due_at == now + timedelta(hours=1, seconds=90)


def test_shows_the_promised_call_beside_what_a_person_corrected(
    launched: Callable[[int], list[Ringing]], now: datetime
):
    call, _other = launched(2)
    said = says(call, "user_hangup", IN_TWO_HOURS)
    tell(said["ended"], now)
    leads = Lead.objects.filter(pk=call.attempt.lead_id)
    leads.update(status=Lead.Status.CONVERTED)
    Call.objects.filter(lead_id=call.attempt.lead_id).update(corrected_outcome="goal")

    tell(said["analyzed"], now)

    assert leads.get().status == Lead.Status.CONVERTED
    assert leads.get().next_attempt_at == now + timedelta(hours=2, seconds=90)


def test_holds_to_what_was_thought_of_the_end(ringing: Ringing, now: datetime):
    """A machine is heard later, but nothing more of the time: the retry is due by the first news."""
    said = ringing.says("inactivity", call_analysis=ANALYSIS | {"in_voicemail": True})
    tell(without(said["ended"], "end_timestamp", "call_analysis"), now)
    tell(without(said["analyzed"], "end_timestamp"), now + timedelta(minutes=9))

    attempt = Attempt.objects.get()
    assert attempt.outcome_class == "machine"
    assert attempt.ended_at == now
