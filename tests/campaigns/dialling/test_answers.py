"""What each answer to a dial does, and that nothing but the same key ever follows a lost one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from accounts.models import Notification
from billing.models import CallHold
from campaigns.dialling.recovery import GIVE_UP
from campaigns.models import Attempt, BatchCall, Enrolment
from campaigns.services import dialling
from leads.models import Lead, LeadStatusChange, Suppression
from telephony.provider import Unavailable
from tests.campaigns.dialling.conftest import statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db


def keys(rig: Rig) -> set[str]:
    return {dial.idempotency_key for dial in rig.retell.dials}


def test_sends_a_rate_limited_attempt_again_under_its_key(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    rig.retell.rate_limit(5)

    rig.step()
    assert statuses(batch_call) == {"queued": 1}
    assert Enrolment.objects.get().waiting_reason == "provider_busy"
    rig.step(seconds=4)
    assert len(rig.retell.dials) == 1
    rig.step(seconds=1)

    assert (len(rig.retell.dials), len(keys(rig)), Attempt.objects.count()) == (2, 1, 1)
    assert statuses(batch_call) == {"in_call": 1}


def test_opens_the_breaker_after_five_failures_and_tries_with_one_call(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=8)
    rig.retell.be_unavailable(6)
    rig.dispatcher(per_second=10)

    for _ in range(10):
        rig.step(seconds=0.1)
    assert len(rig.retell.dials) == 5
    rig.step(seconds=0.5)
    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == "provider_away"
    assert batch_call.waiting_until is not None and batch_call.waiting_until > rig.now

    rig.step(seconds=15)
    assert len(rig.retell.dials) == 6  # half open: a single call, and it failed
    rig.step(seconds=15)
    assert len(rig.retell.dials) == 6  # closed for twice as long
    for _ in range(20):
        rig.step(seconds=5)
    assert statuses(batch_call) == {"in_call": 8}
    assert len(keys(rig)) == 8


@pytest.mark.slow
def test_never_redials_while_an_outcome_is_unknown(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    rig.retell.lose_answer(placed=True)

    rig.step()
    assert Attempt.objects.get().status == "unknown"
    assert CallHold.objects.get().status == "held"
    assert statuses(batch_call) == {"dialling": 1}
    for _ in range(50):
        rig.step()

    assert len(rig.retell.dials) == 1
    assert Attempt.objects.get().status == "placed"  # the look-up found it
    assert statuses(batch_call) == {"in_call": 1}


def test_sends_again_under_the_same_key_what_was_never_placed(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    rig.retell.lose_answer(placed=False)

    for _ in range(60):
        rig.step()

    assert (len(rig.retell.dials), len(keys(rig)), len(rig.retell.placed)) == (2, 1, 1)
    assert statuses(batch_call) == {"in_call": 1}


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["rate_limit", "be_unavailable", "reject"])
def test_keeps_an_attempt_unknown_whatever_a_later_sending_says(
    rig: Rig, ready: Callable[..., BatchCall], answer: str
) -> None:
    ready()
    rig.retell.lose_answer(placed=False)
    getattr(rig.retell, answer)()

    for _ in range(200):
        rig.step()

    assert len(keys(rig)) == 1
    assert Attempt.objects.get().status == "placed"


def test_gives_an_unknown_attempt_up_when_a_call_would_be_listed(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    rig.retell.lose_answer(placed=False)
    rig.step()
    BatchCall.objects.update(status="paused")

    rig.step(seconds=GIVE_UP.total_seconds() - 60)
    assert Attempt.objects.get().status == "unknown"
    rig.step(seconds=120)

    assert Attempt.objects.get().status == "not_placed"
    assert CallHold.objects.get().status == "voided"
    assert statuses(batch_call) == {"queued": 1}
    assert len(rig.retell.dials) == 1


def test_settles_unknown_attempts_without_a_dispatcher(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialling, "retell_gateway", lambda: rig.retell)
    batch_call = ready(leads=2)
    rig.retell.lose_answer(placed=True)
    rig.retell.lose_answer(placed=False)
    rig.step()
    rig.step()
    rig.tick(40)

    assert dialling.resolve_unknown_attempts(now=rig.now) == 1
    assert statuses(batch_call) == {"in_call": 1, "dialling": 1}
    rig.retell.fail("list_calls", Unavailable("down"))
    assert dialling.resolve_unknown_attempts(now=rig.now) == 0
    BatchCall.objects.update(status="cancelled")
    rig.tick(900)
    assert dialling.resolve_unknown_attempts(now=rig.now) == 1
    assert statuses(batch_call) == {"in_call": 1, "cancelled": 1}
    assert dialling.resolve_unknown_attempts(now=rig.now) == 0


def test_keeps_the_minutes_of_a_call_that_is_found_late(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked about once it has been silent since it was found: its hold mustn't be over before."""
    monkeypatch.setattr(dialling, "retell_gateway", lambda: rig.retell)
    ready()
    rig.retell.lose_answer(placed=True)
    rig.step()
    before = CallHold.objects.get().expires_at
    rig.tick(240)

    assert dialling.resolve_unknown_attempts(now=rig.now) == 1

    assert CallHold.objects.get().expires_at == before + timedelta(seconds=240)


