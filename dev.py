#!/usr/bin/env python3
"""
Runs, tests and checks ConvoMono with one command from a fresh clone.

    python3 dev.py run        the whole product with demo data and a Retell sandbox
    python3 dev.py test       all tests, on SQLite and on MongoDB
    python3 dev.py demo       a campaign of 500 leads from upload to ledger, then its figures
    python3 dev.py check      format, lint, types, layers, templates, settings, security
    python3 dev.py bench      benchmarks; names the ones there are

Standard library only. An old Python may start it: it looks for a newer one and hands over, so this
file has no syntax that Python 3.8 doesn't know.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"
RUNTIME = ("requirements.txt",)
DEVELOPMENT = ("requirements.txt", "requirements-dev.txt")  # the last one includes the others
OLDEST = (3, 12)
TRIED = ("3.12", "3.13", "3.14")  # the version the project is tested on comes first
GET_PIP = "https://bootstrap.pypa.io/get-pip.py"
NO_PYTHON = (
    "ConvoMono needs Python 3.12 or newer and found none: install one from "
    "https://www.python.org/downloads/ or with `uv python install 3.12`, then try again."
)
MONGODB_ALONE_FAILED = 20
NOTHING_RAN = 5  # pytest's
REPEATS_ONLY_FAILURES = "--last-failed-no-failures=none"
PYTEST_RESTRICTS = (
    "-k",
    "-m",
    "-n",
    "-x",
    "-s",
    "--pdb",
    "--lf",
    "--last-failed",
    "--collect-only",
)


class Failed(Exception):
    """The command can't go on; the message tells a person why and what to do."""


# Finding a Python.


def python_candidates() -> Iterator[str]:
    """Yield Pythons that may be new enough, the likeliest first; some of them may not even run."""
    yield sys.executable
    folders = os.environ.get("PATH", "").split(os.pathsep)
    for version in TRIED:
        for folder in folders:
            path = Path(folder, "python" + version)
            if path.is_file():
                yield str(path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in TRIED:
        for path in sorted(pyenv.glob("versions/" + version + "*/bin/python" + version)):
            yield str(path)
    uv = shutil.which("uv")
    if uv:
        yield printed_by([uv, "python", "find", ">=3.12"])


def printed_by(command: Sequence[str]) -> str:
    """Return what a command prints, or nothing if it fails, hangs or isn't there."""
    try:
        result = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.decode().strip()


def working_python(candidates: Iterable[str]) -> str | None:
    """
    Return the first candidate that runs and is new enough, by the path it gives itself.

    It has to be run to be known: pyenv puts a `python3.12` on the path that fails where that
    version isn't chosen.
    """
    program = "import json, sys; print(json.dumps([sys.version_info[:2], sys.executable]))"
    for candidate in candidates:
        answer = printed_by([candidate, "-c", program]) if candidate else ""
        if answer.startswith("["):
            version, path = json.loads(answer)
            if tuple(version) >= OLDEST:
                return str(path)
    return None


def hand_over_to_newer_python() -> None:
    """Start this command again under a Python that is new enough, in the same process."""
    if os.name == "nt":
        raise Failed("ConvoMono runs on Linux and macOS; on Windows use WSL.")
    if sys.version_info[:2] >= OLDEST:
        return
    python = working_python(python_candidates())
    if python is None:
        raise Failed(NO_PYTHON)
    os.execv(python, [python, str(ROOT / "dev.py"), *sys.argv[1:]])  # noqa: S606 # no shell


# The virtual environment and what is installed in it.


def requirements_hash(name: str, *, root: Path, python: str) -> str:
    """Return a digest that changes with the file, the files it includes and the Python."""
    digest = hashlib.sha256(python.encode())
    for line in (root / name).read_text().splitlines():
        digest.update(line.encode() + b"\n")
        if line.startswith("-r "):
            digest.update(requirements_hash(line[3:].strip(), root=root, python=python).encode())
    return digest.hexdigest()


def prepare(names: Sequence[str]) -> None:
    """Make the virtual environment hold these requirements; nothing is done if it does."""
    import fcntl  # noqa: PLC0415 # absent on Windows, which is refused before

    # Two commands started together must not install into each other.
    with (ROOT / "dev.py").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_environment()
        python = printed_by([str(VENV_PYTHON), "-VV"])
        wanted = {name: requirements_hash(name, root=ROOT, python=python) for name in names}
        installed = json.loads(STAMP.read_text()) if STAMP.exists() else {}
        if installed.get(names[-1]) != wanted[names[-1]]:
            STAMP.unlink(missing_ok=True)
            install(names[-1])
            STAMP.write_text(json.dumps(wanted))


def make_environment() -> None:
    """Create the virtual environment if there is none that works."""
    has_pip = [str(VENV_PYTHON), "-c", "import pip, sys; print(sys.version_info >= (3, 12))"]
    if printed_by(has_pip) == "True":
        return
    say("Creating a virtual environment in .venv …")
    shutil.rmtree(VENV, ignore_errors=True)
    if printed_by([sys.executable, "-c", "import ensurepip, venv; print(1)"]) == "1":
        # Some systems ship a broken ensurepip; then the next way is tried.
        if succeeds([sys.executable, "-m", "venv", str(VENV)]):
            return
        shutil.rmtree(VENV, ignore_errors=True)
    run_or_fail([sys.executable, "-m", "venv", "--without-pip", str(VENV)])
    if not any(succeeds(way) for way in ways_to_pip()):
        raise Failed(
            "pip couldn't be put into .venv: this Python has no ensurepip. Install it (on Debian "
            "and Ubuntu: apt install python3-venv) and try again."
        )


def ways_to_pip() -> Iterator[list[str]]:
    """Yield commands that may put pip into an environment without ensurepip, the quickest first."""
    target = str(VENV_PYTHON)
    uv = shutil.which("uv")
    if uv:
        yield [uv, "pip", "install", "--quiet", "--python", target, "pip"]
    for python in (sys.executable, shutil.which("python3")):
        if python and printed_by([python, "-m", "pip", "--version"]):
            yield [python, "-m", "pip", "--python", target, "install", "--quiet", "pip"]
    for wheel in sorted(Path("/usr/share/python-wheels").glob("pip-*.whl")):  # Debian's
        yield [target, str(wheel / "pip"), "install", "--quiet", "--no-index", str(wheel)]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "get-pip.py")
        try:
            with urllib.request.urlopen(GET_PIP, timeout=30) as answer:  # nosec B310 # https
                script.write_bytes(answer.read())
        except OSError as problem:
            say(f"{GET_PIP} can't be fetched: {problem}")
        else:
            yield [target, str(script), "--quiet"]


