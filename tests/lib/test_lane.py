"""Bulk writers beside SQLite: one at a time, with a rest after each slice, and never before who can't wait."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db.utils import ConnectionHandler

from convomono.lib import lane
from convomono.lib.databases import database_settings
from convomono.lib.lane import ask_for_way, is_slice_over, run_bulk

if TYPE_CHECKING:
    from collections.abc import Callable

HOLDER = """
import fcntl, os, sys, time
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lane of the test's own, with no database behind it: its lock must not be what keeps the order."""
    path = tmp_path / "lane"
    monkeypatch.setattr(lane, "_lane_of_database", lambda: path)
    monkeypatch.setattr(lane, "_here", threading.local())
    monkeypatch.setattr(lane, "run_atomic", lambda block, **_patience: block())
    monkeypatch.setattr(lane, "in_transaction", lambda: False)
    return path


def spans(blocks: list[Callable[[], object]]) -> list[tuple[float, float]]:
    """Run each block as a slice in a thread of its own; return when each began and ended, in order."""
    found = []

    def work(block: Callable[[], object]) -> None:
        def timed() -> None:
            began = time.monotonic()
            block()
            found.append((began, time.monotonic()))

        run_bulk(timed)

    threads = [threading.Thread(target=work, args=(block,)) for block in blocks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def test_lets_one_write_at_a_time_and_rest_half_as_long_as_it_took(path: Path) -> None:
    found = spans([lambda: time.sleep(0.02)] * 3)

    for (_began, ended), (next_began, _ended) in pairwise(found):
        assert next_began - ended > 0.008


def test_begins_nothing_while_somebody_asks_for_way(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "_ASKED_SECONDS", 0.3)
    monkeypatch.setattr(lane, "_LONGEST_WAY_SECONDS", 5.0)
    asked_at = time.monotonic()

    ask_for_way()
    (began, _ended), *_none = spans([lambda: None])
    assert began - asked_at >= 0.3

    ask_for_way()
    ask_for_way(is_done=True)
    again = time.monotonic()
    run_bulk(lambda: None)
    assert time.monotonic() - again < 0.25


def test_says_that_a_slice_is_over_when_it_has_had_the_lock_for_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "_ENOUGH_SECONDS", 0.02)
    said: list[bool] = []

    def write() -> None:
        said.append(is_slice_over())
        time.sleep(0.03)
        said.append(is_slice_over())
        run_bulk(lambda: said.append(is_slice_over()))  # is part of it

    run_bulk(write)

    assert said == [False, True, True]
    assert not is_slice_over()
    run_bulk(lambda: said.append(is_slice_over()))
    assert not said[-1]


def test_hurries_nobody_where_no_lock_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "_ENOUGH_SECONDS", 0.0)
    monkeypatch.setattr(lane, "_lane_of_database", lambda: None)

    assert not run_bulk(is_slice_over)


def test_goes_on_although_somebody_asks_for_way_without_end(path: Path) -> None:
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.001):
            ask_for_way()

    asking = threading.Thread(target=ask)
    asking.start()
    began = time.monotonic()
    run_bulk(lambda: None)
    over.set()
    asking.join()

    assert time.monotonic() - began < 5


def test_takes_over_from_a_dead_writer_and_passes_a_stopped_one_by(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "LONGEST_WAIT_SECONDS", 0.2)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert run_bulk(lambda: "written") == "written"
        assert time.monotonic() - began >= 0.2
        holder.kill()

    file = os.open(path, os.O_RDWR)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel has freed it
    os.close(file)


def test_leaves_the_lane_when_a_slice_fails(path: Path) -> None:
    def broken() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_bulk(broken)

    assert run_bulk(lambda: run_bulk(lambda: "inside another's")) == "inside another's"


def test_believes_no_rest_of_before_the_machine_started(path: Path) -> None:
    path.write_bytes(lane._INSTANT.pack(time.monotonic() + 1_000_000) * 2)

    began = time.monotonic()
    run_bulk(lambda: None)

    assert time.monotonic() - began < 5


def test_needs_no_lane_where_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "_lane_of_database", lambda: None)
    monkeypatch.setattr(lane, "run_atomic", lambda block, **_patience: block())
    monkeypatch.setattr(lane, "_opened", lambda _path: pytest.fail("opened a file"))

    ask_for_way()

    assert run_bulk(lambda: 1) == 1


def test_leaves_no_file_open_behind_a_thread_that_has_ended(path: Path) -> None:
    asked = threading.Thread(target=ask_for_way)
    asked.start()
    asked.join()
    assert path.exists()

    opened = {link.resolve() for link in Path("/proc/self/fd").iterdir()}

    assert path not in opened


def test_writes_although_the_lane_can_not_be_opened(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_path: Path) -> int:
        raise PermissionError

    monkeypatch.setattr(lane, "_opened", refused)

    ask_for_way()

    assert run_bulk(lambda: "written") == "written"


def test_is_written_although_nobody_can_be_told_to_rest(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_what: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)

    assert run_bulk(lambda: "written") == "written"


def test_waits_for_nobody_inside_a_transaction(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "in_transaction", lambda: True)
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(file, fcntl.LOCK_EX)  # somebody has the lane, and waits for our transaction's end

    began = time.monotonic()
    assert run_bulk(lambda: "written") == "written"

    assert time.monotonic() - began < lane.LONGEST_WAIT_SECONDS / 2
    os.close(file)


@pytest.mark.django_db  # opens one of its own
@pytest.mark.parametrize(("has_many_pages", "most"), [(True, 1500), (False, 2500)])
def test_keeps_sqlites_log_short_behind_slices_of_many_pages(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_many_pages: bool, most: int
) -> None:
    settings = database_settings(f"sqlite:///{tmp_path}/database.sqlite3")
    database = ConnectionHandler({"default": settings})["default"]
    monkeypatch.setattr(lane, "connection", database)

    def write() -> None:
        with database.cursor() as cursor:
            cursor.execute("INSERT INTO texts VALUES (zeroblob(1600000))")

    with database.cursor() as cursor:
        cursor.execute("PRAGMA wal_autocheckpoint = 0")
        cursor.execute("CREATE TABLE texts (text BLOB)")
    for _slice in range(6):
        run_bulk(write, has_many_pages=has_many_pages)
    with database.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
        _busy, pages, _copied = cursor.fetchone()
    database.close()

    assert most - 1000 < pages < most


@pytest.mark.django_db  # opens one of its own
def test_copies_what_was_written_meanwhile_too(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = database_settings(f"sqlite:///{tmp_path}/database.sqlite3")
    databases = ConnectionHandler({"default": settings, "reader": settings})
    database, reader = databases["default"], databases["reader"].cursor()
    monkeypatch.setattr(lane, "connection", database)
    monkeypatch.setattr(lane, "_SLICES_OF_LOG", 1)
    copies = []

    def copying(execute: Callable[..., object], sql: str, *given: object) -> object:
        result = execute(sql, *given)
        if "wal_checkpoint" in sql:
            copies.append(sql)
            reader.execute(
                "COMMIT"
            )  # who read what was there before keeps it from being copied whole
        return result

    def write() -> None:
        with database.cursor() as cursor:
            cursor.execute("INSERT INTO texts VALUES (zeroblob(400000))")

    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE texts (text BLOB)")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM texts")
    reader.fetchall()
    with database.execute_wrapper(copying):
        run_bulk(write, has_many_pages=True)

    assert len(copies) == 2
    databases.close_all()
