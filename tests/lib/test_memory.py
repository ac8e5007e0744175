"""What was loaded is kept from the collector; what comes later is still collected."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from convomono.lib import memory
from convomono.lib.jobs import MaintainedWorker
from convomono.lib.redis import redis_connection

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Ring:
    """An object that refers to itself: only the collector takes it away."""

    def __init__(self) -> None:
        self.me = self


def test_looks_no_more_through_what_was_there():
    before = len(gc.get_objects())
    memory.settle()
    assert gc.get_freeze_count() > before // 2
    assert len(gc.get_objects()) < before // 2


def test_still_takes_away_what_comes_later():
    memory.settle()
    gone = weakref.ref(Ring())
    for _number in range(20_000):
        Ring()
    assert gone() is None


def test_a_worker_settles_before_it_takes_its_first_job():
    MaintainedWorker(["default"], connection=redis_connection()).work(burst=True)
    assert gc.get_freeze_count() > 10_000
