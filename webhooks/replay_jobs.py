"""Replays that somebody ordered, on a queue with a worker of its own: one may take hours."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.db.models import Q

from convomono.lib import clock
from convomono.lib.jobs import enqueue, enqueue_once
from webhooks import replay, scratch
from webhooks.models import ReplayRun

log = structlog.get_logger()

REPLAY_SECONDS: Final = 6 * 3600
QUEUE: Final = "history"
# A worker says every quarter of a minute that it lives.
_BEAT_SECONDS: Final = 15.0
_KILLED: Final = timedelta(minutes=5)
_STAYED_BEHIND: Final = timedelta(minutes=2)
_PAUSE_SECONDS: Final = 0.01
_Status = ReplayRun.Status


def order_replay(run: ReplayRun) -> None:
    """Have a worker do a replay once the open transaction is committed."""
    enqueue(run_replay, queue=QUEUE, timeout_seconds=REPLAY_SECONDS, run_id=str(run.pk))


def run_replay(*, run_id: str, **_later: Any) -> None:
    """Do a replay that somebody ordered; a second run of the same one does nothing."""
    run_key = UUID(run_id)
    now = clock.real_now()
    mine = ReplayRun.objects.filter(pk=run_key, status=_Status.QUEUED).update(
        status=_Status.RUNNING, started_at=now, worked_at=now
    )
    if not mine:
        return
    run = ReplayRun.objects.get(pk=run_key)
    try:
        found = _replayed(run)
    except scratch.ScratchTaken:
        log.warning("replay.scratch_taken", run_id=run_id)
        _end(
            run, status=_Status.FAILED, error="Another rebuild is under way. Order it again later."
        )
    except Exception as problem:
        log.exception("replay.stopped", run_id=run_id)
        _end(run, status=_Status.FAILED, error=str(problem)[-400:])
    else:
        _end(run, status=_Status.FINISHED, **asdict(found))


def resume_replays(**_later: Any) -> int:
    """Order again what no worker took, and give up what a killed one left behind."""
    now = clock.real_now()
    silent = Q(worked_at__lt=now - _KILLED) | Q(worked_at=None, started_at__lt=now - _KILLED)
    lost = ReplayRun.objects.filter(silent, status=_Status.RUNNING)
    lost.update(
        status=_Status.FAILED, only_key=None, finished_at=now, error="Its worker was killed."
    )
    waiting = list(
        ReplayRun.objects.filter(status=_Status.QUEUED, created_at__lt=now - _STAYED_BEHIND)[:20]
    )
    return sum(
        enqueue_once(run_replay, queue=QUEUE, timeout_seconds=REPLAY_SECONDS, run_id=str(run.pk))
        for run in waiting
    )


def remove_remains(**_later: Any) -> int:
    """Delete copies that a killed rebuild left on this machine's disk."""
    return scratch.remove_remains()


def _replayed(run: ReplayRun) -> replay.Comparison:
    beat = _Beat(run)
    if run.kind == ReplayRun.Kind.EVERYTHING:
        return scratch.rebuild_in_scratch(beat=beat)
    chosen = replay.Range(
        received_from=run.received_from,
        received_until=run.received_until,
        provider_call_id=run.provider_call_id,
    )

    def pause() -> None:
        beat()
        time.sleep(_PAUSE_SECONDS)  # lets others write

    return replay.apply_again(
        chosen=chosen, is_dry_run=run.is_dry_run, now=clock.now(), pause=pause
    )


class _Beat:
    """Says that the worker lives, every quarter of a minute at most."""

    def __init__(self, run: ReplayRun) -> None:
        self._run = run
        self._said_at = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._said_at < _BEAT_SECONDS:
            return
        self._said_at = time.monotonic()
        ReplayRun.objects.filter(pk=self._run.pk, status=_Status.RUNNING).update(
            worked_at=clock.real_now()
        )


def _end(run: ReplayRun, **columns: Any) -> None:
    ReplayRun.objects.filter(pk=run.pk, status=_Status.RUNNING).update(
        finished_at=clock.real_now(), only_key=None, **columns
    )
