"""
The lane of those who write slice after slice beside SQLite: one at a time, and a rest after each.

SQLite's lock isn't fair. Two bulk writers that each rest for themselves fill each other's rests, and a
single insert that somebody waits for comes to nothing for seconds. Who can't wait says so (`ask_for_way`),
and no slice begins before it is done. Other databases lock rows, and need no lane.
"""

from __future__ import annotations

import fcntl
import math
import os
import struct
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.db import OperationalError, connection

from convomono.lib.db import PATIENCE_SECONDS, in_transaction, run_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHORTEST_REST_SECONDS: Final = 0.002
LONGEST_REST_SECONDS: Final = 0.05
# Whoever has the lane longer than that is stuck or stopped: the others go on without it.
LONGEST_WAIT_SECONDS: Final = 0.5
# Webhooks wait for a slice of ten milliseconds at most; the part that it writes now, and the commit, take some too.
_ENOUGH_SECONDS: Final = 0.0035
_POLL_SECONDS: Final = 0.001
# Whoever asks for way asks again each millisecond; on a busy machine later.
_ASKED_SECONDS: Final = 0.015
_LONGEST_WAY_SECONDS: Final = 0.1
# A slice of many pages writes some 400: whoever commits behind two thousand (`databases.py`), a webhook maybe,
# copies the log. Each copy syncs the disk twice, so the rarer the cheaper, and the longer webhooks wait for the disk.
_SLICES_OF_LOG: Final = 3
# What is written meanwhile keeps the log from beginning anew: it is copied too, which takes no time.
_TRIES_OF_COPY: Final = 3
_INSTANT: Final = struct.Struct("d")  # of the monotonic clock, which all processes share
_FREE_FROM, _ASKED_AT = 0, _INSTANT.size  # where in the lane's file
_here = threading.local()


def run_bulk[R](
    block: Callable[[], R], *, patience: float = PATIENCE_SECONDS, has_many_pages: bool = False
) -> R:
    """
    Run block() as `run_atomic` does, in its turn among the bulk writers of this database.

    The next slice, whoever's it is, begins when the lock was free for half as long as this one held it:
    between 2 and 50 ms. Inside a transaction, which has the lock already, it is a plain `run_atomic`.
    One that `has_many_pages`, as hundreds of new rows do, sees itself to it that SQLite's log stays short.
    """
    path = _lane_of_database()
    if path is None or getattr(_here, "has_lane", False) or in_transaction():
        return run_atomic(block, patience=patience)
    began: list[float] = []

    def held() -> R:
        began[:] = [time.monotonic()]  # the wait for the lock isn't ours
        _here.enough_at = began[0] + _ENOUGH_SECONDS
        return block()

    try:
        file = _opened(path)
    except OSError:  # another user's, or a full disk: the lock alone keeps the order then
        return run_atomic(block, patience=patience)
    with _lane(file):
        try:
            result = run_atomic(held, patience=patience)
        finally:
            ended, _here.enough_at = time.monotonic(), math.inf
            held_for = ended - began[0] if began else 0.0
            rest = min(max(held_for / 2, SHORTEST_REST_SECONDS), LONGEST_REST_SECONDS)
            _say(file, _FREE_FROM, ended + rest)
    if has_many_pages:
        _keep_log_short()
    return result


def is_slice_over() -> bool:
    """
    Tell whether the slice that this thread is writing has held the lock for so long that it should end.

    A slice of several parts asks after each, and leaves the others to the next one. Where nobody takes
    turns nothing is over: another database has no lock that all wait for.
    """
    return time.monotonic() > float(getattr(_here, "enough_at", math.inf))


def _keep_log_short() -> None:
    """Copy SQLite's log into the database after some slices; the lock is free meanwhile."""
    _here.slices = getattr(_here, "slices", 0) + 1
    if _here.slices % _SLICES_OF_LOG == 0:
        with suppress(OperationalError), connection.cursor() as cursor:  # then somebody else does
            for _again in range(_TRIES_OF_COPY):
                cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
                _busy, pages, copied = cursor.fetchone()
                if pages == copied:
                    return


def ask_for_way(*, is_done: bool = False) -> None:
    """
    Keep the next slice from beginning for some milliseconds: a single insert waits for the lock.

    Who has it asks no more (`is_done`); another one that waits asks again within a millisecond.
    """
    path = _lane_of_database()
    if path is None:
        return
    with suppress(OSError):  # who can't ask waits like everybody else
        if getattr(_here, "asking_on", None) != path:
            _here.asking, _here.asking_on = _Opened(path), path
        _say(_here.asking.file, _ASKED_AT, 0.0 if is_done else time.monotonic())


class _Opened:
    """A file that closes itself: web servers end threads that have nothing to do."""

    def __init__(self, path: Path) -> None:
        self.file = _opened(path)

    def __del__(self) -> None:
        with suppress(AttributeError, OSError):
            os.close(self.file)


def _lane_of_database() -> Path | None:
    """Return the file that stands for the lane; None where there is no file to share."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or ":memory:" in name or "mode=memory" in name:
        return None
    return Path(f"{name}-lane")


@contextmanager
def _lane(file: int) -> Iterator[None]:
    """Take the lane, wait out the rest of whoever had it, and leave it; the kernel frees a dead one's."""
    try:
        _take(file)
        _here.has_lane = True
        rest = _said(file, _FREE_FROM) - time.monotonic()
        if 0 < rest <= LONGEST_REST_SECONDS:  # anything longer is of before the machine started
            time.sleep(rest)
        _give_way(file)
        yield
    finally:
        _here.has_lane = False
        os.close(file)


def _take(file: int) -> None:
    give_up_at = time.monotonic() + LONGEST_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                return
            time.sleep(_POLL_SECONDS)
        else:
            return


def _give_way(file: int) -> None:
    give_up_at = time.monotonic() + _LONGEST_WAY_SECONDS
    while (now := time.monotonic()) < give_up_at:
        if not 0 <= now - _said(file, _ASKED_AT) < _ASKED_SECONDS:
            return
        time.sleep(_POLL_SECONDS)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _say(file: int, place: int, instant: float) -> None:
    with suppress(OSError):  # a full disk: whoever comes next doesn't rest
        os.pwrite(file, _INSTANT.pack(instant), place)


def _said(file: int, place: int) -> float:
    said = os.pread(file, _INSTANT.size, place)
    instant: float = _INSTANT.unpack(said)[0] if len(said) == _INSTANT.size else 0.0
    return instant
