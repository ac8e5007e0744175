"""The only door to RQ: put a job on a queue after the commit, and the worker that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import django_rq
import structlog
from django.conf import settings
from django_rq.urls import get_admin_urlpatterns, get_api_urlpatterns
from rq import Worker, cron
from rq.exceptions import DuplicateJobError

from convomono.lib import db, memory
from convomono.lib.redis import RedisError, redis_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.urls import URLPattern

Queue = Literal["calls", "imports", "reports", "copies", "history", "default"]
log = structlog.get_logger()

MAINTENANCE_SECONDS = 30
# One that failed or died is taken up again after this.
FAILED_SECONDS = 60
# What waits longer than that is put in line anew; jobs do nothing when they find their work done.
WAITING_SECONDS = 600


class MaintainedWorker(Worker):
    """
    A worker that looks for the jobs of killed workers every 30 seconds.

    RQ's own interval is ten minutes, and its command has no option for it. Together with
    `--worker-ttl 45` a killed job runs again within about 90 seconds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("maintenance_interval", MAINTENANCE_SECONDS)
        super().__init__(*args, **kwargs)

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Do as RQ's worker does; the processes of its jobs don't look through all of Django again and again."""
        memory.settle()
        done: bool = super().work(*args, **kwargs)
        return done


def enqueue(
    job: Callable[..., Any], *, queue: Queue = "default", timeout_seconds: int = 600, **ids: Any
) -> None:
    """
    Run job(**ids) on a worker once the open transaction is committed.

    The job is idempotent and takes ids, not rows. If Redis is away the job isn't lost: each job
    stands for a row with a status, and a periodic job enqueues what stayed behind
    (`convomono/schedule.py`).
    """

    def put() -> None:
        try:
            # Our connection gives up after two seconds; RQ's own waits for ever, and a page with it.
            django_rq.get_queue(queue, connection=redis_connection()).enqueue_call(
                job, kwargs=ids, timeout=timeout_seconds, result_ttl=0
            )
        except RedisError:
            log.warning("job.not_enqueued", job=job.__name__, queue=queue)

    db.on_commit(put)


def enqueue_once(
    job: Callable[..., Any], *, queue: Queue = "default", timeout_seconds: int = 600, **ids: Any
) -> bool:
    """
    Run job(**ids) unless that very job waits or runs already; False if it does, or Redis is away.

    For periodic jobs that take up what stayed behind: each of their looks would put it there again.
    It goes there at once, whatever transaction is open: the row it stands for is committed long ago.
    What a killed worker left is forgotten after some minutes, and put there again then.
    """
    name = "-".join([job.__name__, *map(str, ids.values())])
    try:
        there = django_rq.get_queue(queue, connection=redis_connection(), commit_mode="auto")
        there.enqueue_call(
            job,
            kwargs=ids,
            timeout=timeout_seconds,
            result_ttl=0,
            failure_ttl=FAILED_SECONDS,
            # A worker that dies between taking and starting it leaves one that waits on no queue.
            ttl=WAITING_SECONDS,
            job_id=name,
            unique=True,
        )
    except DuplicateJobError:
        return False
    except RedisError:
        log.warning("job.not_enqueued", job=job.__name__, queue=queue)
        return False
    return True


def periodic(
    job: Callable[..., Any],
    *arguments: str,
    every_seconds: int,
    queue: Queue = "default",
    timeout_seconds: int = 600,
) -> None:
    """
    Have the cron process enqueue job(*arguments) at its start and then that often, in real time.

    For `convomono/schedule.py` alone. A run that no worker took before the next one is due expires,
    so they don't pile up while the workers are away.
    """
    cron.register(
        job,
        queue,
        args=arguments,
        interval=every_seconds,
        job_timeout=timeout_seconds,
        ttl=every_seconds,
        result_ttl=0,
    )


def queue_lengths() -> dict[str, int] | None:
    """Return how many jobs wait on each queue; None while Redis is away."""
    try:
        return {
            name: django_rq.get_queue(name, connection=redis_connection()).count
            for name in settings.RQ_QUEUES
        }
    except RedisError:
        return None


def failed_counts() -> dict[str, int] | None:
    """Return how many jobs of each queue failed and are kept; None while Redis is away."""
    try:
        queues = (
            (name, django_rq.get_queue(name, connection=redis_connection()))
            for name in settings.RQ_QUEUES
        )
        # Without tidying up: whoever only looks changes nothing.
        return {
            name: queue.failed_job_registry.get_job_count(cleanup=False) for name, queue in queues
        }
    except RedisError:
        return None


def queues_without_worker() -> list[str] | None:
    """Return the queues that no living worker listens to; None while Redis is away."""
    try:
        workers = Worker.all(connection=redis_connection())
        served = {name for worker in workers for name in worker.queue_names()}
    except RedisError:
        return None
    return [name for name in settings.RQ_QUEUES if name not in served]


def queue_pages(gate: Callable[..., Any]) -> list[URLPattern]:
    """Return the addresses of RQ's own pages, each behind `gate`; they can delete and stop jobs."""
    figures: list[URLPattern] = get_api_urlpatterns()
    for route in figures:
        route.callback = gate(route.callback)
    return [*figures, *get_admin_urlpatterns(view_wrapper=gate)]
