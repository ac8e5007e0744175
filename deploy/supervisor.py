"""
Runs several processes as one: their lines prefixed, crashes restarted, nothing left behind.

Standard library only. Each child leads a session of its own, so Ctrl-C reaches the supervisor alone
and whatever a child has forked can be found. When the supervisor disappears, by SIGKILL too, a
guard process (`deploy/guard.py`) ends the children; on Linux the kernel tells them besides.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO

from deploy.guard import POLL_SECONDS, STOP_SIGNALS, kill_session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 8.0
READY_SECONDS = 0.2
LONGEST_LINE = 64 * 1024
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)

prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class Stopped(Exception):
    """Somebody asked the supervisor to stop."""


class NotReady(Exception):
    """What was waited for did not come in time; the message says what."""


@dataclass(frozen=True)
class Program:
    """What to run, and the name its lines appear under."""

    name: str
    command: Sequence[str]
    stops_last: bool = False  # the others write to it until they have ended


@dataclass(frozen=True)
class BackOff:
    """How long a crashed program waits for its next start, in seconds."""

    first: float = 1.0
    longest: float = 30.0
    steady: float = 60.0  # after so long a run the next crash counts as the first

    def next(self, *, last: float, ran_seconds: float) -> float:
        """Return the wait after a run of that length: it doubles up to the longest."""
        if not last or ran_seconds >= self.steady:
            return self.first
        return min(self.longest, last * 2)


class Output:
    """Writes lines under the name of the process they come from, in colour on a terminal."""

    def __init__(self, stream: TextIO, *, width: int = 10) -> None:
        self.stream = stream
        self.width = width
        self.colours: dict[str, int] = {}
        self.is_coloured = stream.isatty() and not os.environ.get("NO_COLOR")

    def line(self, name: str, text: str) -> None:
        prefix = f"{name:<{self.width}} |"
        if self.is_coloured:
            colour = self.colours.setdefault(name, COLOURS[len(self.colours) % len(COLOURS)])
            prefix = f"\033[{colour}m{prefix}\033[0m"
        # A terminal that is gone must not keep the children from being stopped.
        with suppress(OSError):
            print(prefix, text, file=self.stream, flush=True)


@dataclass(eq=False)
class Child:
    """One running process of a program, and the line it hasn't finished."""

    program: Program
    process: subprocess.Popen[bytes]
    started: float
    waited: float  # seconds of back-off before this start
    is_once: bool
    rest: bytes = b""

    @property
    def pipe(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def read(self) -> bytes | None:
        """Return what it has written: b"" at the end, None when there is nothing yet."""
        try:
            return os.read(self.pipe, LONGEST_LINE)
        except BlockingIOError:
            return None

    def lines(self, part: bytes) -> list[str]:
        """Cut what was read into lines; the unfinished last one waits for more."""
        *whole, self.rest = (self.rest + part).split(b"\n")
        if self.rest and (not part or len(self.rest) >= LONGEST_LINE):
            whole.append(self.rest)
            self.rest = b""
        return [line.decode(errors="replace").rstrip("\r") for line in whole]


@dataclass(eq=False)
class Supervisor:
    """
    Starts programs, passes their lines on and restarts the ones that crash.

    A context manager: leaving it ends every process, those that stop last at the end.
    """

    env: dict[str, str]
    output: Output
    back_off: BackOff = field(default_factory=BackOff)
    stop_seconds: float = STOP_SECONDS

    def __post_init__(self) -> None:
        self.children: dict[str, Child] = {}
        self.waiting: dict[str, tuple[Program, float, float]] = {}  # program, due, waited
        self.selector = selectors.DefaultSelector()
        self.signals = 0
        self.guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        for number in STOP_SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._on_signal)
        guard = str(Path(__file__).resolve().with_name("guard.py"))
        self.guard = subprocess.Popen(
            [sys.executable, guard, str(self.stop_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    def __exit__(self, *problem: object) -> None:
        if isinstance(problem[1], Stopped):
            self.say("Stopping …")
        self.stop()
        assert self.guard is not None
        assert self.guard.stdin is not None
        with suppress(BrokenPipeError):
            self.guard.stdin.close()
        self.guard.wait()

    def say(self, text: str) -> None:
        """Print a line of the supervisor's own."""
        self.output.line("convomono", text)

    def start(self, program: Program, *, waited: float = 0.0, is_once: bool = False) -> Child:
        """Start the program; when it ends it is started again, unless it is to run once."""
        process = subprocess.Popen(
            program.command,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_dies_with(os.getpid()),  # noqa: PLW1509 # it has one thread
        )
        self._tell_guard(f"+{process.pid}")
        child = Child(program, process, time.monotonic(), waited, is_once)
        os.set_blocking(child.pipe, False)
        self.selector.register(child.pipe, selectors.EVENT_READ, child)
        self.children[program.name] = child
        return child

    def run(self, program: Program) -> int:
        """Run a program to its end and return its exit status; the others go on meanwhile."""
        child = self.start(program, is_once=True)
        while program.name in self.children:
            self.step()
        return child.process.returncode

    def wait_until(self, ready: Callable[[], bool], what: str, *, seconds: float = 60.0) -> None:
        """
        Wait for a condition while the children run.

        :raises NotReady: after `seconds`
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise NotReady(f"{what} was not ready after {seconds:g} seconds.")
            pause = time.monotonic() + READY_SECONDS  # asking may itself make children write lines
            while time.monotonic() < pause:
                self.step()

    def step(self) -> None:
        """
        Pass lines on for a moment, notice ended children, start those whose wait is over.

        :raises Stopped: when a signal asked for it
        """
        if self.signals:
            raise Stopped
        self._pass_lines_on()
        for child in list(self.children.values()):
            if child.process.poll() is not None:
                self._end(child)
                if not child.is_once:
                    self._plan_restart(child)
        for name, (program, due, waited) in list(self.waiting.items()):
            if time.monotonic() >= due:
                del self.waiting[name]
                self.start(program, waited=waited)

    def stop(self) -> None:
        """End every child: politely, then by force after `stop_seconds` or another signal."""
        self.waiting.clear()
        for is_last in (False, True):
            group = [c for c in self.children.values() if c.program.stops_last is is_last]
            for child in group:
                child.process.terminate()
            signals, deadline = self.signals, time.monotonic() + self.stop_seconds
            while any(child.process.poll() is None for child in group):
                if time.monotonic() > deadline or self.signals > signals:
                    break
                self._pass_lines_on()
            for child in group:
                if child.process.poll() is None:
                    self.say(f"{child.program.name} did not stop in time, killing it")
                self._end(child)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1

    def _tell_guard(self, text: str) -> None:
        assert self.guard is not None, "start programs inside the with block"
        assert self.guard.stdin is not None
        with suppress(BrokenPipeError):  # somebody killed the guard
            self.guard.stdin.write(f"{text}\n".encode())
            self.guard.stdin.flush()

    def _pass_lines_on(self) -> None:
        for key, _ in self.selector.select(POLL_SECONDS):
            child: Child = key.data
            part = child.read()
            if part == b"":
                self.selector.unregister(child.pipe)
            if part is not None:
                self._print(child, part)

    def _print(self, child: Child, part: bytes) -> None:
        for line in child.lines(part):
            self.output.line(child.program.name, line)

    def _end(self, child: Child) -> None:
        """Kill what is left in the child's session, print its last lines and forget it."""
        kill_session(child.process.pid, signal.SIGKILL)
        child.process.wait()
        while part := child.read():
            self._print(child, part)
        self._print(child, b"")
        with suppress(KeyError):  # it had closed its output before
            self.selector.unregister(child.pipe)
        assert child.process.stdout is not None
        child.process.stdout.close()
        self._tell_guard(f"-{child.process.pid}")
        self.children.pop(child.program.name, None)

    def _plan_restart(self, child: Child) -> None:
        now = time.monotonic()
        wait = self.back_off.next(last=child.waited, ran_seconds=now - child.started)
        name, status = child.program.name, child.process.returncode
        self.waiting[name] = (child.program, now + wait, wait)
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        self.say(f"{name} ended {how}; starting it again in {wait:g} s")


def _dies_with(supervisor_pid: int) -> Callable[[], None] | None:
    """Return what a child does before its program: ask the kernel for SIGTERM at that death."""
    if prctl is None:
        return None

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor_pid:  # it died before the line above
            os._exit(1)

    return ask