def install(name: str) -> None:
    """Install a requirements file with pip, showing how far it is."""
    say(f"Installing {name} (once, and again when it changes) …")
    command = [str(VENV_PYTHON), "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", "-r", str(ROOT / name)]
    started = time.monotonic()
    before = count_installed()
    with tempfile.TemporaryFile("w+") as log:
        pip = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        shown = ""
        while pip.poll() is None:
            time.sleep(0.5)
            text = os.pread(log.fileno(), 1 << 24, 0).decode(errors="replace")
            line = progress(text, installed=count_installed() - before)
            if line != shown:
                say(f"  {time.monotonic() - started:3.0f} s  {line}")
                shown = line
        if pip.returncode:
            log.seek(0)
            tail = "".join(log.readlines()[-15:])
            raise Failed(f"{tail}\npip couldn't install {name}; its last lines are above.")
    say(f"Installed in {time.monotonic() - started:.0f} s.")


def count_installed() -> int:
    return sum(1 for _ in VENV.glob("lib/python*/site-packages/*.dist-info"))


def progress(log: str, *, installed: int) -> str:
    """Tell from pip's output, in steps of ten packages, how far it is."""
    lines = log.splitlines()
    found = sum(line.startswith("Collecting ") for line in lines)
    for line in reversed(lines):
        if line.startswith("Installing collected packages:"):
            return f"{installed // 10 * 10} of {line.count(',') + 1} packages installed"
    return f"{found // 10 * 10} packages found" if found // 10 else "looking for packages"


# Running things.


def say(text: str) -> None:
    print(text, flush=True)


def succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def run_or_fail(command: Sequence[str]) -> None:
    if not succeeds(command):
        raise Failed(f"This failed: {' '.join(command)}")


def run_command(options: argparse.Namespace, rest: list[str]) -> int:
    prepare(RUNTIME)
    from deploy import runs  # noqa: PLC0415 # its syntax needs the newer Python

    return runs.run(
        python=VENV_PYTHON,
        port=options.port,
        is_fresh=options.fresh,
        has_sandbox=not options.no_sandbox,
    )


def demo_command(options: argparse.Namespace, rest: list[str]) -> int:
    prepare(RUNTIME)
    from deploy import runs  # noqa: PLC0415 # its syntax needs the newer Python

    # The MongoDB test server is slow.
    leads = options.leads or (100 if options.database == "mongodb" else 500)
    return runs.demo(python=VENV_PYTHON, leads=leads, database=options.database)


