"""Runs the drain: applies what the inbox holds, until told to stop."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from convomono.lib import clock, memory
from convomono.lib.redis import wait_for_ring
from reporting.watching import DRAIN, start_watchman
from webhooks.drain import WHOLE, Drain
from webhooks.models import WebhookEvent
from webhooks.shards import Shard, bells

if TYPE_CHECKING:
    from argparse import ArgumentParser

log = structlog.get_logger()

WAIT_SECONDS = 1.0


class Command(BaseCommand):
    """Applies webhook events as they come, woken by the doorbell and at least once a second."""

    help = "Apply webhook events from the inbox until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--shard", type=int, help="Only this one of DRAIN_SHARDS parts, counted from 0."
        )
        parser.add_argument("--once", action="store_true", help="Apply what is due and end.")
        parser.add_argument("--dry-run", action="store_true", help="Only count what is due.")

    def handle(self, *_args: Any, **options: Any) -> str:
        shard = _shard(options["shard"])
        if options["dry_run"]:
            return f"{_waiting(shard)} events wait."
        drain = Drain(shard)
        if options["once"]:
            return f"Applied {_empty(drain)} events."
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        start_watchman(DRAIN, stop)
        memory.settle()
        while not stop.is_set():
            try:
                done = drain.step(now=clock.now())
            except Exception:
                log.exception("drain.failed")
                close_old_connections()
                done = 0
            if not done:
                _wait(stop, shard)
        return "Stopped."


def _shard(index: int | None) -> Shard:
    if index is None:
        return WHOLE
    try:
        return Shard(index, settings.DRAIN_SHARDS)
    except ValueError as error:
        raise CommandError(f"{error} DRAIN_SHARDS says how many there are.") from None


def _wait(stop: threading.Event, shard: Shard) -> None:
    """Wait for the bell, a second at most; as long without Redis."""
    until = time.monotonic() + WAIT_SECONDS
    # One that takes everything hears the first shard's bell: each delivery rings all of them.
    bell = next(iter(bells())) if shard == WHOLE else shard.bell
    if not wait_for_ring(bell, seconds=WAIT_SECONDS):
        stop.wait(max(0.0, until - time.monotonic()))


def _empty(drain: Drain) -> int:
    applied = 0
    while done := drain.step(now=clock.now()):
        applied += done
    return applied


def _waiting(shard: Shard) -> int:
    waiting = WebhookEvent.objects.filter(shard.events(), status=WebhookEvent.Status.PENDING)
    return waiting.count()
