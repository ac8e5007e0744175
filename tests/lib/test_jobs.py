"""A job that is there already isn't put on its queue a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rq import SimpleWorker  # noqa: TID251 - a real worker for what our door puts on a queue

from convomono.lib.db import run_atomic
from convomono.lib.jobs import FAILED_SECONDS, WAITING_SECONDS, enqueue_once, queue_lengths
from convomono.lib.redis import redis_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWERS: list[bool] = []


@pytest.fixture(autouse=True)
def no_answers() -> Iterator[None]:
    ANSWERS.clear()
    yield
    ANSWERS.clear()


def work_on(*, row_id: str) -> None:
    """Ask for the very job that runs."""
    ANSWERS.append(enqueue_once(work_on, row_id=row_id))


def broken(*, row_id: str) -> None:
    raise ValueError(row_id)


def work() -> None:
    """Be a real worker until the queue is empty."""
    SimpleWorker(["default"], connection=redis_connection()).work(burst=True)


def test_is_put_there_once_until_it_has_ended() -> None:
    assert enqueue_once(work_on, row_id="a")
    assert not enqueue_once(work_on, row_id="a")
    assert enqueue_once(work_on, row_id="b")
    assert (queue_lengths() or {})["default"] == 2

    work()

    assert ANSWERS == [False, False]  # neither while it runs
    assert enqueue_once(work_on, row_id="a")
    assert (queue_lengths() or {})["default"] == 1


@pytest.mark.django_db
def test_answers_at_once_inside_a_transaction_too() -> None:
    run_atomic(lambda: ANSWERS.extend(enqueue_once(work_on, row_id="a") for _time in range(2)))

    assert ANSWERS == [True, False]


def test_is_taken_up_again_a_while_after_it_failed() -> None:
    assert enqueue_once(broken, row_id="a")
    work()

    assert not enqueue_once(broken, row_id="a")
    assert 0 < redis_connection().ttl("rq:job:broken-a") <= FAILED_SECONDS


def test_is_not_lost_with_a_worker_that_died_before_it_started_it() -> None:
    assert enqueue_once(work_on, row_id="a")
    redis_connection().lpop("rq:queue:default")

    assert not enqueue_once(work_on, row_id="a")
    assert 0 < redis_connection().ttl("rq:job:work_on-a") <= WAITING_SECONDS