def test_command(options: argparse.Namespace, rest: list[str]) -> int:
    """
    Test on SQLite, then on MongoDB; a part that is asked for on one of the two only.

    The status is pytest's, and 20 if all passed on SQLite and something failed on MongoDB.
    """
    prepare(DEVELOPMENT)
    status = 0
    if not options.mongo:
        words = pytest_arguments(rest, is_long=options.long)
        status = subprocess.run(
            [str(VENV_PYTHON), "-m", "pytest", *words], cwd=ROOT, check=False
        ).returncode
    if options.mongo or not is_part(rest):
        failed = test_on_mongodb(rest, is_long=options.long)
        status = status or (MONGODB_ALONE_FAILED if failed and not options.mongo else failed)
    return status


def test_on_mongodb(rest: Sequence[str], *, is_long: bool) -> int:
    from deploy import mongodb  # noqa: PLC0415 # its syntax needs the newer Python

    workers = 1 if is_part(rest) else os.cpu_count() or 2
    # Coverage is the business of the run on SQLite, which runs everything.
    words = [word for word in rest if not word.startswith("--cov")]
    # What failed is remembered apart for each database, for --last-failed.
    words = ["-o", "cache_dir=.pytest_cache/mongodb", *(["-m", ""] if is_long else []), *words]
    try:
        status = mongodb.test(words, python=VENV_PYTHON, workers=workers)
    except mongodb.NoServer as problem:
        raise Failed(str(problem)) from None
    # To repeat what failed when nothing did is no failure, as pytest would have it.
    return 0 if status == NOTHING_RAN and REPEATS_ONLY_FAILURES in words else status


def is_part(rest: Sequence[str]) -> bool:
    return any(word.startswith(PYTEST_RESTRICTS) or word[:1] != "-" for word in rest)


def pytest_arguments(rest: Sequence[str], *, is_long: bool) -> list[str]:
    """Use all cores for a whole run; a part of it or a debugger wants one process."""
    chosen = ["-m", ""] if is_long else []  # the fast suite leaves out browser and load
    return [*([] if is_part(rest) else ["-n", "auto"]), *chosen, *rest]


def check_command(options: argparse.Namespace, rest: list[str]) -> int:
    prepare(DEVELOPMENT)
    from deploy import gate  # noqa: PLC0415 # its syntax needs the newer Python

    return gate.check(VENV / "bin", names=rest)


def bench_command(options: argparse.Namespace, rest: list[str]) -> int:
    benches = {path.stem: path for path in sorted((ROOT / "bench").glob("[a-z]*.py"))}
    if options.name not in benches:
        for name, path in benches.items():
            say(f"{name:<12} {path.read_text().splitlines()[0].strip(chr(34))}")
        return 0 if options.name is None else 2
    prepare(DEVELOPMENT)
    command = [str(VENV_PYTHON), "-m", f"bench.{options.name}", *rest]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    run = commands.add_parser("run", allow_abbrev=False, help="the whole product")
    run.add_argument("--port", type=int, default=8000, help="the next free one if it is taken")
    run.add_argument("--fresh", action="store_true", help="throw the demo data away, make new")
    run.add_argument("--no-sandbox", action="store_true", help="use RETELL_* from the environment")
    run.set_defaults(does=run_command)
    test = commands.add_parser(
        "test", allow_abbrev=False, help="all tests; further arguments go to pytest"
    )
    test.add_argument("--long", action="store_true", help="also what takes long or a browser")
    test.add_argument("--mongo", action="store_true", help="only on MongoDB, and only what uses it")
    test.set_defaults(does=test_command)
    demo = commands.add_parser(
        "demo", allow_abbrev=False, help="one campaign from upload to ledger"
    )
    demo.add_argument("--leads", type=int, help="500, or 100 on MongoDB's test server")
    demo.add_argument("--database", choices=("sqlite", "mongodb"), default="sqlite")
    demo.set_defaults(does=demo_command)
    check = commands.add_parser(
        "check", allow_abbrev=False, help="the whole gate, or the checks that are named"
    )
    check.set_defaults(does=check_command)
    bench = commands.add_parser(
        "bench", allow_abbrev=False, help="a benchmark; without a name the list"
    )
    bench.add_argument("name", nargs="?")
    bench.set_defaults(does=bench_command)
    return parser


def main() -> int:
    try:
        hand_over_to_newer_python()
        parser = arguments()
        options, rest = parser.parse_known_args()
        if options.command is None:
            parser.print_help()
            return 2
        if rest and options.command in {"run", "demo"}:
            parser.error(f"unknown: {' '.join(rest)}")
        os.chdir(ROOT)
        return int(options.does(options, rest))
    except Failed as problem:
        say(str(problem))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
