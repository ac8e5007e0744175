"""The supervisor of `dev.py run`: lines, restarts, and nothing left behind however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.guard import running_pids
from deploy.supervisor import BackOff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
LONG = 30.0

RUN = """
import json, os, signal, sys
from deploy.supervisor import BackOff, Output, Program, Stopped, Supervisor

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs these tests may be deaf to it: nohup
back_off = BackOff(first=0.02, longest=0.08, steady=60)
with Supervisor(dict(os.environ), Output(sys.stdout), back_off, float(sys.argv[1])) as supervisor:
    for name, source in json.loads(sys.argv[2]).items():
        supervisor.start(Program(name, [sys.executable, "-c", source], stops_last=name == "data"))
    try:
        while True:
            supervisor.step()
    except Stopped:
        supervisor.say("asked to stop")
"""
# Like RQ's worker in the middle of a job: a fork in a process group of its own, deaf to SIGTERM.
STUBBORN = r"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgrp()
os.write(1, f"pid {os.getpid()}\n".encode())
time.sleep(600)
"""
POLITE = """
import signal, sys, time
def leave(*_):
    print("left", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(600)
"""


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class Run:
    """A supervisor in a process of its own, and what it has printed."""

    def __init__(self, folder: Path, *, stop_seconds: float = 0.3, **sources: str) -> None:
        self.log = folder / "out.log"
        command = [sys.executable, "-c", RUN, str(stop_seconds), json.dumps(sources)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    @property
    def pids(self) -> list[int]:
        return [int(pid) for pid in re.findall(r"\| pid (\d+)", self.log.read_text())]

    def has_ended(self) -> bool:
        return self.process.poll() is not None


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs = []

    def start_one(**options: object) -> Run:
        runs.append(Run(tmp_path, **options))  # type: ignore[arg-type] # sources and seconds
        return runs[-1]

    yield start_one
    for run in runs:
        run.process.kill()
        run.process.wait()


def alive(pids: list[int]) -> set[int]:
    return set(pids) & set(running_pids())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_leaves_no_process_behind(start: Callable[..., Run], number: signal.Signals) -> None:
    run = start(one=STUBBORN, two=STUBBORN)
    wait_until(lambda: len(run.pids) == 4)
    assert len(alive(run.pids)) == 4

    os.kill(run.process.pid, number)

    wait_until(run.has_ended)
    wait_until(lambda: not alive(run.pids))


def test_ends_with_status_0_when_asked_to_stop(start: Callable[..., Run]) -> None:
    run = start(web=POLITE)
    wait_until(lambda: "web        | up" in run.lines)

    run.process.send_signal(signal.SIGINT)

    assert run.process.wait(LONG) == 0
    assert run.lines[-2:] == ["convomono  | asked to stop", "web        | left"]


def test_stops_the_data_server_after_the_others(start: Callable[..., Run]) -> None:
    run = start(data=POLITE, web=POLITE, worker=POLITE)
    wait_until(lambda: sum(line.endswith("| up") for line in run.lines) == 3)

    run.process.send_signal(signal.SIGTERM)

    assert run.process.wait(LONG) == 0
    assert run.lines[-1] == "data       | left"


def test_says_whom_it_had_to_kill(start: Callable[..., Run]) -> None:
    run = start(worker=STUBBORN)
    wait_until(lambda: len(run.pids) == 2)

    run.process.send_signal(signal.SIGTERM)

    assert run.process.wait(LONG) == 0
    assert "convomono  | worker did not stop in time, killing it" in run.lines


def test_stops_at_once_at_the_second_signal(start: Callable[..., Run]) -> None:
    run = start(worker=STUBBORN, stop_seconds=600)
    wait_until(lambda: len(run.pids) == 2)

    run.process.send_signal(signal.SIGINT)
    wait_until(lambda: "convomono  | asked to stop" in run.lines)
    run.process.send_signal(signal.SIGINT)

    assert run.process.wait(LONG) == 0
    wait_until(lambda: not alive(run.pids))


def test_starts_a_crashed_process_again_after_a_growing_wait(start: Callable[..., Run]) -> None:
    run = start(drain="raise SystemExit(3)", web=POLITE)

    wait_until(lambda: sum("ended with status 3" in line for line in run.lines) >= 5)

    waits = re.findall(
        r"drain ended with status 3; starting it again in ([\d.]+) s", run.log.read_text()
    )
    assert waits[:5] == ["0.02", "0.04", "0.08", "0.08", "0.08"]
    assert not any("web ended" in line for line in run.lines)


def test_names_the_signal_that_killed_a_process(start: Callable[..., Run]) -> None:
    run = start(worker="import os; os.kill(os.getpid(), 9)")

    wait_until(lambda: any("worker ended by SIGKILL" in line for line in run.lines))


def test_ends_what_a_crashed_process_has_forked(start: Callable[..., Run]) -> None:
    parent_ends = STUBBORN.replace(
        "time.sleep(600)", "time.sleep(0 if os.getpgrp() == os.getsid(0) else 600)"
    )
    run = start(worker=parent_ends)

    wait_until(lambda: any("worker ended with status 0" in line for line in run.lines))
    forked = run.pids[:2]

    wait_until(lambda: not alive(forked))


def test_puts_the_name_before_each_line_of_a_process(start: Callable[..., Run]) -> None:
    source = (
        "import sys, time\n"
        "sys.stdout.buffer.write(b'first\\r\\nsec'); sys.stdout.flush()\n"
        "sys.stdout.buffer.write(b'ond\\n\\xff\\nunfinished'); sys.stdout.flush()\n"
        "print('wrong', file=sys.stderr)\n"
        "time.sleep(600)"
    )
    run = start(web=source)

    wait_until(lambda: "web        | unfinishedwrong" in run.lines)

    assert run.lines == [
        "web        | first",
        "web        | second",
        "web        | �",
        "web        | unfinishedwrong",
    ]


def test_keeps_the_last_words_of_a_process(start: Callable[..., Run]) -> None:
    run = start(cron="import sys; sys.stdout.write('no newline at the end'); sys.exit(1)")

    wait_until(lambda: "cron       | no newline at the end" in run.lines)


@pytest.mark.parametrize(
    ("last", "ran_seconds", "expected"),
    [(0, 0, 1), (1, 0, 2), (2, 59, 4), (16, 0, 30), (30, 0, 30), (30, 60, 1)],
)
def test_back_off_doubles_up_to_its_longest(
    last: float, ran_seconds: float, expected: float
) -> None:
    assert BackOff().next(last=last, ran_seconds=ran_seconds) == expected
