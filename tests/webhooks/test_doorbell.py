"""The doorbell's thread: what no drain will deal with is told to open pages."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from convomono.lib import clock, live
from tests.factories.webhooks import signature
from webhooks import intake
from webhooks.doorbell import Doorbell, refusals_on
from webhooks.intake import receive

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, empty_valkey: None) -> list[int]:
    """How many were refused, as it could be read each time that the agency's pages were told."""
    counts: list[int] = []

    def note(_channel: str, text: str) -> None:
        assert json.loads(text) == []
        counts.append(sum(refusals_on(clock.real_now().date()).values()))

    monkeypatch.setattr(live, "publish", note)
    monkeypatch.setattr(intake, "DOORBELL", Doorbell(ring_bell=lambda _name: None))
    return counts


def until(ready: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 10
    while not ready():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_tells_of_a_refusal_once_it_is_counted(told: list[int]) -> None:
    for number in (1, 2):
        assert receive(body=b"{}", signature=b"v=1,d=0") == 401
        until(lambda: len(told) == number)  # noqa: B023 - it is over before the next one
    assert told == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_tells_of_an_event_that_nobody_applies(told: list[int]) -> None:
    body = b'{"event":"call_beamed_up","call":{"call_id":"call_1"}}'
    assert receive(body=body, signature=signature(body).encode()) == 204
    until(lambda: bool(told))


@pytest.mark.django_db(transaction=True)
def test_leaves_to_the_drain_what_it_will_tell_of(told: list[int]) -> None:
    body = b'{"event":"call_started","call":{"call_id":"call_1"}}'
    assert receive(body=body, signature=signature(body).encode()) == 204
    assert receive(body=b"{}", signature=b"v=1,d=0") == 401
    until(lambda: bool(told))
    assert told == [1]