def test_learns_of_a_lost_call_from_its_events(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    rig.retell.lose_answer(placed=True)
    rig.step()

    rig.end(Attempt.objects.get())

    assert statuses(batch_call) == {"done": 1}
    assert Attempt.objects.get().status == "ended"


def test_asks_again_when_looking_up_fails(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    ready()
    rig.retell.lose_answer(placed=True)
    rig.retell.fail("list_calls", Unavailable("down"))

    for _ in range(90):
        rig.step()

    assert Attempt.objects.get().status == "placed"


def test_suppresses_whom_the_platform_holds_as_do_not_call(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    rig.retell.refuse_as_do_not_call()

    rig.step()

    assert statuses(batch_call) == {"suppressed": 1}
    assert Suppression.objects.get().level == "client"
    assert CallHold.objects.get().status == "voided"
    assert batch_call.status == "finished"


def test_ends_a_lead_whose_number_is_refused(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    rig.retell.reject(400, "to_number must be a phone number in E.164 format.")

    rig.step()

    assert statuses(batch_call) == {"invalid": 1}
    assert Attempt.objects.get().error.startswith("to_number")
    assert Lead.objects.get().status == "invalid"
    change = LeadStatusChange.objects.get()
    assert (change.after, change.why) == ("invalid", "refused")


def test_pauses_a_launch_that_the_platform_refuses(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=3)
    rig.retell.reject(422, "Cannot find requested asset under given api key.")

    for _ in range(3):
        rig.step()

    assert statuses(batch_call) == {"queued": 3}
    assert (batch_call.status, batch_call.pause_reason) == ("paused", "provider_refused")
    assert len(rig.retell.dials) == 1
    assert "Cannot find" in Notification.objects.get().body
    assert CallHold.objects.get().status == "voided"


@pytest.mark.parametrize(("status", "reason"), [(401, "provider_key"), (402, "provider_payment")])
def test_stops_everything_when_the_account_is_refused(
    rig: Rig, ready: Callable[..., BatchCall], rival: object, status: int, reason: str
) -> None:
    first = ready(leads=2)
    second = ready(leads=2, client=rival, start=50, number="+12125550177")
    rig.retell.reject(status)

    for _ in range(3):
        rig.step()

    for batch_call in (first, second):
        batch_call.refresh_from_db()
        assert (batch_call.status, batch_call.pause_reason) == ("paused", reason)
    assert len(rig.retell.dials) == 1
    assert Notification.objects.get(client=None).level == "bad"


def test_takes_a_fault_of_our_own_for_a_lost_answer(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    ready()

    def broken(**_request: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(rig.retell, "create_phone_call", broken)
    with ThreadPoolExecutor(1) as pool:
        dispatcher = rig.dispatcher(executor=pool)
        while not dispatcher.under_way:
            rig.tick(0.01)
            dispatcher.step(now=rig.now)
        while dispatcher.under_way:
            dispatcher.write_answers(now=rig.now)

    assert Attempt.objects.get().status == "unknown"
