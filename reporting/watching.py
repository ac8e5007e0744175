"""Parts of the system that watch each other: whoever lives tells the agency of whoever doesn't."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import structlog
from django.conf import settings
from django.db import close_old_connections

from accounts.models import Notification
from accounts.notifications import mail_agency, notify
from convomono.lib import clock
from convomono.lib.redis import beat, is_reachable, seconds_since_beat
from reporting.queries.health import DRAIN, JOBS, system_health

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["DRAIN", "JOBS", "start_watchman", "watch"]

log = structlog.get_logger()

PAGE: Final = "/agency/health/"
EVERY_SECONDS: Final = 60
_REPEATED_AFTER_HOURS: Final = 6


def watch(*, part: str, now: datetime, real_now: datetime, base_url: str) -> list[str]:
    """
    Say that this part lives, look at all others, and tell the agency in the app and by mail.

    The same trouble is told once in six hours, whoever sees it; nothing is at the first look of a part
    that came up just now, as the others may be coming up with it. Returns the codes that were new.
    Outside of any transaction: it sends mail.
    """
    came_up = _came_up(part, real_now)
    beat(part, now=real_now)
    if came_up:
        return []
    slot = f"{real_now:%Y-%m-%d}:{real_now.hour // _REPEATED_AFTER_HOURS}"
    told = []
    for check in system_health(now=now, real_now=real_now, folder=settings.VAR_DIR):
        if check.level != "bad":
            continue
        title = f"{check.name}: {check.level_label}"
        is_new = notify(
            client=None,
            level=Notification.Level.BAD,
            title=title,
            body=check.sentence,
            url=PAGE,
            key=f"health:{check.code}:{slot}",
            now=now,
        )
        if is_new:
            text = f"{check.sentence}\n\n{base_url.rstrip('/')}{PAGE}\n"
            mail_agency(subject=title, text=text)
            told.append(check.code)
    return told


def _came_up(part: str, real_now: datetime) -> bool:
    silent = seconds_since_beat(part, now=real_now)
    # Without Redis nobody knows, and that is trouble enough to be told of.
    return is_reachable() if silent is None else silent > 2 * EVERY_SECONDS


def start_watchman(part: str, stop: threading.Event) -> threading.Thread:
    """Watch once a minute in a thread of a long-running process, until `stop`."""

    def run() -> None:
        while True:
            try:
                watch(
                    part=part,
                    now=clock.now(),
                    real_now=clock.real_now(),
                    base_url=settings.PUBLIC_BASE_URL,
                )
            except Exception:
                log.exception("watch.failed", part=part)
            close_old_connections()
            if stop.wait(EVERY_SECONDS):
                return

    thread = threading.Thread(target=run, name="watchman", daemon=True)
    thread.start()
    return thread
