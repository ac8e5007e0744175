"""`manage.py dispatch`: dials until told to stop, and outlives what goes wrong in one step."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command

from campaigns.leasing import is_dispatching
from campaigns.management.commands import dispatch
from campaigns.models import Attempt, BatchCall, DispatcherLease, Enrolment
from convomono.lib import clock
from convomono.lib.redis import ring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.campaigns.dialling.conftest import Rig


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Give the handlers back that the command replaced."""
    names = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(name) for name in names]
    yield
    for name, handler in zip(names, before, strict=True):
        signal.signal(name, handler)


@pytest.fixture
def due_now(ready: Callable[..., BatchCall]) -> BatchCall:
    batch_call = ready(leads=2)
    BatchCall.objects.update(scheduled_at=clock.now())
    Enrolment.objects.update(next_attempt_at=clock.now())
    return batch_call


@pytest.mark.django_db
def test_says_how_many_launches_run(ready: Callable[..., BatchCall]) -> None:
    ready()
    BatchCall.objects.update(status="running")

    assert call_command("dispatch", "--dry-run") == "1 launches are running."


@pytest.mark.django_db(transaction=True)
def test_dials_until_it_is_told_to_stop(
    rig: Rig, due_now: BatchCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "retell_gateway", lambda: rig.retell)
    rig.retell.fail("concurrency", RuntimeError("a step that goes wrong"))  # type: ignore[arg-type]
    place = rig.retell.create_phone_call

    def place_and_stop(**request: Any) -> Any:
        answer = place(**request)
        if len(rig.retell.dials) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return answer

    monkeypatch.setattr(rig.retell, "create_phone_call", place_and_stop)
    giving_up = threading.Timer(30, os.kill, (os.getpid(), signal.SIGTERM))
    giving_up.start()

    assert call_command("dispatch") == "Stopped."

    giving_up.cancel()
    assert [row.status for row in Attempt.objects.all()] == ["placed", "placed"]
    assert DispatcherLease.objects.get().holder is None
    assert not is_dispatching(real_now=clock.real_now())


@pytest.mark.django_db
def test_is_woken_by_the_bell_and_waits_without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    ring("dispatcher")
    dispatch._wait_idle(stop, 0.5)

    stop.set()
    dispatch._wait_idle(stop, 0.1)  # nobody rings: it waits for the bell, and then no longer


@pytest.mark.django_db(transaction=True)
def test_ends_although_the_lease_can_not_be_given_back(rig: Rig) -> None:
    dispatcher = rig.dispatcher()

    def broken() -> None:
        raise RuntimeError("no database")

    dispatcher.release = broken  # type: ignore[method-assign]
    dispatch._finish(dispatcher)
