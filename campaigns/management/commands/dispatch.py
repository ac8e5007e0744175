"""Runs the dispatcher: places the calls of running launches, until told to stop."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections

from campaigns.dialling.capacity import MOST_UNDER_WAY
from campaigns.dialling.pacing import CallsPerSecond
from campaigns.dialling.situation import running_launches
from campaigns.dispatcher import Dispatcher
from convomono.lib import clock, memory
from convomono.lib.redis import wait_for_ring
from telephony.retell import retell_gateway

if TYPE_CHECKING:
    from argparse import ArgumentParser

log = structlog.get_logger()

BELL = "dispatcher"
# Real seconds between two looks: while calls are placed, while nothing is to do and after an error.
BUSY_SECONDS = 0.025
IDLE_SECONDS = 0.5
FULL_SECONDS = 0.1  # while every line is busy: one that falls free is looked for
# How late a look may be without losing calls to the pacing: a fast clock has many seconds in that.
LATE_SECONDS = 0.4
# So long a stopping dispatcher waits for answers; later ones are looked up by the next.
LAST_ANSWERS_SECONDS = 40.0


class Command(BaseCommand):
    """Places calls as they fall due, woken by the bell and at least twice a second."""

    help = "Place the calls of running launches until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only count running launches.")

    def handle(self, *_args: Any, **options: Any) -> str:
        if options["dry_run"]:
            return f"{len(running_launches())} launches are running."
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        # A few threads more than dials: questions to Retell never wait for them.
        with ThreadPoolExecutor(MOST_UNDER_WAY + 4, thread_name_prefix="dial") as executor:
            dispatcher = Dispatcher(
                gateway=retell_gateway(),
                executor=executor,
                speed=_speed(),
                is_sandbox=settings.SANDBOX,
                real_now=clock.real_now,
            )
            memory.settle()
            _run(dispatcher, stop)
            _finish(dispatcher)
            executor.shutdown(wait=False, cancel_futures=True)
        return "Stopped."


def _speed() -> CallsPerSecond:
    """Allow what falls between two looks of a busy machine; at real speed that is one second's worth."""
    burst = max(1.0, LATE_SECONDS * clock.CLOCK.factor)
    return CallsPerSecond(settings.RETELL_CALLS_PER_SECOND, burst_seconds=burst)


def _run(dispatcher: Dispatcher, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            done = dispatcher.step(now=clock.now())
        except Exception:
            log.exception("dispatcher.failed")
            close_old_connections()
            stop.wait(IDLE_SECONDS)
            continue
        if done or dispatcher.under_way:
            stop.wait(BUSY_SECONDS)
        else:
            _wait_idle(stop, FULL_SECONDS if dispatcher.waits_for_lines else IDLE_SECONDS)


def _wait_idle(stop: threading.Event, seconds: float) -> None:
    """Wait for the bell, so many seconds at most; as long without Redis."""
    until = time.monotonic() + seconds
    if not wait_for_ring(BELL, seconds=seconds):
        stop.wait(max(0.0, until - time.monotonic()))


def _finish(dispatcher: Dispatcher) -> None:
    """Write the last answers and give the lease back; a kill here costs nothing but a look-up."""
    until = time.monotonic() + LAST_ANSWERS_SECONDS
    try:
        while dispatcher.under_way and time.monotonic() < until:
            dispatcher.write_answers(now=clock.now())
            time.sleep(BUSY_SECONDS)
        dispatcher.release()
    except Exception:
        log.exception("dispatcher.not_released")
