"""MongoDB's test servers: installed once, one for each worker, gone with whoever started them."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

import dev
from deploy import mongodb, runs

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHON = Path(sys.executable)
ROOT = mongodb.ROOT
# Listens until its input ends, as the launcher does.
SERVER = (
    "import os, socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
    "sys.stdin.buffer.read(); os._exit(0)"
)


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(0o755)
    return path


def answers(address: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", urlsplit(address).port or 0), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a listener in the place of SecantusDB, which needn't be installed here."""
    monkeypatch.setattr(mongodb, "install", lambda python: None)
    monkeypatch.setattr(mongodb, "command", lambda port: [sys.executable, "-c", SERVER, str(port)])


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """Note what pytest would have been started with, and which of the servers answer meanwhile."""
    return script(
        tmp_path / "python",
        f"""
import json, os, socket, sys
from urllib.parse import urlsplit
urls = os.environ.get("TEST_MONGODB_URLS", "")
for url in filter(None, urls.split(",")):
    socket.create_connection(("127.0.0.1", urlsplit(url).port), 1).close()
told = {{"words": sys.argv[1:], "url": os.environ["DATABASE_URL"], "urls": urls}}
open({str(tmp_path / "told.json")!r}, "w").write(json.dumps(told))
sys.exit(7)
""",
    )


