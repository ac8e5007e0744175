"""`dev.py` itself: finding a Python, knowing what is installed, and what each command passes on."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dev
from deploy import mongodb


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("Django==6.1.3\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\npytest==9.2.0\n")
    return tmp_path


def script(path: Path, body: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def answering(version: str, path: str) -> str:
    return f"""echo '[[{version}], "{path}"]'"""


def test_has_no_syntax_that_python_3_8_does_not_know() -> None:
    tree = ast.parse((dev.ROOT / "dev.py").read_text(), feature_version=(3, 8))
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported <= sys.stdlib_module_names


def test_takes_the_first_python_that_runs_and_is_new_enough(tmp_path: Path) -> None:
    shim = script(tmp_path / "shim", "echo 'pyenv: python3.12: command not found'; exit 127")
    old = script(tmp_path / "old", answering("3, 11", "/old/python"))
    odd = script(tmp_path / "odd", "echo hello")
    new = script(tmp_path / "new", answering("3, 13", "/new/python"))
    newer = script(tmp_path / "newer", answering("3, 14", "/newer/python"))

    candidates = [str(tmp_path / "missing"), "", shim, old, odd, new, newer]

    assert dev.working_python(candidates) == "/new/python"
    assert dev.working_python(candidates[:5]) is None


def test_knows_the_python_it_runs_under() -> None:
    assert dev.working_python([sys.executable]) == sys.executable


def test_looks_on_the_path_then_in_pyenv_then_asks_uv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = script(tmp_path / "bin" / "python3.13", "true")
    uv = script(tmp_path / "bin" / "uv", f"echo {tmp_path}/uv-python")
    managed = script(tmp_path / "pyenv" / "versions" / "3.12.9" / "bin" / "python3.12", "true")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))

    found = list(dev.python_candidates())

    assert uv
    assert found == [sys.executable, on_path, managed, f"{tmp_path}/uv-python"]


def test_says_in_one_sentence_how_to_get_a_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    monkeypatch.setattr(dev, "python_candidates", lambda: iter(["/no/such/python"]))

    with pytest.raises(dev.Failed, match=r"needs Python 3\.12 or newer and found none: install"):
        dev.hand_over_to_newer_python()


def test_hands_its_arguments_over_to_the_newer_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = script(tmp_path / "new", answering("3, 12", "/new/python"))
    started: list[object] = []
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    monkeypatch.setattr(sys, "argv", ["dev.py", "run", "--port", "9000"])
    monkeypatch.setattr(dev, "python_candidates", lambda: iter([new]))
    monkeypatch.setattr(os, "execv", lambda *words: started.append(words))

    dev.hand_over_to_newer_python()

    command = ["/new/python", str(dev.ROOT / "dev.py"), "run", "--port", "9000"]
    assert started == [("/new/python", command)]


def test_hash_changes_with_the_requirements_and_the_python(project: Path) -> None:
    def digest(name: str = "requirements-dev.txt", python: str = "Python 3.12.1") -> str:
        return dev.requirements_hash(name, root=project, python=python)

    before = digest()
    assert digest() == before
    assert digest(python="Python 3.13.0") != before
    assert digest("requirements.txt") != before

    (project / "requirements.txt").write_text("Django==6.1.4\n")
    assert digest() != before, "requirements-dev.txt includes requirements.txt"


def test_installs_once_and_again_when_the_requirements_change(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []
    (project / "dev.py").touch()
    monkeypatch.setattr(dev, "ROOT", project)
    monkeypatch.setattr(dev, "STAMP", project / "installed.json")
    monkeypatch.setattr(dev, "VENV_PYTHON", Path(sys.executable))
    monkeypatch.setattr(dev, "make_environment", lambda: None)
    monkeypatch.setattr(dev, "install", installed.append)

    dev.prepare(dev.RUNTIME)
    dev.prepare(dev.RUNTIME)
    assert installed == ["requirements.txt"]

    dev.prepare(dev.DEVELOPMENT)
    dev.prepare(dev.RUNTIME)
    assert installed == ["requirements.txt", "requirements-dev.txt"]

    (project / "requirements.txt").write_text("Django==6.1.4\n")
    dev.prepare(dev.RUNTIME)
    dev.prepare(dev.DEVELOPMENT)
    assert installed[2:] == ["requirements.txt", "requirements-dev.txt"]


def test_installs_again_after_an_installation_that_failed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise dev.Failed(name)

    (project / "dev.py").touch()
    monkeypatch.setattr(dev, "ROOT", project)
    monkeypatch.setattr(dev, "STAMP", project / "installed.json")
    monkeypatch.setattr(dev, "VENV_PYTHON", Path(sys.executable))
    monkeypatch.setattr(dev, "make_environment", lambda: None)
    monkeypatch.setattr(dev, "install", fail)
    (project / "installed.json").write_text(json.dumps({"requirements.txt": "older"}))

    with pytest.raises(dev.Failed):
        dev.prepare(dev.RUNTIME)

    assert not (project / "installed.json").exists()


def test_makes_an_environment_with_pip_where_ensurepip_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A Python that has no ensurepip, as Debian's without python3-venv.
    bare = script(
        tmp_path / "python",
        f'case "$*" in *ensurepip*) exit 1;; esac\nexec {sys.executable} "$@"',
    )
    monkeypatch.setattr(dev, "VENV", tmp_path / "venv")
    monkeypatch.setattr(dev, "VENV_PYTHON", tmp_path / "venv" / "bin" / "python")
    monkeypatch.setattr(sys, "executable", bare)
    pip = 'case "$*" in *pip*) mkdir -p {0} && touch {0}/__init__.py;; esac'
    folder = tmp_path / "venv" / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
    puts_pip = script(tmp_path / "uv", pip.format(folder / "pip"))
    ways = [[script(tmp_path / "fails", "exit 1")], [puts_pip, "pip"]]
    monkeypatch.setattr(dev, "ways_to_pip", lambda: iter(ways))

    dev.make_environment()

    assert dev.printed_by([str(dev.VENV_PYTHON), "-c", "import pip; print('pip')"]) == "pip"


def test_says_what_to_install_when_no_way_to_pip_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "VENV", tmp_path / "venv")
    monkeypatch.setattr(dev, "VENV_PYTHON", tmp_path / "venv" / "bin" / "python")
    monkeypatch.setattr(dev, "printed_by", lambda command: "")
    monkeypatch.setattr(dev, "ways_to_pip", lambda: iter([]))

    with pytest.raises(dev.Failed, match="apt install python3-venv"):
        dev.make_environment()


@pytest.mark.parametrize(
    ("log", "installed", "expected"),
    [
        ("", 0, "looking for packages"),
        ("Collecting a\n" * 9, 0, "looking for packages"),
        ("Collecting a\n" * 57, 0, "50 packages found"),
        (
            "Collecting a\nInstalling collected packages: a, b, c\n",
            23,
            "20 of 3 packages installed",
        ),
    ],
)
def test_tells_how_far_the_installation_is(log: str, installed: int, expected: str) -> None:
    assert dev.progress(log, installed=installed) == expected


@pytest.mark.parametrize(
    ("rest", "is_long", "expected"),
    [
        ([], False, ["-n", "auto"]),
        (["-q", "--cov"], False, ["-n", "auto", "-q", "--cov"]),
        ([], True, ["-n", "auto", "-m", ""]),
        (["tests/dev"], False, ["tests/dev"]),
        (["-k", "wallet"], False, ["-k", "wallet"]),
        (["-x"], False, ["-x"]),
        (["--pdb"], False, ["--pdb"]),
    ],
)
def test_uses_all_cores_unless_a_part_is_asked_for(
    rest: list[str], is_long: bool, expected: list[str]
) -> None:
    assert dev.pytest_arguments(rest, is_long=is_long) == expected


def test_passes_the_status_of_pytest_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python = script(tmp_path / "python", 'echo "$@" > ' + f"{tmp_path}/words; exit 5")
    monkeypatch.setattr(dev, "prepare", lambda names: None)
    monkeypatch.setattr(dev, "VENV_PYTHON", python)
    monkeypatch.setattr(sys, "argv", ["dev.py", "test", "tests/dev", "-k", "port"])

    assert dev.main() == 5
    assert (tmp_path / "words").read_text().split() == ["-m", "pytest", "tests/dev", "-k", "port"]


@pytest.mark.parametrize(
    ("words", "pytests", "expected"),
    [
        (["--last-failed", dev.REPEATS_ONLY_FAILURES], 5, 0),
        (["--last-failed", dev.REPEATS_ONLY_FAILURES], 1, 1),
        (["--last-failed"], 5, 5),
        ([], 5, 5),
    ],
)
def test_counts_nothing_to_repeat_as_a_success_on_mongodb(
    monkeypatch: pytest.MonkeyPatch, words: list[str], pytests: int, expected: int
) -> None:
    monkeypatch.setattr(mongodb, "test", lambda _words, **_: pytests)

    assert dev.test_on_mongodb(words, is_long=False) == expected


def test_explains_itself_without_a_command() -> None:
    result = subprocess.run(
        [sys.executable, str(dev.ROOT / "dev.py")], capture_output=True, text=True, check=False
    )

    assert result.returncode == 2
    for command in ("run", "test", "demo", "check", "bench"):
        assert f"python3 dev.py {command}" in result.stdout


def test_waits_while_another_command_installs(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "dev.py").touch()
    source = (
        "import fcntl, sys, time; lock = open(sys.argv[1]); fcntl.flock(lock, fcntl.LOCK_EX);"
        "print('locked', flush=True); sys.stdin.read(1); print(time.monotonic())"
    )
    began: list[float] = []
    monkeypatch.setattr(dev, "ROOT", project)
    monkeypatch.setattr(dev, "STAMP", project / "installed.json")
    monkeypatch.setattr(dev, "VENV_PYTHON", Path(sys.executable))
    monkeypatch.setattr(dev, "make_environment", lambda: began.append(time.monotonic()))
    monkeypatch.setattr(dev, "install", lambda name: None)

    command = [sys.executable, "-c", source, str(project / "dev.py")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        assert holder.stdin is not None
        holder.stdin.write("x")
        holder.stdin.flush()

        dev.prepare(dev.RUNTIME)

        released = float(holder.stdout.read())
    assert began[0] > released
