"""Killed between any two statements, doubled, raced: never two calls for one attempt."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, connections

from billing.invariants import audit_ledger
from billing.services import HoldResolved, ReservationEmpty, void
from campaigns.dialling.placing import Overtaken, arm
from campaigns.enrolments import completeness
from campaigns.models import Attempt, BatchCall, Enrolment, PersonPace
from convomono.lib.ids import uuid7
from tests.campaigns.dialling.conftest import statuses
from tests.mongo import fewer

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client
    from tests.campaigns.dialling.conftest import Rig


class Killed(BaseException):
    """The process ended here."""


def killed(*_arguments: object, **_named: object) -> None:
    raise Killed


class KillAt:
    """Ends the process before its n-th statement."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Killed
        return execute(sql, params, many, context)


def nothing_doubled(rig: Rig) -> None:
    """Each attempt rang once at most, and each lead has one call that rings."""
    by_attempt = [call.metadata["attempt_id"] for call in rig.retell.placed.values()]
    assert len(by_attempt) == len(set(by_attempt))
    by_number = [call.payload["to_number"] for call in rig.retell.placed.values()]
    assert len(by_number) == len(set(by_number))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("answer", ["place", "lose_answer", "rate_limit", "reject"])
def test_survives_a_kill_before_any_statement(
    rig: Rig, ready: Callable[..., BatchCall], answer: str
) -> None:
    batch_call = ready(leads=12)
    killed = 0
    for number in range(0, 60, fewer(5, 10)):
        if answer == "reject":
            rig.retell.reject(400, "to_number is no phone number.")
        else:
            getattr(rig.retell, answer)()
        dispatcher = rig.dispatcher()
        rig.tick(100)  # the dead one's lease and claims have run out
        try:
            with connection.execute_wrapper(KillAt(number)):
                dispatcher.step(now=rig.now)
                dispatcher.write_answers(now=rig.now)
        except Killed:
            killed += 1
        rig.dispatchers.clear()

    assert killed > fewer(5, 2)
    for _ in range(40):
        rig.step(seconds=40)
    nothing_doubled(rig)
    rang = len(rig.retell.placed)
    assert statuses(batch_call).get("in_call", 0) == rang
    assert not Attempt.objects.filter(status__in=("dialling", "unknown")).exists()
    for attempt in rig.ringing():
        rig.end(attempt)
    rig.run(ends={})
    batch_call.refresh_from_db()
    assert batch_call.status == "finished"
    assert completeness(batch_call.pk).holds
    assert list(audit_ledger()) == []


