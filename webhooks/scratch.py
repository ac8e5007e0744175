"""A copy of the whole database in a SQLite file, and a process that rebuilds everything in it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import connection

from convomono.lib import env
from convomono.lib.copying import CountsDiffer, copy_database, lent_database
from webhooks.pictures import Difference
from webhooks.replay import Comparison

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ALIAS: Final = "scratch"
_PAGES: Final = 500
# Nobody is there: bells, jobs and live pages of the copy reach nobody.
_NO_REDIS: Final = "redis://127.0.0.1:1/0"
LONGEST_SECONDS: Final = 6 * 3600
_BEAT_SECONDS: Final = 15.0


class ScratchFailed(Exception):
    """The process that rebuilds ended badly; the message is the last of what it said."""


class ScratchTaken(Exception):
    """Another rebuild is under way on this machine: two copies at once may fill its disk."""


def rebuild_in_scratch(
    *, shuffle: int | None = None, beat: Callable[[], None] = lambda: None
) -> Comparison:
    """
    Copy the database as it is now, rebuild every call in the copy, and throw the copy away.

    The real rows are only read. Takes as long as applying all events did, and their space on disk.
    `beat` is called again and again meanwhile, once a quarter of a minute at the least.

    :raises ScratchFailed: if the copy couldn't be rebuilt
    :raises ScratchTaken: while another rebuild is under way
    """
    with _the_only_one() as lock, _folder() as folder:
        url = f"sqlite:///{folder / 'scratch.sqlite3'}"
        process = _Process(url, lock, beat)
        if connection.vendor == "sqlite":
            _copy_file(folder / "scratch.sqlite3", beat)
        else:
            process.manage("migrate", "--verbosity", "0")
            _copy_rows(url, beat)
        more = [] if shuffle is None else ["--shuffle", str(shuffle)]
        return read_comparison(process.manage("replay_webhooks", "--rebuild-here", *more))


def remove_remains() -> int:
    """
    Delete copies that a killed rebuild left behind; return how many.

    A copy holds every number and transcript, of people too who were erased since. While somebody
    rebuilds nothing is touched.
    """
    try:
        with _the_only_one():
            return _emptied()
    except ScratchTaken:
        return 0


def written_comparison(comparison: Comparison) -> str:
    """Write a comparison as one line that `read_comparison` understands."""
    return json.dumps(asdict(comparison))


def read_comparison(text: str) -> Comparison:
    """Read the last line of what the process wrote."""
    found: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    found["differences"] = [Difference(**one) for one in found["differences"]]
    return Comparison(**found)


def _parent() -> Path:
    """Return the folder of copies, beside the database; only we may read it."""
    parent = Path(settings.VAR_DIR) / "scratch"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return parent


@contextmanager
def _the_only_one() -> Iterator[int]:
    """
    Hold this machine's one rebuild; the kernel lets go of it when whoever holds it is killed.

    :raises ScratchTaken: if somebody holds it
    """
    lock = os.open(_parent() / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ScratchTaken from None
        yield lock
    finally:
        os.close(lock)


def _emptied() -> int:
    remains = [path for path in _parent().iterdir() if path.is_dir()]
    for path in remains:
        shutil.rmtree(path, ignore_errors=True)
    return len(remains)


@contextmanager
def _folder() -> Iterator[Path]:
    """Lend a folder for the copy, where what a killed rebuild left is gone."""
    _emptied()
    folder = Path(mkdtemp(dir=_parent()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_file(target: Path, beat: Callable[[], None]) -> None:
    """Copy by SQLite's own backup, a few pages at a time: others go on writing meanwhile."""
    source = sqlite3.connect(str(connection.settings_dict["NAME"]))
    copy = sqlite3.connect(target)
    try:
        source.execute("BEGIN")  # one moment for all of it: a writer doesn't make it begin anew
        source.backup(copy, pages=_PAGES, progress=lambda *_pages: beat())
    finally:
        copy.close()
        source.close()


def _copy_rows(url: str, beat: Callable[[], None]) -> None:
    # Others may write meanwhile: what came is compared with itself.
    with lent_database(_ALIAS, url), suppress(CountsDiffer):
        copy_database("default", _ALIAS, beat=beat)


class _Process:
    """
    Runs our own commands on the copy, without Redis: bells, jobs and live pages of it reach nobody.

    The command holds the lock too: it may outlive a worker that is killed.
    """

    def __init__(self, url: str, lock: int, beat: Callable[[], None]) -> None:
        self._environment = env.for_child(
            DATABASE_URL=url, REDIS_URL=_NO_REDIS, SCRATCH_DATABASE="yes"
        )
        self._lock = lock
        self._beat = beat

    def manage(self, *command: str) -> str:
        """Return what a command wrote; `ScratchFailed` if it ended badly or took too long."""
        with subprocess.Popen(  # noqa: S603 - our own command, our own arguments
            [sys.executable, str(settings.BASE_DIR / "manage.py"), *command],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[self._lock],
        ) as process:
            try:
                written, complaint = self._waited_for(process)
            except BaseException:  # the worker is told to stop, or has waited long enough
                process.kill()
                raise
        if process.returncode:
            raise ScratchFailed((complaint or written).strip()[-400:])
        return written

    def _waited_for(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        give_up_at = time.monotonic() + LONGEST_SECONDS
        while True:
            self._beat()
            try:
                return process.communicate(timeout=_BEAT_SECONDS)
            except subprocess.TimeoutExpired:
                if time.monotonic() > give_up_at:
                    raise ScratchFailed("It took too long.") from None
