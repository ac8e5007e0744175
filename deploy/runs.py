"""
The two runs of the whole product on one machine: `dev.py run` and `dev.py demo`.

Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO

from deploy import mongodb
from deploy.site import HOST, Sandbox, SharedClock, Site
from deploy.supervisor import NotReady, Output, Program, Stopped, Supervisor
from deploy.valkey import NoValkey, Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[1]
VAR = Path(os.environ.get("VAR_DIR") or ROOT / "var")
SANDBOX_PORT = 8010
CLOCK_FACTOR = 20.0
DEMO_CLOCK_FACTOR = 60.0
RUN_LIMITS = (("concurrency", 40),)  # 500 leads end in under two minutes
DEMO_LIMITS = (("concurrency", 60), ("calls-per-second", 10))
CLOCK_SAVED_SECONDS = 3.0
PORTS_TRIED = 50
DATABASE = "convomono.sqlite3"
PASSWORD = "demo-password"  # noqa: S105 # of the demo data, printed for everybody
SIGN_INS = (
    ("root@convomono.test", "super admin of the agency"),
    ("bob@convomono.test", "admin of the agency"),
    ("alice@acme.test", "owner of the client Acme"),
    ("mia@acme.test", "manager there"),
    ("vera@acme.test", "viewer there"),
    ("charlie@rival.test", "owner of another client"),
)


class Unstartable(Exception):
    """The product can't be started; the message tells a person why."""


class DemoOutput(Output):
    """Shows the demonstration's own lines, bare, and keeps the processes' lines in a file."""

    def __init__(self, stream: TextIO, log: TextIO) -> None:
        super().__init__(stream)
        self.log = Output(log)

    def line(self, name: str, text: str) -> None:
        if name in {"demo", "convomono"}:
            print(text, file=self.stream, flush=True)
        else:
            self.log.line(name, text)


def run(*, python: Path, port: int, is_fresh: bool, has_sandbox: bool) -> int:
    """Run the product with demo data until somebody stops it; return the exit status."""
    try:
        # Real calls have a folder of their own: the demo's leads must never meet a real Retell.
        var = VAR if has_sandbox else VAR / "live"
        with locked(var) as lock:
            if is_fresh:
                throw_data_away(var)
            elif has_sandbox and is_half_made(var):
                print("The last start was stopped while it made the demo data: making it anew.")
                throw_data_away(var)
            factor = float(os.environ.get("SANDBOX_CLOCK_FACTOR") or CLOCK_FACTOR)
            sandbox = Sandbox(free_port(SANDBOX_PORT), factor, RUN_LIMITS) if has_sandbox else None
            site = Site(python, var, free_port(port), sandbox)
            lock.write(site.url)
            lock.flush()
            with Supervisor(site.environment(), Output(sys.stdout)) as supervisor:
                say_what_differs(supervisor, site, port=port)
                run_site(supervisor, site)
    except Stopped:
        return 0
    except (NotReady, NoValkey, Unstartable) as problem:
        print(problem, flush=True)
        return 1
    return 0


def demo(*, python: Path, leads: int, database: str = "sqlite") -> int:
    """Run one campaign in a place of its own, quickly, and return its verdict as exit status."""
    VAR.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=VAR))
    log_path = VAR / "demo.log"
    try:
        sandbox = Sandbox(free_port(0), DEMO_CLOCK_FACTOR, DEMO_LIMITS)
        site = Site(python, folder, free_port(0), sandbox)
        # A database and queues of its own: other workers would take the demo's jobs.
        env = site.environment() | {
            "REDIS_URL": "",
            "RETELL_CALLS_PER_SECOND": str(dict(DEMO_LIMITS)["calls-per-second"]),
        }
        with log_path.open("w") as log, demo_database(database, folder, python, log) as url:
            env["DATABASE_URL"] = url
            output = DemoOutput(sys.stdout, log)
            with Supervisor(env, output) as supervisor:
                set_clock(supervisor, site)
                start_site(supervisor, site, has_demo_data=False)
                show = Program("demo", site.manage("run_demo", f"--leads={leads}"))
                status = supervisor.run(show)
    except Stopped:
        status = 130
    except (NotReady, NoValkey, Unstartable, mongodb.NoServer) as problem:
        print(problem, flush=True)
        status = 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if status:
        print(f"The demo failed. What the processes said is in {log_path}.")
    return status


