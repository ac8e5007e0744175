"""Whether the parts of the system are there and keep up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count
from django.utils.translation import gettext as _

from campaigns.models import Attempt, BatchCall, DispatcherLease, Enrolment
from convomono.lib import redis
from convomono.lib.db import database_problem
from convomono.lib.jobs import queue_lengths

if TYPE_CHECKING:
    from datetime import datetime

LEASE_GRACE = timedelta(seconds=10)
SLOW_UNKNOWN = timedelta(minutes=15)
MANY_JOBS = 100


@dataclass(frozen=True)
class Check:
    """One part: its name, how it is (ok, warn, bad), and a sentence."""

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


def system_health(*, now: datetime, real_now: datetime) -> list[Check]:
    """Return the state of each part, worst news in words."""
    return [
        _redis(),
        _dispatcher(real_now),
        _queues(),
        _unknown_attempts(now),
        _duplicate_dials(),
        _incomplete_launches(),
    ]


def _redis() -> Check:
    if redis.is_reachable():
        return Check(_("Redis"), "ok", _("Answers."))
    return Check(
        _("Redis"), "bad", _("Does not answer. Calls go on; sign-in and background jobs wait.")
    )


def _dispatcher(real_now: datetime) -> Check:
    name = _("Dispatcher")
    lease = DispatcherLease.objects.order_by("-renewed_at").first()
    if lease is None:
        return Check(name, "warn", _("Has never run: start `manage.py dispatch`."))
    age = int((real_now - lease.renewed_at).total_seconds())
    if lease.expires_at + LEASE_GRACE < real_now:
        return Check(name, "bad", _("Silent for %(age)d s: nothing is dialled.") % {"age": age})
    return Check(name, "ok", _("Took a step %(age)d s ago.") % {"age": max(0, age)})


def _queues() -> Check:
    name = _("Background jobs")
    lengths = queue_lengths()
    if lengths is None:
        return Check(name, "bad", _("Can't be counted while Redis is away."))
    waiting = sum(lengths.values())
    level = "warn" if waiting > MANY_JOBS else "ok"
    return Check(name, level, _("%(waiting)d waiting.") % {"waiting": waiting})


def _unknown_attempts(now: datetime) -> Check:
    name = _("Calls of unknown fate")
    old = Attempt.objects.filter(
        status=Attempt.Status.UNKNOWN, created_at__lt=now - SLOW_UNKNOWN
    ).count()
    if old:
        said = _("%(count)d for over 15 minutes: Retell gave no answer about them.")
        return Check(name, "warn", said % {"count": old})
    return Check(name, "ok", _("None for over 15 minutes."))


def _duplicate_dials() -> Check:
    """KPI 24: attempts that share enrolment and number; the unique key keeps it at 0."""
    twice = (
        Attempt.objects.values("enrolment_id", "number")
        .annotate(total=Count("pk"))
        .filter(total__gt=1)
        .count()
    )
    level = "bad" if twice else "ok"
    return Check(_("Duplicate dials"), level, f"{twice}")


def _incomplete_launches() -> Check:
    """A finished launch with a lead that has no end would break the completeness equation."""
    name = _("Completeness of finished launches")
    open_ones = (Enrolment.Status.QUEUED, Enrolment.Status.DIALLING, Enrolment.Status.IN_CALL)
    finished = BatchCall.objects.filter(status=BatchCall.Status.FINISHED)
    broken = (
        finished.filter(queued_count__gt=0)
        | finished.filter(dialling_count__gt=0)
        | finished.filter(in_call_count__gt=0)
    ).count()
    if broken:
        said = _("%(count)d finished launches still have leads that are %(open)s.")
        return Check(name, "bad", said % {"count": broken, "open": ", ".join(open_ones)})
    return Check(name, "ok", _("Every lead of every finished launch has an end."))
