"""Servers under load: started beside each other, held to a core of their own, their CPU counted."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.guard import session_members
from deploy.runs import free_port, is_ok
from deploy.site import Sandbox, Site
from deploy.supervisor import Output, Program, Supervisor

if TYPE_CHECKING:
    from collections.abc import Sequence

TICKS = os.sysconf("SC_CLK_TCK")
SERVER_CORE, LOAD_CORE = 0, 1


@dataclass(frozen=True)
class Server:
    """A running server: where it listens, and the session its processes are in."""

    port: int
    session: int

    def cpu_seconds(self) -> float:
        """Return the CPU that all its processes have used since they started."""
        return cpu_seconds(self.session)


def cpu_seconds(session: int) -> float:
    """Return the CPU used by the living processes of a session."""
    total = 0
    for pid in session_members(session):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def apart(pid: int, core: int) -> None:
    """Keep a process on one core, where there are several and the system can."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {core})


def supervisor(env: dict[str, str]) -> Supervisor:
    """Return a supervisor that prints what the servers say to stderr."""
    return Supervisor(env, Output(sys.stderr))


def site_in(
    folder: str, *, clock_factor: float, lines: int, calls_per_second: int
) -> tuple[Site, dict[str, str]]:
    """Return the product on SQLite beside a sandbox with so many lines, and its processes' environment."""
    limits = (("concurrency", lines), ("calls-per-second", calls_per_second))
    sandbox = Sandbox(free_port(0), clock_factor, limits)
    site = Site(Path(sys.executable), Path(folder), free_port(0), sandbox)
    return site, site.environment() | {
        "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
        "DEBUG": "no",
        "LOG_LEVEL": "WARNING",
        "RETELL_CALLS_PER_SECOND": str(calls_per_second),
    }


def start_server(
    watcher: Supervisor, name: str, command: Sequence[str], *, port: int, health: str
) -> Server:
    """Start a server on the server core and wait until it answers."""
    child = watcher.start(Program(name, command))
    apart(child.process.pid, SERVER_CORE)
    watcher.wait_until(lambda: is_ok(f"http://127.0.0.1:{port}{health}"), name)
    return Server(port, child.process.pid)
