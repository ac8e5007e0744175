"""A launch waits a while for what was said in its last calls, and says so; what comes too late is promised."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from campaigns import enrolments
from campaigns.dialling import waiting
from campaigns.models import Attempt, BatchCall, Enrolment, FollowUp
from campaigns.services import steering
from leads.services.erasure import erase_lead
from telephony.services.calls import ANALYSIS_WITHIN
from tests.campaigns.dialling.conftest import policy, statuses
from tests.factories.campaigns import TESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db
WITHIN = timedelta(minutes=2)
TOMORROW = {"callback_time": "tomorrow at 3 pm"}


@pytest.fixture(autouse=True)
def waits_for_results(monkeypatch: pytest.MonkeyPatch, results_come_at_once: None) -> None:
    monkeypatch.setattr(enrolments, "RESULTS_WITHIN", WITHIN)


def called(rig: Rig, batch_call: BatchCall, reason: str = "user_hangup") -> None:
    """Dial everybody and end each call."""
    for _lead in range(batch_call.tasks_count):
        rig.step()
    for attempt in rig.ringing():
        rig.end(attempt, reason)
    rig.step()
    batch_call.refresh_from_db()


def test_waits_for_what_was_said_in_the_last_calls_and_says_so(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=3)

    called(rig, batch_call)

    assert (batch_call.status, batch_call.waiting_reason) == ("running", waiting.RESULTS)
    assert statuses(batch_call) == {"done": 3}
    assert "still being read" in waiting.waiting_sentence(batch_call.waiting_reason, facts={})


def test_keeps_every_callback_that_the_last_calls_ask_for(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=3)
    called(rig, batch_call)

    rig.tick(20)
    for attempt in {row.enrolment_id: row for row in _attempts()}.values():
        rig.analyse(attempt, custom_analysis_data=TOMORROW)
    rig.step()

    batch_call.refresh_from_db()
    assert (batch_call.status, batch_call.waiting_reason) == ("running", waiting.CALLBACK)
    assert statuses(batch_call) == {"queued": 3}
    assert not FollowUp.objects.exists()


def test_tries_again_who_was_a_machine_after_all(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    policy(batch_call.campaign, max_attempts=3)
    called(rig, batch_call, "agent_hangup")

    rig.analyse(_attempts()[0], in_voicemail=True)

    assert statuses(batch_call) == {"queued": 1}


def test_finishes_as_soon_as_all_is_read(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=2)
    called(rig, batch_call)

    for attempt in _attempts():
        rig.analyse(attempt, call_summary="They talked.")
    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.status == "finished"


def test_finishes_without_what_never_comes(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    called(rig, batch_call)

    rig.tick(WITHIN.total_seconds() - 10)
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.status == "running"
    rig.tick(10)
    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.status == "finished"


def test_waits_for_nothing_where_nobody_picked_up(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    policy(batch_call.campaign, max_attempts=1)

    called(rig, batch_call, "dial_no_answer")

    assert batch_call.status == "finished"


def test_promises_the_callback_of_somebody_whose_launch_was_stopped(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    called(rig, batch_call)
    steering.stop_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)

    rig.analyse(_attempts()[0], custom_analysis_data=TOMORROW)

    assert FollowUp.objects.get().lead_id == Enrolment.objects.get().lead_id


@pytest.mark.parametrize("reason", ["user_requested_dnc", "erased"])
def test_promises_nobody_who_is_not_to_be_called(
    rig: Rig, ready: Callable[..., BatchCall], reason: str
) -> None:
    batch_call = ready()
    called(rig, batch_call, "user_hangup" if reason == "erased" else reason)
    rig.tick(2 * ANALYSIS_WITHIN.total_seconds())
    rig.step()
    attempt = _attempts()[0]
    if reason == "erased":
        lead = Enrolment.objects.get().lead
        erase_lead(lead=lead, reason="asked", actor=TESTS, now=rig.now)

    rig.analyse(attempt, custom_analysis_data=TOMORROW)

    assert not FollowUp.objects.exists()


def _attempts() -> list[Attempt]:
    return list(Attempt.objects.order_by("created_at"))
