"""
The MongoDB test servers of `dev.py`: installed when first wanted, started, stopped.

Standard library only. `deploy/mongo_test_server.py` is what runs.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv-mongo"
PACKAGE = "secantusdb==0.7.0b3"  # exact: the launcher corrects this version's defects
STAMP = VENV / PACKAGE
READY_SECONDS = 60.0
WHAT_IT_IS = (
    f"SecantusDB ({PACKAGE.partition('==')[2]}), a test server that speaks MongoDB's protocol, "
    "in .venv-mongo. It is not mongod: TEST_MONGODB_URL names a real server."
)


class NoServer(Exception):
    """The test server can't be had; the message says why."""


def install(python: Path) -> None:
    """
    Put the server into its own virtual environment, once.

    :raises NoServer: if it can't be installed
    """
    if STAMP.exists():
        return
    print(f"Installing {PACKAGE} into .venv-mongo (once) …", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    inside = str(VENV / "bin" / "python")
    pip = [str(python), "-m", "pip", "--python", inside, "install", "--quiet"]
    for command in (
        [str(python), "-m", "venv", "--without-pip", str(VENV)],
        [*pip, "--no-input", "--disable-pip-version-check", PACKAGE],
    ):
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise NoServer(f"{PACKAGE} can't be installed; TEST_MONGODB_URL names another server.")
    STAMP.touch()


@contextmanager
def servers(count: int, *, python: Path, log: IO[str]) -> Iterator[list[str]]:
    """
    Run that many test servers and give the addresses of a database on each.

    They end with the block, and with this process however it ends.

    :raises NoServer: if one can't be installed or doesn't start
    """
    install(python)
    with ExitStack() as stack:
        yield [stack.enter_context(_server(log)) for _ in range(count)]


@contextmanager
def _server(log: IO[str]) -> Iterator[str]:
    port = _free_port()
    process = subprocess.Popen(
        command(port), cwd=ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log
    )
    try:
        _wait_until_ready(process, port)
        yield url(port)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        process.stdin.close()


def command(port: int) -> Sequence[str]:
    """Return what runs a server on this port that ends when its input does."""
    words = [str(VENV / "bin" / "python"), str(ROOT / "deploy" / "mongo_test_server.py")]
    words += ["--host=127.0.0.1", f"--port={port}", "--storage-path=:memory:"]
    return [*words, "--log-level=ERROR", "--until-stdin-closes"]


def url(port: int, name: str = "convomono") -> str:
    return f"mongodb://127.0.0.1:{port}/{name}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise NoServer("The MongoDB test server did not start; its log says why.")


# The test run.


def test(arguments: Sequence[str], *, python: Path, workers: int) -> int:
    """
    Run what touches data against MongoDB and return pytest's status.

    Each worker has a server of its own, because one is slow; a server that TEST_MONGODB_URL names
    serves all of them, a database each.
    """
    runner = [str(python), "-m", "pytest", *arguments]
    if workers > 1:
        runner += ["-n", str(workers)]
    if real := os.environ.get("TEST_MONGODB_URL"):
        print("\nMongoDB: the server that TEST_MONGODB_URL names.", flush=True)
        return _pytest(runner, {"DATABASE_URL": real})
    log_path = ROOT / "var" / "mongodb-tests.log"
    log_path.parent.mkdir(exist_ok=True)
    print(f"\nMongoDB: {WHAT_IT_IS}", flush=True)
    with log_path.open("w") as log, servers(workers, python=python, log=log) as addresses:
        env = {"DATABASE_URL": addresses[0], "TEST_MONGODB_URLS": ",".join(addresses)}
        return _pytest(runner, env)


def _pytest(runner: Sequence[str], variables: dict[str, str]) -> int:
    env = {**os.environ, **variables}
    return subprocess.run(runner, cwd=ROOT, env=env, check=False).returncode