@contextmanager
def demo_database(kind: str, folder: Path, python: Path, log: TextIO) -> Iterator[str]:
    """Give the address of an empty database that is thrown away afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'demo.sqlite3'}"
        return
    print(f"MongoDB: {mongodb.WHAT_IT_IS}", flush=True)
    with mongodb.servers(1, python=python, log=log) as addresses:
        yield addresses[0]


def run_site(supervisor: Supervisor, site: Site) -> None:
    """
    Start everything, say where it is, and look after it.

    :raises Stopped: when somebody asks for it
    """
    clock = set_clock(supervisor, site)
    saved = time.monotonic()
    try:
        start_site(supervisor, site, has_demo_data=site.sandbox is not None)
        say_ready(supervisor, site)
        while True:
            supervisor.step()
            if clock and time.monotonic() - saved > CLOCK_SAVED_SECONDS:
                clock.save(now=time.time())
                saved = time.monotonic()
    finally:
        if clock:
            clock.save(now=time.time())


def say_ready(supervisor: Supervisor, site: Site) -> None:
    supervisor.say(f"Ready: {site.url}/")
    if site.sandbox:
        for email, person in SIGN_INS:
            supervisor.say(f"  {email:<20} {person}")
        supervisor.say(f"  The password of each is {PASSWORD}")
    supervisor.say(f"E-mails are kept in {site.var / 'mail'}.")
    supervisor.say("Ctrl-C stops everything.")


def set_clock(supervisor: Supervisor, site: Site) -> SharedClock | None:
    """Give the children one clock beside a sandbox; real calls live in real time."""
    if site.sandbox is None:
        return None
    path = site.var / "clock.json"
    clock = SharedClock.at(path, factor=site.sandbox.clock_factor, now=time.time())
    supervisor.env.update(clock.environment())
    return clock


def start_site(supervisor: Supervisor, site: Site, *, has_demo_data: bool) -> None:
    """
    Start the processes in their order and wait until the site is ready.

    :raises NotReady: if one of them doesn't come up
    :raises Unstartable: if the database can't be prepared
    """
    if not supervisor.env.get("REDIS_URL"):
        supervisor.env["REDIS_URL"] = start_valkey(supervisor, site)
    if site.sandbox:
        supervisor.start(site.sandbox_program())
        health = f"{site.sandbox.url}/healthz"
        supervisor.wait_until(lambda: is_ok(health), "The Retell sandbox", seconds=30)
    if has_demo_data:
        begin_demo_data(supervisor, site)
    prepare_data(supervisor, site.manage("migrate", "--verbosity=0"), "The migrations")
    if has_demo_data:
        prepare_data(supervisor, site.manage("demo_data"), "Making the demo data")
        making_mark(site.var).unlink(missing_ok=True)
    for program in site.programs():
        supervisor.start(program)
    supervisor.wait_until(lambda: is_ok(f"{site.url}/readyz"), f"{site.url}/readyz", seconds=120)


def begin_demo_data(supervisor: Supervisor, site: Site) -> None:
    """
    Look at a database that isn't ours before anything is written; mark a new one of ours.

    :raises Unstartable: if people work with that database
    """
    if os.environ.get("DATABASE_URL"):
        prepare_data(supervisor, site.manage("demo_data", "--check"), "A look at the database")
    elif not (site.var / DATABASE).exists():
        making_mark(site.var).touch()  # half of it is of no use to anybody


def is_half_made(var: Path) -> bool:
    """Tell whether the database of ours, if that is the one in use, holds half the demo data."""
    return not os.environ.get("DATABASE_URL") and making_mark(var).exists()


def making_mark(var: Path) -> Path:
    return var / "demo-data-is-being-made"


def start_valkey(supervisor: Supervisor, site: Site) -> str:
    valkey = Valkey.in_folder(site.var / "valkey", python=site.python)
    if valkey.answers():
        valkey.shut_down()
        supervisor.wait_until(lambda: not valkey.answers(), "The end of an older Valkey")
    supervisor.start(valkey.program())
    supervisor.wait_until(valkey.answers, f"Valkey (its log is in {valkey.folder})", seconds=30)
    return valkey.url


def prepare_data(supervisor: Supervisor, command: Sequence[str], what: str) -> None:
    name = command[2].partition("_")[0]
    if status := supervisor.run(Program(name, command)):
        raise Unstartable(f"{what} failed with status {status}; its lines say why.")


def say_what_differs(supervisor: Supervisor, site: Site, *, port: int) -> None:
    """Say what a person may not expect: other ports, ignored variables, no demo data."""
    if site.port != port:
        supervisor.say(f"Port {port} is taken, the site uses {site.port}.")
    if site.sandbox is None:
        supervisor.say("Calls are REAL. No demo data: `manage.py createsuperuser` makes a user.")
        if not os.environ.get("RETELL_API_KEY"):
            raise Unstartable("--no-sandbox needs RETELL_API_KEY and RETELL_WEBHOOK_KEY.")
    else:
        if site.sandbox.port != SANDBOX_PORT:
            supervisor.say(f"Port {SANDBOX_PORT} is taken, the sandbox uses {site.sandbox.port}.")
        if os.environ.get("DATABASE_URL"):
            supervisor.say("DATABASE_URL is set: the demo data goes into that database.")
        if os.environ.get("RETELL_API_KEY"):
            supervisor.say("RETELL_* is ignored beside the sandbox; --no-sandbox uses it.")


def throw_data_away(var: Path) -> None:
    """
    Delete the database, the files and the sandbox's memory.

    :raises Unstartable: if the database isn't ours to delete
    """
    if os.environ.get("DATABASE_URL"):
        raise Unstartable("--fresh deletes only the database in var/, but DATABASE_URL is set.")
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", "sandbox.json", "clock.json"):
        (var / name).unlink(missing_ok=True)
    making_mark(var).unlink(missing_ok=True)
    for name in ("files", "mail", "valkey"):
        shutil.rmtree(var / name, ignore_errors=True)


def locked(var: Path) -> IO[str]:
    """
    Take the folder for this run until the returned file is closed.

    :raises Unstartable: if another run has it
    """
    var.mkdir(parents=True, exist_ok=True)
    lock = (var / "run.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with lock:
            lock.seek(0)
            address = lock.read()
        raise Unstartable(f"ConvoMono already runs from this folder: {address}") from None
    lock.truncate(0)
    return lock


def free_port(wanted: int) -> int:
    """Return the wanted port, or the next one nobody listens on; any free one for 0."""
    for port in range(wanted, wanted + PORTS_TRIED) if wanted else (0,):
        try:
            with socket.create_server((HOST, port)) as probe:
                return int(probe.getsockname()[1])
        except OSError:
            continue
    raise Unstartable(f"No port is free from {wanted} to {wanted + PORTS_TRIED - 1}.")


def is_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 # nosec B310 # ours
            return bool(answer.status == 200)  # noqa: PLR2004 # OK
    except (OSError, urllib.error.URLError):
        return False
