"""
Ends a supervisor's children when the supervisor itself is gone, by SIGKILL too.

    python guard.py STOP_SECONDS    with "+pid" and "-pid" lines on its input

Standard library only. Each child leads a session; the end of the input is the supervisor's end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL_SECONDS = 0.1


def kill_session(session: int, number: signal.Signals) -> None:
    """Signal every living process of a session."""
    for pid in session_members(session):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def session_members(session: int) -> list[int]:
    """
    List the living processes of a session, forked ones with a process group of their own too.

    RQ's worker puts each job into another process group, so killing the group isn't enough.
    """
    members = []
    for pid in running_pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == session:
                members.append(pid)
    return members


def running_pids() -> Iterator[int]:
    """Yield the ids of all processes but zombies."""
    if sys.platform != "linux":
        table = subprocess.run(
            ["/bin/ps", "-A", "-o", "pid=,stat="], capture_output=True, check=False
        )
        rows = (line.split() for line in table.stdout.decode().splitlines())
        yield from (int(row[0]) for row in rows if not row[1].startswith("Z"))
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state not in "ZX":
                    yield int(entry.name)


def guard(stop_seconds: float) -> None:
    """Follow the list of sessions until the supervisor is gone, then end what still runs."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sessions: set[int] = set()
    for line in sys.stdin:
        change = sessions.add if line.startswith("+") else sessions.discard
        change(int(line[1:]))
    for session in sessions:
        kill_session(session, signal.SIGTERM)
    deadline = time.monotonic() + stop_seconds
    while any(session_members(session) for session in sessions) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for session in sessions:
        kill_session(session, signal.SIGKILL)


if __name__ == "__main__":
    guard(float(sys.argv[1]))
