"""Whether the parts of the system are there and keep up."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campaigns.models import Attempt, BatchCall, DispatcherLease, Enrolment
from convomono.lib import redis
from convomono.lib.db import database_problem
from convomono.lib.jobs import queue_lengths, queues_without_worker

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

LEASE_GRACE = timedelta(seconds=10)
SLOW_UNKNOWN = timedelta(minutes=15)
MANY_JOBS = 100
SILENT_SECONDS = 180
FEW = 5
NO_DISK, LITTLE_DISK = 5, 15  # percent that are free
# Who says that they live: the drain, and whatever cron has a worker do.
DRAIN = "drain"
JOBS = "jobs"
_DUPLICATES = "health.duplicate_dials"


@dataclass(frozen=True)
class Check:
    """One part: a code, its name, how it is (ok, warn, bad), and a sentence."""

    code: str
    name: str
    level: str
    sentence: str

    @property
    def level_label(self) -> str:
        return {"ok": _("Fine"), "warn": _("Look at it"), "bad": _("Trouble")}[self.level]


def readiness() -> list[str]:
    """Return a sentence per thing that keeps the process from working; empty when it is ready."""
    problems = []
    if problem := database_problem():
        problems.append(problem)
    elif _pending_migrations():
        problems.append("The database's tables are older than the code: run manage.py migrate.")
    if not redis.is_reachable():
        problems.append("Redis does not answer: check REDIS_URL.")
    return problems


def _pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def system_health(*, now: datetime, real_now: datetime, folder: Path) -> list[Check]:
    """Return the state of each part, worst news in words; `folder` is where files are kept."""
    return [
        _redis(),
        _dispatcher(real_now),
        _drain(real_now),
        _jobs(real_now),
        _workers(),
        _queues(),
        _retell(now),
        _disk(folder),
        _unknown_attempts(now),
        _duplicate_dials(),
        _incomplete_launches(),
    ]


def _redis() -> Check:
    if redis.is_reachable():
        return Check("redis", _("Redis"), "ok", _("Answers."))
    return Check(
        "redis",
        _("Redis"),
        "bad",
        _("Does not answer. Calls go on; sign-in and background jobs wait."),
    )


def _dispatcher(real_now: datetime) -> Check:
    name = _("Dispatcher")
    lease = DispatcherLease.objects.order_by("-renewed_at").first()
    if lease is None:
        return Check("dispatcher", name, "warn", _("Has never run: start `manage.py dispatch`."))
    age = int((real_now - lease.renewed_at).total_seconds())
    if lease.expires_at + LEASE_GRACE < real_now:
        return Check(
            "dispatcher", name, "bad", _("Silent for %(age)d s: nothing is dialled.") % {"age": age}
        )
    return Check("dispatcher", name, "ok", _("Took a step %(age)d s ago.") % {"age": max(0, age)})


def _queues() -> Check:
    name = _("Background jobs")
    lengths = queue_lengths()
    if lengths is None:
        return Check("queues", name, "bad", _("Can't be counted while Redis is away."))
    waiting = sum(lengths.values())
    level = "warn" if waiting > MANY_JOBS else "ok"
    return Check("queues", name, level, _("%(waiting)d waiting.") % {"waiting": waiting})


def _unknown_attempts(now: datetime) -> Check:
    name = _("Calls of unknown fate")
    old = Attempt.objects.filter(
        status=Attempt.Status.UNKNOWN, created_at__lt=now - SLOW_UNKNOWN
    ).count()
    if old:
        said = _("%(count)d for over 15 minutes: Retell gave no answer about them.")
        return Check("unknown", name, "warn", said % {"count": old})
    return Check("unknown", name, "ok", _("None for over 15 minutes."))


def _drain(real_now: datetime) -> Check:
    name = _("Drain")
    silent = redis.seconds_since_beat(DRAIN, now=real_now)
    if silent is None:
        return Check("drain", name, "warn", _("Has never run: start `manage.py drain`."))
    if silent > SILENT_SECONDS:
        said = _("Silent for %(age)d s: Retell's events are kept, and none is applied.")
        return Check("drain", name, "bad", said % {"age": silent})
    return Check("drain", name, "ok", _("Said that it lives %(age)d s ago.") % {"age": silent})


def _jobs(real_now: datetime) -> Check:
    """A periodic job ran: cron ordered it, and a worker did it."""
    name = _("Periodic jobs")
    silent = redis.seconds_since_beat(JOBS, now=real_now)
    if silent is None:
        said = _("None has ever run: start `rqcron convomono.schedule` and the workers.")
        return Check("jobs", name, "warn", said)
    if silent > SILENT_SECONDS:
        said = _("None has run for %(age)d s: look at the cron process and the workers.")
        return Check("jobs", name, "bad", said % {"age": silent})
    return Check("jobs", name, "ok", _("One ran %(age)d s ago.") % {"age": silent})


def _workers() -> Check:
    name = _("Workers")
    idle = queues_without_worker()
    if idle is None:
        return Check("workers", name, "bad", _("Can't be counted while Redis is away."))
    if idle:
        said = _("Nobody works on: %(queues)s.") % {"queues": ", ".join(idle)}
        return Check("workers", name, "bad", said)
    return Check("workers", name, "ok", _("Every queue has one."))


def _retell(now: datetime) -> Check:
    name = _("Retell")
    young = Attempt.objects.filter(created_at__gt=now - SLOW_UNKNOWN)
    lost = young.filter(status=Attempt.Status.UNKNOWN)[:FEW].count()
    taken = (Attempt.Status.PLACED, Attempt.Status.ENDED, Attempt.Status.NOT_PLACED)
    if young.filter(status__in=taken).exists():
        return Check("retell", name, "ok", _("Takes calls."))
    if lost >= FEW:
        said = _("The last dials got no answer, and none was taken in a quarter of an hour.")
        return Check("retell", name, "bad", said)
    return Check("retell", name, "ok", _("Nothing was dialled in a quarter of an hour."))


def _disk(folder: Path) -> Check:
    name = _("Disk")
    usage = shutil.disk_usage(folder if folder.exists() else "/")
    free = round(100 * usage.free / usage.total)
    level = "bad" if free < NO_DISK else "warn" if free < LITTLE_DISK else "ok"
    return Check("disk", name, level, _("%(free)d %% are free.") % {"free": free})


def count_duplicate_dials(*, now: datetime) -> int:
    """
    Count attempts that share enrolment and number, and keep the figure for the health page.

    KPI 24. The unique key keeps it at 0; reading all attempts is for once a day.
    """
    twice = (
        Attempt.objects.values("enrolment_id", "number")
        .annotate(total=Count("pk"))
        .filter(total__gt=1)
        .count()
    )
    cache.set(_DUPLICATES, {"count": twice, "at": now}, timeout=None)
    return twice


def _duplicate_dials() -> Check:
    name = _("Duplicate dials")
    counted = cache.get(_DUPLICATES)
    if counted is None:
        return Check(
            "duplicates", name, "ok", _("The database refuses a second; counted once a day.")
        )
    level = "bad" if counted["count"] else "ok"
    said = _("%(count)d, counted on %(day)s.") % {
        "count": counted["count"],
        "day": date_format(counted["at"], "j M H:i"),
    }
    return Check("duplicates", name, level, said)


def _incomplete_launches() -> Check:
    """A finished launch with a lead that has no end would break the completeness equation."""
    name = _("Completeness of finished launches")
    open_ones = (Enrolment.Status.QUEUED, Enrolment.Status.DIALLING, Enrolment.Status.IN_CALL)
    words = ", ".join(str(status.label) for status in open_ones)
    finished = BatchCall.objects.filter(status=BatchCall.Status.FINISHED)
    broken = (
        finished.filter(queued_count__gt=0)
        | finished.filter(dialling_count__gt=0)
        | finished.filter(in_call_count__gt=0)
    ).count()
    if broken:
        said = _("%(count)d finished launches still have leads that are %(open)s.")
        return Check("completeness", name, "bad", said % {"count": broken, "open": words})
    return Check("completeness", name, "ok", _("Every lead of every finished launch has an end."))