def told(tmp_path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((tmp_path / "told.json").read_text())
    return found


def test_gives_each_worker_a_server_of_its_own_and_ends_them(
    stand_ins: None, runner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_MONGODB_URL", raising=False)

    assert mongodb.test(["-q"], python=runner, workers=2) == 7

    found = told(tmp_path)
    addresses = str(found["urls"]).split(",")
    assert found["words"] == ["-m", "pytest", "-q", "-n", "2"]
    assert found["url"] == addresses[0]
    assert len(set(addresses)) == 2
    assert not any(answers(address) for address in addresses)


def test_uses_the_server_that_is_named_instead(
    runner: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = "mongodb://127.0.0.1:27017/convomono?replicaSet=rs0"
    monkeypatch.setenv("TEST_MONGODB_URL", real)

    assert mongodb.test(["-x"], python=runner, workers=1) == 7

    assert told(tmp_path) == {"words": ["-m", "pytest", "-x"], "url": real, "urls": ""}
    assert "the server that TEST_MONGODB_URL names" in capsys.readouterr().out


def test_says_what_it_is_that_answers(
    stand_ins: None,
    runner: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("TEST_MONGODB_URL", raising=False)

    mongodb.test([], python=runner, workers=1)

    assert "SecantusDB (0.7.0b3), a test server" in capsys.readouterr().out


def test_says_that_a_server_did_not_start(stand_ins: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        mongodb, "command", lambda port: [sys.executable, "-c", "raise SystemExit(1)"]
    )

    with (
        Path(os.devnull).open("w") as log,
        pytest.raises(mongodb.NoServer, match="did not start; its log says why"),
        mongodb.servers(1, python=PYTHON, log=log),
    ):
        pytest.fail("a server that ended at once was taken for ready")


def test_leaves_no_server_behind_when_its_starter_is_killed() -> None:
    source = f"""
import os, sys, time
from pathlib import Path
from deploy import mongodb
mongodb.install = lambda python: None
mongodb.command = lambda port: [sys.executable, "-c", {SERVER!r}, str(port)]
with open(os.devnull, "w") as log, mongodb.servers(1, python=Path(sys.executable), log=log) as [url]:
    print(url, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", source], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        address = starter.stdout.readline().strip()
        assert answers(address)
        starter.send_signal(signal.SIGKILL)

    deadline = time.monotonic() + 20
    while answers(address):
        assert time.monotonic() < deadline, "it still listens"
        time.sleep(0.05)


# Installing.


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    venv = tmp_path / "venv"
    monkeypatch.setattr(mongodb, "VENV", venv)
    monkeypatch.setattr(mongodb, "STAMP", venv / mongodb.PACKAGE)
    return venv


def installer(tmp_path: Path, *, pip_fails: bool) -> Path:
    return script(
        tmp_path / "python",
        f"""
import os, sys
open({str(tmp_path / "ran.log")!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[2] == "venv":
    os.makedirs(sys.argv[-1])
sys.exit({int(pip_fails)} if sys.argv[2] == "pip" else 0)
""",
    )


def test_installs_the_exact_version_once_into_a_place_of_its_own(
    tmp_path: Path, empty: Path
) -> None:
    python = installer(tmp_path, pip_fails=False)

    mongodb.install(python)
    mongodb.install(python)

    venv, pip = (tmp_path / "ran.log").read_text().splitlines()
    assert venv == f"-m venv --without-pip {empty}"
    assert f"--python {empty}/bin/python" in pip and pip.endswith("secantusdb==0.7.0b3")


def test_tries_again_after_an_installation_that_failed(tmp_path: Path, empty: Path) -> None:
    with pytest.raises(mongodb.NoServer, match="TEST_MONGODB_URL names another server"):
        mongodb.install(installer(tmp_path, pip_fails=True))
    mongodb.install(installer(tmp_path, pip_fails=False))

    assert (empty / mongodb.PACKAGE).exists()
    assert len((tmp_path / "ran.log").read_text().splitlines()) == 4


def test_is_never_a_requirement_of_the_product() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert "secantus" not in (ROOT / name).read_text().lower()


# `dev.py test` and `dev.py demo`.


@pytest.fixture
def run_dev(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, list[str]]]:
    """Run `dev.py` with these words; return its status and what ran on which database."""
    sqlite_status, mongodb_status = [0], [0]
    python = script(
        tmp_path / "pytest-on-sqlite",
        f"""
import sys
open({str(tmp_path / "ran.log")!r}, "a").write("sqlite " + " ".join(sys.argv[3:]) + "\\n")
sys.exit(int(open({str(tmp_path / "status")!r}).read()))
""",
    )

    def on_mongodb(words: list[str], *, python: Path, workers: int) -> int:
        with (tmp_path / "ran.log").open("a") as log:
            log.write(f"mongodb {workers > 1} {' '.join(words)}\n")
        return mongodb_status[0]

    monkeypatch.setattr(dev, "prepare", lambda names: None)
    monkeypatch.setattr(dev, "VENV_PYTHON", python)
    monkeypatch.setattr(mongodb, "test", on_mongodb)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    def run(*words: str, sqlite: int = 0, mongo: int = 0) -> tuple[int, list[str]]:
        sqlite_status[0], mongodb_status[0] = sqlite, mongo
        (tmp_path / "status").write_text(str(sqlite))
        (tmp_path / "ran.log").write_text("")
        monkeypatch.setattr(sys, "argv", ["dev.py", *words])
        return dev.main(), (tmp_path / "ran.log").read_text().splitlines()

    return run


CACHE = "-o cache_dir=.pytest_cache/mongodb"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["test"], ["sqlite -n auto", f"mongodb True {CACHE}"]),
        (["test", "--cov"], ["sqlite -n auto --cov", f"mongodb True {CACHE}"]),
        (["test", "--long"], ["sqlite -n auto -m ", f"mongodb True {CACHE} -m "]),
        (["test", "--mongo"], [f"mongodb True {CACHE}"]),
        (["test", "--mongo", "tests/lib"], [f"mongodb False {CACHE} tests/lib"]),
        (["test", "tests/lib"], ["sqlite tests/lib"]),
    ],
)
def test_runs_everything_on_both_and_a_part_where_it_is_asked_for(
    run_dev: Callable[..., tuple[int, list[str]]], words: list[str], expected: list[str]
) -> None:
    assert run_dev(*words) == (0, expected)


@pytest.mark.parametrize(
    ("words", "sqlite", "mongo", "status"),
    [
        (["test"], 0, 0, 0),
        (["test"], 1, 0, 1),
        (["test"], 1, 1, 1),
        (["test"], 0, 1, dev.MONGODB_ALONE_FAILED),
        (["test", "--mongo"], 0, 1, 1),
        (["test", "tests/lib"], 5, 1, 5),
    ],
)
def test_tells_where_something_failed(
    run_dev: Callable[..., tuple[int, list[str]]],
    words: list[str],
    sqlite: int,
    mongo: int,
    status: int,
) -> None:
    assert run_dev(*words, sqlite=sqlite, mongo=mongo)[0] == status


def test_says_in_a_sentence_that_there_is_no_server(
    run_dev: Callable[..., tuple[int, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise mongodb.NoServer("It can't be installed.")

    monkeypatch.setattr(mongodb, "test", fail)

    assert run_dev("test", "--mongo")[0] == 1
    assert capsys.readouterr().out == "It can't be installed.\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], (500, "sqlite")),
        (["--database", "mongodb"], (100, "mongodb")),
        (["--database", "mongodb", "--leads", "7"], (7, "mongodb")),
    ],
)
def test_demo_takes_fewer_leads_on_the_slow_server(
    monkeypatch: pytest.MonkeyPatch, words: list[str], expected: tuple[int, str]
) -> None:
    asked: list[tuple[int, str]] = []

    def demo(*, python: Path, leads: int, database: str) -> int:
        asked.append((leads, database))
        return 0

    monkeypatch.setattr(dev, "prepare", lambda names: None)
    monkeypatch.setattr(runs, "demo", demo)
    monkeypatch.setattr(sys, "argv", ["dev.py", "demo", *words])

    assert dev.main() == 0
    assert asked == [expected]


def test_demo_has_a_server_for_as_long_as_it_runs(stand_ins: None, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        with runs.demo_database("mongodb", tmp_path, PYTHON, log) as address:
            assert answers(address)
            assert address.startswith("mongodb://127.0.0.1:") and address.endswith("/convomono")
        assert not answers(address)


def test_demo_on_sqlite_needs_no_server(tmp_path: Path) -> None:
    with runs.demo_database("sqlite", tmp_path, PYTHON, io.StringIO()) as address:
        assert address == f"sqlite:///{tmp_path}/demo.sqlite3"


@pytest.mark.parametrize(("worker", "expected"), [("gw0", "one"), ("gw1", "two"), ("gw2", "one")])
def test_workers_of_a_run_take_turns_at_the_servers(worker: str, expected: str) -> None:
    env = {
        **os.environ,  # noqa: TID251 # the machine's own
        "DATABASE_URL": "mongodb://one/convomono",
        "TEST_MONGODB_URLS": "mongodb://one/convomono,mongodb://two/convomono",
        "PYTEST_XDIST_WORKER": worker,
    }
    program = "from convomono.settings import test; print(test.DATABASES['default']['HOST'])"

    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.strip() == f"mongodb://{expected}/convomono"


# The launcher itself, where SecantusDB is installed.

needs_server = pytest.mark.skipif(
    not mongodb.STAMP.exists(), reason="`python3 dev.py test --mongo` installs SecantusDB"
)


@needs_server
@pytest.mark.parametrize("by", ["its input", "a signal"])
def test_launcher_ends_quietly(by: str, tmp_path: Path) -> None:
    port = mongodb._free_port()
    with (tmp_path / "said").open("w") as said:
        server = subprocess.Popen(
            mongodb.command(port), cwd=ROOT, stdin=subprocess.PIPE, stderr=said
        )
    mongodb._wait_until_ready(server, port)
    assert server.stdin is not None
    if by == "a signal":
        server.terminate()
    else:
        server.stdin.close()

    assert server.wait(60) == 0
    server.stdin.close()
    assert (tmp_path / "said").read_text() == ""


@needs_server
def test_launcher_refuses_a_version_it_was_not_written_for() -> None:
    program = (
        "import sys; sys.path.insert(0, 'deploy'); import mongo_test_server as server;"
        "server.version = lambda name: '9.9'; server.work_around_defects()"
    )
    result = subprocess.run(
        [str(mongodb.VENV / "bin" / "python"), "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert "look at the five workarounds again" in result.stderr
