"""`dev.py run` and `dev.py demo` from start to end, with a stand-in for the product's Python."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
LONG = 30.0

# Answers for every program that a run starts; only the embedded Valkey is the real one.
STAND_IN = f"""#!{sys.executable}
import http.server, os, pathlib, sys, time
words = sys.argv[1:]
if words[0] == "-c":
    os.execv(sys.executable, [sys.executable, *words])
name = words[1]
with open(os.environ["VAR_DIR"] + "/started.log", "a") as log:
    log.write(" ".join(words) + "\\n")
port = [word.partition("=")[2] for word in words if word.startswith("--port=")]
if port:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
        def log_message(self, *_):
            pass
    print("listening")
    http.server.HTTPServer(("127.0.0.1", int(port[0])), Handler).serve_forever()
if name in ("drain", "dispatch", "rqworker", "rqcron"):
    time.sleep(600)
if name == "run_demo":
    print("Leads 5, calls 4; double dials 0")
    print("factor", os.environ["SANDBOX_CLOCK_FACTOR"], os.environ["DATABASE_URL"])
sys.exit(int(os.environ.get("STATUS_OF_" + name.upper(), "0")))
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    python = tmp_path / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    return python


@pytest.fixture
def start(tmp_path: Path, stand_in: Path) -> Callable[..., subprocess.Popen[str]]:
    def start_one(call: str, **env: str) -> subprocess.Popen[str]:
        source = f"""
            from pathlib import Path
            from deploy import runs
            python = Path({str(stand_in)!r})
            raise SystemExit(runs.{call})
        """
        source = "\n".join(line.strip() for line in source.splitlines())
        return subprocess.Popen(
            [sys.executable, "-c", source],
            cwd=ROOT,
            env={**os.environ, "VAR_DIR": str(tmp_path / "var"), "REDIS_URL": "", **env},  # noqa: TID251 # the machine's own
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start_one


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError("\n".join(lines))


def still_running(var: Path) -> list[str]:
    listed = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if str(var.parent) in line]


def run_call(port: int, *, is_fresh: bool = False) -> str:
    return f"run(python=python, port={port}, is_fresh={is_fresh}, has_sandbox=True)"


def test_run_says_where_it_is_and_who_may_sign_in_and_stops_at_ctrl_c(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    port = free_port()
    with start(run_call(port)) as process:
        lines = read_until(process, "Ctrl-C stops everything")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=LONG)

    assert process.returncode == 0
    assert f"convomono  | Ready: http://127.0.0.1:{port}/" in lines
    assert any("alice@acme.test" in line for line in lines)
    assert "convomono  | Stopping …" in rest
    var = tmp_path / "var"
    assert json.loads((var / "clock.json").read_text())["simulated"] >= time.time()
    assert not still_running(var)


