"""Runs the drain: applies what the inbox holds, until told to stop."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from convomono.lib import clock
from convomono.lib.redis import wait_for_ring
from webhooks.doorbell import BELL
from webhooks.drain import Drain
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from argparse import ArgumentParser

log = structlog.get_logger()

WAIT_SECONDS = 1.0


class Command(BaseCommand):
    """Applies webhook events as they come, woken by the doorbell and at least once a second."""

    help = "Apply webhook events from the inbox until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="Apply what is due and end.")
        parser.add_argument("--dry-run", action="store_true", help="Only count what is due.")

    def handle(self, *_args: Any, **options: Any) -> str:
        if options["dry_run"]:
            return f"{_waiting()} events wait."
        drain = Drain()
        if options["once"]:
            return f"Applied {_empty(drain)} events."
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        while not stop.is_set():
            try:
                done = drain.step(now=clock.now())
            except Exception:
                log.exception("drain.failed")
                close_old_connections()
                done = 0
            if not done:
                _wait(stop)
        return "Stopped."


def _wait(stop: threading.Event) -> None:
    """Wait for the bell, a second at most; as long without Redis."""
    until = time.monotonic() + WAIT_SECONDS
    if not wait_for_ring(BELL, seconds=WAIT_SECONDS):
        stop.wait(max(0.0, until - time.monotonic()))


def _empty(drain: Drain) -> int:
    applied = 0
    while done := drain.step(now=clock.now()):
        applied += done
    return applied


def _waiting() -> int:
    return WebhookEvent.objects.filter(status=WebhookEvent.Status.PENDING).count()
