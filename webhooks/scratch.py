"""A copy of the whole database in a SQLite file, and a process that rebuilds everything in it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
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
    from collections.abc import Iterator

_ALIAS: Final = "scratch"
_PAGES: Final = 500
# Nobody is there: bells, jobs and live pages of the copy reach nobody.
_NO_REDIS: Final = "redis://127.0.0.1:1/0"
LONGEST_SECONDS: Final = 6 * 3600


class ScratchFailed(Exception):
    """The process that rebuilds ended badly; the message is the last of what it said."""


def rebuild_in_scratch(*, shuffle: int | None = None) -> Comparison:
    """
    Copy the database as it is now, rebuild every call in the copy, and throw the copy away.

    The real rows are only read. Takes as long as applying all events did, and their space on disk.

    :raises ScratchFailed: if the copy couldn't be rebuilt
    """
    with _folder() as folder:
        url = f"sqlite:///{folder / 'scratch.sqlite3'}"
        if connection.vendor == "sqlite":
            _copy_file(folder / "scratch.sqlite3")
        else:
            _manage(url, "migrate", "--verbosity", "0")
            _copy_rows(url)
        more = [] if shuffle is None else ["--shuffle", str(shuffle)]
        return read_comparison(_manage(url, "replay_webhooks", "--rebuild-here", *more))


def written_comparison(comparison: Comparison) -> str:
    """Write a comparison as one line that `read_comparison` understands."""
    return json.dumps(asdict(comparison))


def read_comparison(text: str) -> Comparison:
    """Read the last line of what the process wrote."""
    found: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    found["differences"] = [Difference(**one) for one in found["differences"]]
    return Comparison(**found)


@contextmanager
def _folder() -> Iterator[Path]:
    """Lend a folder that only we may read, beside the database: the copy holds everything."""
    parent = Path(settings.VAR_DIR) / "scratch"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_file(target: Path) -> None:
    """Copy by SQLite's own backup, a few pages at a time: others go on writing meanwhile."""
    source = sqlite3.connect(str(connection.settings_dict["NAME"]))
    copy = sqlite3.connect(target)
    try:
        source.execute("BEGIN")  # one moment for all of it: a writer doesn't make it begin anew
        source.backup(copy, pages=_PAGES)
    finally:
        copy.close()
        source.close()


def _copy_rows(url: str) -> None:
    # Others may write meanwhile: what came is compared with itself.
    with lent_database(_ALIAS, url), suppress(CountsDiffer):
        copy_database("default", _ALIAS)


def _manage(url: str, *command: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own command, our own arguments
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *command],
        env=env.for_child(
            DATABASE_URL=url,
            REDIS_URL=_NO_REDIS,
            SCRATCH_DATABASE="yes",
        ),
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ScratchFailed((done.stderr or done.stdout).strip()[-400:])
    return done.stdout
