"""How the system is: every part on the health page, and the agency told when one is dead."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command

from accounts.models import Notification
from campaigns.models import Attempt, DispatcherLease, Enrolment
from convomono.lib import clock, redis
from convomono.lib.ids import uuid7
from convomono.lib.jobs import MaintainedWorker
from convomono.lib.redis import RedisError, beat, redis_connection
from reporting import jobs, watching
from reporting.queries.health import Check, system_health
from reporting.watching import DRAIN, JOBS, start_watchman, watch
from tests.factories.campaigns import enrol, make_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client, User

REAL = datetime(2026, 11, 23, 15, tzinfo=UTC)
LONG, MINUTE = timedelta(minutes=4), timedelta(minutes=1)


def found(now: datetime = REAL) -> dict[str, Check]:
    return {check.code: check for check in system_health(now=now, real_now=now, folder=Path("/"))}


def told(now: datetime = REAL) -> list[str]:
    beat(JOBS, now=now - MINUTE)  # it has looked before
    return watch(part=JOBS, now=now, real_now=now, base_url="https://app.test/")


@pytest.fixture
def worker(settings: Any) -> MaintainedWorker:
    """A living worker of every queue."""
    worker = MaintainedWorker(list(settings.RQ_QUEUES), connection=redis_connection())
    worker.register_birth()
    return worker


class TestParts:
    def test_say_what_to_start_where_nothing_ever_ran(self, db: None):
        checks = found()
        for code in ("dispatcher", "drain", "jobs"):
            assert checks[code].level == "warn", code
            assert "start" in checks[code].sentence

    def test_are_bad_when_they_fall_silent(self, db: None):
        for part in (DRAIN, JOBS):
            beat(part, now=REAL)
            assert found()[part].level == "ok"
            assert found(REAL + LONG)[part].level == "bad"

    def test_name_queues_that_nobody_works_on(self, db: None, worker: MaintainedWorker):
        assert found()["workers"].level == "ok"
        worker.register_death()
        assert found()["workers"].level == "bad"
        assert "calls" in found()["workers"].sentence

    def test_show_retell_when_it_takes_no_dial(self, acme: Client, db: None):
        for _ in range(5):
            attempt(acme, "unknown")
        assert found()["retell"].level == "bad"
        attempt(acme, "placed")
        assert found()["retell"].level == "ok"

    def test_show_the_disk(self, db: None, monkeypatch: pytest.MonkeyPatch):
        for free, level in ((1, "bad"), (10, "warn"), (50, "ok")):
            usage = type("Usage", (), {"free": free, "total": 100})
            monkeypatch.setattr("shutil.disk_usage", lambda _path, usage=usage: usage)
            assert found()["disk"].level == level

    def test_read_all_attempts_once_a_day_alone(
        self, db: None, django_assert_max_num_queries: Callable[..., Any]
    ):
        with django_assert_max_num_queries(8) as asked:
            assert found()["duplicates"].level == "ok"
        assert not [query for query in asked if "GROUP BY" in query["sql"]]
        assert jobs.count_duplicate_dials(of_a_later_version=1) == 0
        assert "counted on" in found()["duplicates"].sentence


class TestWatching:
    def test_tells_once_in_the_app_and_by_mail(
        self, root: User, worker: MaintainedWorker, mailoutbox: list[Any]
    ):
        beat(DRAIN, now=REAL - LONG)
        DispatcherLease.objects.create(
            name="dispatcher", holder=None, expires_at=REAL - LONG, renewed_at=REAL - LONG
        )
        assert set(told()) == {"drain", "dispatcher"}
        assert told(REAL + timedelta(minutes=1)) == []
        assert Notification.objects.filter(client=None, level="bad").count() == 2
        assert {mail.to[0] for mail in mailoutbox} == {root.email}
        assert "https://app.test/agency/health/" in mailoutbox[0].body
        assert set(told(REAL + timedelta(hours=6))) == {"drain", "dispatcher"}

    def test_says_nothing_while_all_is_well(self, db: None, worker: MaintainedWorker):
        beat(DRAIN, now=REAL)
        assert told() == []

    def test_waits_for_the_others_when_it_came_up_just_now(
        self, root: User, worker: MaintainedWorker
    ):
        """All were stopped for the night and start again: none has taken its first step yet."""
        beat(DRAIN, now=REAL - 60 * LONG)
        beat(JOBS, now=REAL - 60 * LONG)
        assert watch(part=JOBS, now=REAL, real_now=REAL, base_url="") == []
        assert not Notification.objects.exists()

        later = REAL + MINUTE
        assert watch(part=JOBS, now=later, real_now=later, base_url="") == ["drain"]

    def test_tells_at_once_that_redis_is_away(self, root: User, monkeypatch: pytest.MonkeyPatch):
        def away() -> None:
            raise RedisError("away")

        monkeypatch.setattr(redis, "redis_connection", away)
        assert "redis" in watch(part=DRAIN, now=REAL, real_now=REAL, base_url="")

    def test_the_drain_notices_that_jobs_are_dead(self, root: User, worker: MaintainedWorker):
        told()
        later = REAL + LONG
        beat(DRAIN, now=later - MINUTE)
        assert watch(part=DRAIN, now=later, real_now=later, base_url="") == ["jobs"]

    def test_a_job_says_that_it_lives(self, db: None, worker: MaintainedWorker):
        jobs.watch_system(of_a_later_version=1)
        assert found(clock.real_now())["jobs"].level == "ok"

    def test_a_thread_goes_on_after_trouble_until_it_is_stopped(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        tries: list[str] = []
        stop = threading.Event()

        def failing(*, part: str, **_more: Any) -> None:
            tries.append(part)
            if len(tries) == 2:
                stop.set()
            raise OSError("away")

        monkeypatch.setattr(watching, "EVERY_SECONDS", 0)
        monkeypatch.setattr(watching, "watch", failing)
        start_watchman(DRAIN, stop).join(5)
        assert tries == [DRAIN, DRAIN]

    def test_a_drain_that_ends_at_once_starts_none(self, db: None):
        call_command("drain", "--once")
        assert found()["drain"].level == "warn"


def attempt(client: Client, status: str) -> None:
    enrolment = Enrolment.objects.filter(client=client).first()
    if enrolment is None:
        enrol(make_ready(client), 1)
        enrolment = Enrolment.objects.get()
    Attempt.objects.create(
        client=client,
        enrolment=enrolment,
        number=Attempt.objects.count() + 1,
        campaign_id=enrolment.campaign_id,
        batch_call_id=uuid7(),
        version_id=uuid7(),
        lead_id=enrolment.lead_id,
        phone_number="+12125550101",
        status=status,
        created_at=REAL,
    )