def test_run_prepares_the_data_before_anything_serves_it(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    servers = {"uvicorn", "rqworker", "drain", "dispatch", "rqcron"}

    def started() -> list[str]:
        lines = (tmp_path / "var" / "started.log").read_text().splitlines()
        return [re.sub(r"^(-m|manage.py) ", "", line).split()[0] for line in lines]

    with start(run_call(free_port())) as process:
        read_until(process, "Ctrl-C stops everything")
        until = time.monotonic() + LONG
        while not servers <= set(started()) and time.monotonic() < until:
            time.sleep(0.05)
        process.terminate()
        process.communicate(timeout=LONG)

    names = started()
    assert names[:3] == ["telephony.sandbox", "migrate", "demo_data"]
    assert set(names[3:]) == servers


def test_run_begins_anew_after_a_start_that_was_stopped_in_the_middle_of_the_demo_data(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    var = tmp_path / "var"
    with start(run_call(free_port()), STATUS_OF_DEMO_DATA="3") as process:
        process.communicate(timeout=LONG)
    (var / "convomono.sqlite3").write_text("half of it")  # as the stand-in makes none
    (var / "files").mkdir()

    with start(run_call(free_port())) as process:
        lines = read_until(process, "Ctrl-C stops everything")
        process.terminate()
        process.communicate(timeout=LONG)

    assert "The last start was stopped while it made the demo data: making it anew." in lines
    assert not (var / "convomono.sqlite3").exists()
    assert not (var / "files").exists()
    (var / "convomono.sqlite3").write_text("all of it")
    with start(run_call(free_port())) as process:
        lines = read_until(process, "Ctrl-C stops everything")
        process.terminate()
        process.communicate(timeout=LONG)
    assert not [line for line in lines if "making it anew" in line]
    assert (var / "convomono.sqlite3").read_text() == "all of it"


def test_run_throws_nothing_away_while_another_database_is_used(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    var = tmp_path / "var"
    with start(run_call(free_port()), STATUS_OF_DEMO_DATA="3") as process:
        process.communicate(timeout=LONG)
    (var / "convomono.sqlite3").write_text("half of it")

    with start(run_call(free_port()), DATABASE_URL="mongodb://mine/") as process:
        lines = read_until(process, "Ctrl-C stops everything")
        process.terminate()
        process.communicate(timeout=LONG)

    assert not [line for line in lines if "anew" in line or "--fresh" in line]
    assert (var / "convomono.sqlite3").exists()


def test_run_looks_at_a_database_of_somebody_elses_before_it_writes(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    with start(
        run_call(free_port()), DATABASE_URL="mongodb://elsewhere/", STATUS_OF_DEMO_DATA="1"
    ) as process:
        output, _ = process.communicate(timeout=LONG)

    assert process.returncode == 1
    assert "DATABASE_URL is set: the demo data goes into that database." in output
    assert "A look at the database failed with status 1; its lines say why." in output
    started = (tmp_path / "var" / "started.log").read_text()
    assert "demo_data --check" in started
    assert "migrate" not in started


def test_run_picks_another_port_and_says_so(start: Callable[..., subprocess.Popen[str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(run_call(port)) as process:
            lines = read_until(process, "Ctrl-C stops everything")
            process.terminate()
            process.communicate(timeout=LONG)

    said = next(line for line in lines if "is taken, the site uses" in line)
    other = re.findall(r"\d+", said)[-1]
    assert f"convomono  | Ready: http://127.0.0.1:{other}/" in lines


def test_run_stops_with_a_sentence_when_the_migrations_fail(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    with start(run_call(free_port()), STATUS_OF_MIGRATE="3") as process:
        output, _ = process.communicate(timeout=LONG)

    assert process.returncode == 1
    assert "The migrations failed with status 3; its lines say why." in output
    assert (tmp_path / "var" / "clock.json").exists(), "what was written has later times than now"
    assert not still_running(tmp_path / "var")


def test_run_refuses_real_calls_without_keys(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    call = f"run(python=python, port={free_port()}, is_fresh=False, has_sandbox=False)"
    with start(call, RETELL_API_KEY="") as process:
        output, _ = process.communicate(timeout=LONG)

    assert process.returncode == 1
    assert "--no-sandbox needs RETELL_API_KEY and RETELL_WEBHOOK_KEY." in output
    assert not (tmp_path / "var" / "live" / "started.log").exists()


def test_demo_shows_its_figures_alone_and_cleans_up(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    with start("demo(python=python, leads=5)", DATABASE_URL="mongodb://elsewhere/") as process:
        output, _ = process.communicate(timeout=LONG)

    var = tmp_path / "var"
    assert process.returncode == 0
    figures, place = output.splitlines()
    assert figures == "Leads 5, calls 4; double dials 0"
    assert place.startswith(f"factor 60 sqlite:///{var}/demo-")
    assert "sandbox    | listening" in (var / "demo.log").read_text()
    assert [path.name for path in var.iterdir()] == ["demo.log"]
    assert not still_running(var)


def test_demo_fails_when_the_demonstration_does(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    with start("demo(python=python, leads=5)", STATUS_OF_RUN_DEMO="4") as process:
        output, _ = process.communicate(timeout=LONG)

    assert process.returncode == 4
    assert f"What the processes said is in {tmp_path / 'var' / 'demo.log'}." in output
