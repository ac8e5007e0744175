"""Applies events again, or rebuilds everything in a scratch copy and compares."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date, parse_datetime

from convomono.lib import clock
from webhooks import replay
from webhooks.scratch import (
    ScratchFailed,
    ScratchTaken,
    rebuild_in_scratch,
    written_comparison,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser

PAUSE_SECONDS = 0.005


class Command(BaseCommand):
    """Safe at any time: what an event did already, it doesn't do again; the ledger is never rewritten."""

    help = "Apply stored events again (--from, --to, --call), or compare a rebuild of everything."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="since", help="Received from then on (ISO, UTC).")
        parser.add_argument("--to", dest="until", help="Received before then (ISO, UTC).")
        parser.add_argument("--call", default="", help="Retell's id of one call.")
        parser.add_argument("--dry-run", action="store_true", help="Tell what would change.")
        parser.add_argument(
            "--everything", action="store_true", help="Rebuild all calls in a scratch copy."
        )
        parser.add_argument(
            "--shuffle", type=int, help="With a seed: every event twice, in random order."
        )
        parser.add_argument(
            "--rebuild-here", action="store_true", help="For the scratch copy alone."
        )

    def handle(self, *_args: Any, **options: Any) -> str:
        if options["rebuild_here"]:
            return _rebuild_here(options["shuffle"])
        if options["everything"]:
            return self._everything(options["shuffle"])
        chosen = replay.Range(
            received_from=_instant(options["since"]),
            received_until=_instant(options["until"]),
            provider_call_id=options["call"],
        )
        if chosen == replay.Range():
            raise CommandError("Say which events: --from, --to, --call, or --everything.")
        is_dry_run = options["dry_run"]
        found = replay.apply_again(
            chosen=chosen,
            is_dry_run=is_dry_run,
            now=clock.now(),
            pause=lambda: time.sleep(PAUSE_SECONDS),
        )
        self._show(found)
        words = "Would replay" if is_dry_run else "Replayed"
        verb = "would change" if is_dry_run else "changed"
        failed = f" {found.failed_count} failed." if found.failed_count else ""
        return f"{words} {found.events_count} events, {found.differing_count} calls {verb}.{failed}"

    def _everything(self, shuffle: int | None) -> str:
        try:
            found = rebuild_in_scratch(shuffle=shuffle)
        except ScratchFailed as problem:
            raise CommandError(f"The scratch copy could not be rebuilt: {problem}") from None
        except ScratchTaken:
            raise CommandError("Another rebuild is under way: wait until it is finished.") from None
        self._show(found)
        self.stdout.write(f"stored  {found.stored_hash}\nrebuilt {found.rebuilt_hash}")
        told = f"Rebuilt {found.calls_count} calls from {found.events_count} events"
        if found.stored_hash != found.rebuilt_hash:
            raise CommandError(f"{told}: {found.differing_count} differ.")
        left_out = f" ({found.left_out_count} without events left out)" * bool(found.left_out_count)
        return f"{told}: equal{left_out}."

    def _show(self, found: replay.Comparison) -> None:
        for one in found.differences:
            self.stdout.write(f"{one.call}  {one.column}: {one.stored} -> {one.rebuilt}")


def _rebuild_here(shuffle: int | None) -> str:
    if not settings.IS_SCRATCH:
        raise CommandError("This is no scratch copy: use --everything.")
    # A day more than is kept: of calls that began before it some events may be gone.
    kept = timedelta(days=settings.WEBHOOK_RETENTION_DAYS - 1)
    found = replay.rebuild_everything(kept_since=clock.now() - kept, shuffle=shuffle)
    return written_comparison(found)


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        found = parse_datetime(text)
        if found is None and (day := parse_date(text)):
            found = datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{text!r} is no instant: write 2026-11-23T15:00.")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
