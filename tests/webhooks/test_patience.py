"""How long a delivery waits for a database that takes nothing: all threads of a process know it together."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from tests.factories.webhooks import delivery
from tests.webhooks.test_intake import post_wsgi
from webhooks import inbox
from webhooks.models import WebhookEvent
from webhooks.patience import BACKLOG_SECONDS, FIRST_SCOUT_SECONDS, SHORT_SECONDS, Patience

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 4.0


class Refused(Exception):
    """The database took nothing within the time."""


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(clock: Clock) -> Patience:
    return Patience(clock)


def fail(patience: Patience, clock: Clock, *, after: float | None = None) -> float:
    """Wait in vain, as long as allowed or for `after` seconds; return how long was allowed."""
    with suppress(Refused), patience.wait(LONGEST) as seconds:
        clock.now += seconds if after is None else after
        raise Refused
    return seconds


def succeed(patience: Patience) -> float:
    with patience.wait(LONGEST) as seconds:
        return seconds


class TestPatience:
    def test_gives_all_of_the_time_while_the_database_takes_what_comes(
        self, patience: Patience, clock: Clock
    ):
        for _ in range(3):
            assert succeed(patience) == LONGEST
            clock.now += 0.5

    def test_ends_for_all_at_once_who_wait_at_one_time(self, patience: Patience, clock: Clock):
        """Whoever is looked at in the third second may have stood in line since the first."""
        with suppress(Refused), patience.wait(LONGEST) as first:
            clock.now += 3
            assert fail(patience, clock, after=0) == LONGEST - 3
            raise Refused
        assert first == LONGEST

    def test_is_short_for_whoever_comes_after_a_wait_in_vain_but_one(
        self, patience: Patience, clock: Clock
    ):
        fail(patience, clock)
        with ExitStack() as waiting:
            scout = waiting.enter_context(patience.wait(LONGEST))
            assert [fail(patience, clock, after=0) for _ in range(3)] == [SHORT_SECONDS] * 3
            # Those who stood in line meanwhile have waited already: the first scout is one of them.
            assert scout == FIRST_SCOUT_SECONDS

    def test_lets_one_at_a_time_look_as_long_as_ever_once_the_line_is_gone(
        self, patience: Patience, clock: Clock
    ):
        fail(patience, clock)
        clock.now += BACKLOG_SECONDS
        with suppress(Refused), patience.wait(LONGEST) as scout:
            assert scout == LONGEST
            assert fail(patience, clock, after=0) == SHORT_SECONDS
            raise Refused
        with patience.wait(LONGEST) as next_scout:
            assert next_scout == LONGEST

    @pytest.mark.parametrize("is_scout", [True, False])
    def test_is_back_with_the_first_that_is_taken_whoever_it_was(
        self, patience: Patience, clock: Clock, is_scout: bool
    ):
        fail(patience, clock)
        with ExitStack() as waiting:
            if not is_scout:
                waiting.enter_context(patience.wait(LONGEST))
            succeed(patience)
            assert succeed(patience) == LONGEST

    def test_counts_no_error_that_came_at_once_as_a_wait(self, patience: Patience, clock: Clock):
        """A full disk, a missing right, a body that can't be written: the next one has all of its time."""
        fail(patience, clock, after=0.1)
        clock.now += LONGEST
        assert succeed(patience) == LONGEST

    def test_goes_on_knowing_of_a_lock_in_which_something_else_fails_at_once(
        self, patience: Patience, clock: Clock
    ):
        fail(patience, clock)
        with suppress(Refused), patience.wait(LONGEST):
            fail(patience, clock, after=0)
            assert fail(patience, clock) == SHORT_SECONDS
            raise Refused

    def test_forgets_a_lock_of_which_nobody_has_heard_for_long(
        self, patience: Patience, clock: Clock
    ):
        """Two deliveries at once in the morning owe nothing to a lock of the night."""
        fail(patience, clock)
        clock.now += 3600
        with patience.wait(LONGEST), patience.wait(LONGEST) as second:
            assert second == LONGEST

    def test_stays_short_while_deliveries_keep_coming(self, patience: Patience, clock: Clock):
        fail(patience, clock)
        for _ in range(30):
            clock.now += 1
            with suppress(Refused), patience.wait(LONGEST):
                assert fail(patience, clock, after=0) == SHORT_SECONDS
                raise Refused


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite_only("SQLite has one lock for all writers")
class TestLockedDatabase:
    @pytest.fixture
    def holder(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
        """Another connection that holds the write lock; the intake waits half a second for it."""
        monkeypatch.setattr(inbox, "LOCK_SECONDS", 0.5)
        monkeypatch.setattr(inbox, "PATIENCE", Patience())
        inbox.close()
        holder = sqlite3.connect(
            connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False
        )
        holder.execute("BEGIN IMMEDIATE")
        yield holder
        if holder.in_transaction:
            holder.execute("ROLLBACK")
        holder.close()
        inbox.close()

    @staticmethod
    def post(number: int, began: float) -> tuple[int, float]:
        status = post_wsgi(delivery("call_ended", call_id=f"call_{number}")).status
        return status, time.monotonic() - began

    def test_answers_all_that_stand_in_line_when_the_first_have_waited(
        self, holder: sqlite3.Connection
    ):
        """Ten times as many as there are threads: one wait after the other would take five seconds."""
        with ThreadPoolExecutor(8) as threads:
            began = time.monotonic()
            answers = [threads.submit(self.post, number, began) for number in range(80)]
            waited = [answer.result() for answer in answers]
        assert {status for status, _ in waited} == {503}
        assert max(seconds for _, seconds in waited) < 2.5
        assert WebhookEvent.objects.count() == 0

    def test_takes_everything_as_soon_as_the_lock_is_gone(self, holder: sqlite3.Connection):
        assert self.post(0, 0)[0] == 503
        looking = threading.Event()

        def scout() -> int:
            looking.set()
            return self.post(1, 0)[0]

        with ThreadPoolExecutor(4) as threads:
            first = threads.submit(scout)
            looking.wait(5)
            holder.execute("ROLLBACK")
            assert first.result() == 204
            later = [threads.submit(self.post, number, 0) for number in range(2, 40)]
            assert {answer.result()[0] for answer in later} == {204}
        assert WebhookEvent.objects.count() == 39