@pytest.mark.django_db
def test_takes_up_what_was_taken_up_and_never_sent(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_call = ready()
    rig.retell.rate_limit()
    rig.step()
    key = str(Attempt.objects.get().pk)

    with monkeypatch.context() as patch:
        patch.setattr("campaigns.dispatcher.arm", killed)
        with pytest.raises(Killed):
            rig.step(seconds=6)
    assert statuses(batch_call) == {"dialling": 1}
    rig.step(rig.dispatcher(), seconds=30)
    assert len(rig.retell.dials) == 1  # the claim is good for a minute

    taken_over_by = rig.dispatcher()
    for _ in range(20):
        rig.step(taken_over_by, seconds=31)

    assert [dial.idempotency_key for dial in rig.retell.dials] == [key] * 2
    assert Attempt.objects.get().status == "placed"


@pytest.mark.django_db
def test_asks_for_what_was_let_go_and_never_sent(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the commit and the network: nobody knows that nothing left, so Retell is asked first."""
    batch_call = ready()
    with monkeypatch.context() as patch:
        patch.setattr("campaigns.dispatcher.Dispatcher._start", killed)
        with pytest.raises(Killed):
            rig.step()
    assert statuses(batch_call) == {"dialling": 1}
    first = Attempt.objects.get()
    assert (first.status, first.sends_count) == ("dialling", 1)

    taken_over_by = rig.dispatcher()
    rig.step(taken_over_by, seconds=61)
    assert Attempt.objects.get().status == "unknown"
    assert rig.retell.dials == []
    for _ in range(20):
        rig.step(taken_over_by, seconds=31)

    assert [dial.idempotency_key for dial in rig.retell.dials] == [str(first.pk)]
    assert "list_calls" in [name for name, _arguments in rig.retell.asked]
    assert Attempt.objects.get().status == "placed"


@pytest.mark.django_db
def test_lets_one_dispatcher_dial_and_another_take_over(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    ready(leads=4)
    first, second = rig.dispatcher(), rig.dispatcher()

    assert rig.step(first) > 0
    assert rig.step(second) == 0
    assert len(rig.retell.dials) == 1
    rig.step(second, seconds=6)
    assert len(rig.retell.dials) == 1
    rig.step(second, seconds=3)  # the first hasn't renewed for more than eight seconds
    assert len(rig.retell.dials) == 2
    rig.step(first)
    assert len(rig.retell.dials) == 2
    second.release()
    rig.step(first)
    assert len(rig.retell.dials) > 2


@pytest.mark.django_db
def test_sends_nothing_when_it_may_have_lost_the_lease(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready()
    dispatcher = rig.dispatcher()

    def held_up(*_arguments: object) -> int:
        rig.real += timedelta(seconds=20)
        return 0

    monkeypatch.setattr(dispatcher, "_resend", held_up)
    dispatcher.step(now=rig.now)

    assert rig.retell.dials == []


@pytest.mark.django_db(transaction=True)
def test_dials_once_from_many_threads(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=6)
    rig.dispatcher().release()
    together = threading.Barrier(4)

    def dial(_number: int) -> None:
        dispatcher = rig.dispatcher()
        dispatcher._lease.acquire = lambda **_now: True  # type: ignore[method-assign]
        dispatcher._lease.is_safe = lambda **_now: True  # type: ignore[method-assign]
        together.wait()
        for _ in range(6):
            dispatcher.step(now=rig.now)
            rig.now += timedelta(milliseconds=10)
        dispatcher.write_answers(now=rig.now)
        connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(dial, range(4)))

    nothing_doubled(rig)
    assert len({dial.idempotency_key for dial in rig.retell.dials}) == len(rig.retell.dials)
    assert statuses(batch_call) == {"in_call": 6}
    assert list(audit_ledger()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("was_called_before", [False, True])
def test_calls_a_person_once_however_many_campaigns_want_to(
    rig: Rig, ready: Callable[..., BatchCall], rival: Client, was_called_before: bool
) -> None:
    launches = [ready(), ready(client=rival, number="+12125550177")]
    if was_called_before:
        PersonPace.objects.create(
            phone_number="+12015550100", attempt_id=uuid7(), changed_at=rig.now
        )
    together = threading.Barrier(2)

    def dial(launch: BatchCall) -> None:
        dispatcher = rig.dispatcher()
        dispatcher._lease.acquire = lambda **_now: True  # type: ignore[method-assign]
        dispatcher._lease.is_safe = lambda **_now: True  # type: ignore[method-assign]
        launch.status = "running"
        launch.save()
        due = dispatcher._due._queue(launch, now=rig.now, real_now=rig.real)
        assert len(due.candidates) == 1
        together.wait()  # both have read that nobody called this person
        for _ in range(3):
            dispatcher.step(now=rig.now)
        connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(dial, launches))

    assert len(rig.retell.dials) == 1
    assert PersonPace.objects.count() == 1
    assert Enrolment.objects.filter(status="queued").count() == 1


@pytest.mark.django_db
def test_serves_a_small_client_beside_a_large_one(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client, rival: Client
) -> None:
    large = ready(leads=40)
    rig.retell.limit = 10
    dispatcher = rig.dispatcher(per_second=5)
    for _ in range(5):
        rig.step(dispatcher)
    assert statuses(large)["in_call"] == 10
    small = ready(leads=3, client=rival, start=60, number="+12125550177")

    rig.end(rig.ringing()[0])
    rig.step(dispatcher)
    assert statuses(small).get("in_call") == 1

    for attempt in rig.ringing()[:8]:
        rig.end(attempt)
    rig.step(dispatcher)
    rig.step(dispatcher)
    assert statuses(small).get("in_call", 0) + statuses(small).get("done", 0) == 3


@pytest.mark.django_db
def test_never_starts_more_calls_a_second_than_allowed(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    ready(leads=30)
    dispatcher = rig.dispatcher(per_second=2)

    for _ in range(50):
        rig.step(dispatcher, seconds=0.1)

    assert len(rig.retell.dials) in {10, 11}


@pytest.mark.django_db
def test_lets_one_of_two_holders_of_an_attempt_send_it(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready()
    rig.retell.rate_limit()
    rig.step()
    held_up: list[Attempt] = []

    def falls_asleep(*, attempt: Attempt, **_arguments: object) -> None:
        held_up.append(attempt)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("campaigns.dispatcher.arm", falls_asleep)
        with pytest.raises(Killed):
            rig.step(seconds=6)
    taken_over_by = rig.dispatcher()
    for _ in range(20):
        rig.step(taken_over_by, seconds=31)
    assert len(rig.retell.dials) == 2
    Attempt.objects.update(status="dialling")  # whose answer hasn't come yet

    with pytest.raises(Overtaken):
        arm(attempt=held_up[0], now=rig.now)


@pytest.mark.parametrize("place", ["prepare_attempt", "arm"])
def test_leaves_a_lead_to_whoever_was_quicker_and_looks_again(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    ready()
    rig.retell.rate_limit()
    rig.step()

    def lost(**_arguments: object) -> None:
        raise Overtaken

    with monkeypatch.context() as patch:
        patch.setattr(f"campaigns.dispatcher.{place}", lost)
        rig.step(seconds=6)
    assert len(rig.retell.dials) == 1
    for _ in range(3):
        rig.step(seconds=31)
    assert len(rig.retell.dials) == 2


def test_gives_up_an_attempt_whose_seconds_were_given_back_while_it_waited(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    """Retell was busy for longer than the hold lasts: the lead waits for another attempt."""
    ready()
    rig.retell.rate_limit(5)
    rig.step()
    assert void(attempt_id=Attempt.objects.get().pk, now=rig.now)

    for _ in range(5):
        rig.step(seconds=6)

    first, second = Attempt.objects.order_by("number")
    assert (first.status, second.status) == ("not_placed", "placed")
    assert {dial.idempotency_key for dial in rig.retell.dials} == {str(first.pk), str(second.pk)}
    assert list(audit_ledger()) == []


@pytest.mark.parametrize("error", [Overtaken, HoldResolved, ReservationEmpty])
def test_sends_nothing_again_that_it_could_not_take_back(
    rig: Rig,
    ready: Callable[..., BatchCall],
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    ready()
    rig.retell.lose_answer(placed=False)
    rig.step()

    def refuse(**_arguments: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("campaigns.dispatcher.rearm", refuse)
        for _ in range(20):
            rig.step()
    assert len(rig.retell.dials) == 1
    for _ in range(40):
        rig.step()
    assert len(rig.retell.placed) == 1


def test_waits_when_the_last_number_was_used_up_in_this_step(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client
) -> None:
    ready(leads=2)
    acme.phone_numbers.update(daily_cap=1)
    rig.step()
    assert len(rig.retell.dials) == 1
