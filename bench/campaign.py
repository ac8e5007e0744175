"""A whole campaign of calls at once on SQLite, its live page open: is anything lost, does the page stand?"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from bench.dispatch import Retell, prepare
from bench.rig.pages import Page
from bench.rig.servers import supervisor
from deploy.runs import free_port, is_ok
from deploy.site import Sandbox, Site

if TYPE_CHECKING:
    from deploy.supervisor import Supervisor

STEADY_SECONDS = 3.0  # a page that hears nothing for so long while calls ring doesn't stand
LOOK_SECONDS = 0.5


@dataclass
class Course:
    """What was seen of the campaign from outside while it ran."""

    peak_live: int = 0
    busy_from: float = 0.0
    busy_until: float = 0.0
    seconds: float = 0.0


def look(*words: str, env: dict[str, str]) -> dict[str, Any]:
    """Ask the database through the product's own eyes, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.rig.looking", *words],
        env=env,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def follow(retell: Retell, watcher: Supervisor, options: argparse.Namespace) -> Course:
    """Watch until every lead was called and nothing is live any more, or time is up."""
    course, began = Course(), time.monotonic()
    deadline = began + options.longest
    while time.monotonic() < deadline:
        watcher.step()
        state = retell.state()
        course.peak_live = max(course.peak_live, state["live"])
        if state["live"]:
            course.busy_until = time.monotonic()
            course.busy_from = course.busy_from or course.busy_until
        elif state["calls_placed"] >= options.leads:
            break
        time.sleep(LOOK_SECONDS)
    course.seconds = time.monotonic() - began
    return course


def settle(env: dict[str, str], options: argparse.Namespace) -> dict[str, Any]:
    """Return what the database says once the campaign is finished, or what it says after a minute."""
    deadline = time.monotonic() + 60
    found = look("state", env=env)
    while found["status"] != "finished" and time.monotonic() < deadline:
        time.sleep(2)
        found = look("state", env=env)
    return found


def measure(
    watcher: Supervisor, site: Site, options: argparse.Namespace
) -> tuple[Course, Page, dict[str, Any], dict[str, Any]]:
    assert site.sandbox is not None
    for program in site.programs():
        if program.name in {"web", "drain"}:
            watcher.start(program)
    watcher.wait_until(lambda: is_ok(f"{site.url}/healthz"), "web")
    env = {**watcher.env}
    seen = look("viewer", env=env)
    address = f"{site.url.replace('http', 'ws')}/ws/app/campaigns/{seen['campaign_id']}/"
    page = Page(address, f"{seen['cookie']}={seen['session']}")
    thread = threading.Thread(target=page.watch)
    thread.start()
    try:
        watcher.start(next(one for one in site.programs() if one.name == "dispatcher"))
        headers = {"Authorization": "Bearer sandbox"}
        with httpx.Client(base_url=site.sandbox.url, headers=headers, timeout=30) as client:
            retell = Retell(client)
            course = follow(retell, watcher, options)
            state = retell.state()
        found = settle(env, options)
        time.sleep(STEADY_SECONDS)  # the page has this long to hear of the end
    finally:
        page.is_over = True
        thread.join()
    return course, page, state, found


def table(figures: dict[str, Any]) -> list[str]:
    """Return what was seen in words, a line each; `figures` are those of the JSON."""
    said = (
        ("leads called", f"{figures['calls']:,} of {figures['leads']:,}"),
        ("calls at once, at most", f"{figures['peak_live']:,}"),
        ("until no call was live", f"{figures['seconds']:,} s"),
        ("the launch is", figures["status"]),
        ("calls never settled", f"{figures['unsettled']:,}"),
        ("events of the inbox left", f"{figures['waiting']:,} of {figures['events']:,}"),
        ("dialled twice", f"{figures['double_dials']:,}"),
        ("news on the open page", f"{figures['page_messages']:,}"),
        ("its longest silence", f"{figures['page_longest_silence_s']} s"),
        ("its socket was closed", f"{figures['page_closed']:,} times"),
    )
    return [f"{what:<26} {value:>16}" for what, value in said] + [
        f"WRONG: {sentence}" for sentence in figures["wrong"]
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=1000, help="all of them are called at once")
    parser.add_argument("--clock-factor", type=float, default=1, help="how fast calls live")
    parser.add_argument("--longest", type=float, default=420, help="real seconds to give it")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    options.lines, options.mode, options.behind = (
        options.leads,
        "dispatcher",
        0,
    )  # as `prepare` asks
    with tempfile.TemporaryDirectory() as name:
        limits = (("concurrency", options.leads), ("calls-per-second", 100))
        sandbox = Sandbox(free_port(0), options.clock_factor, limits)
        site = Site(Path(sys.executable), Path(name), free_port(0), sandbox)
        env = site.environment() | {
            "DATABASE_URL": f"sqlite:///{name}/bench.sqlite3",
            "DEBUG": "no",
            "LOG_LEVEL": "WARNING",
            "RETELL_CALLS_PER_SECOND": "100",
        }
        with supervisor(env) as watcher:
            prepare(watcher, site, options)
            course, page, state, found = measure(watcher, site, options)
    silence = page.longest_silence(start=course.busy_from, end=course.busy_until)
    figures = {
        "bench": "campaign",
        "leads": options.leads,
        "peak_live": course.peak_live,
        "seconds": round(course.seconds, 1),
        "page_messages": len(page.heard_at),
        "page_closed": page.closed,
        "page_longest_silence_s": round(silence, 2),
        "double_dials": state["double_dials"],
        **found,
    }
    for line in table(figures):
        print(line)
    print(json.dumps(figures))
    wrong = found["wrong"] or page.closed or state["double_dials"] or found["status"] != "finished"
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
