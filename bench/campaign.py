"""A whole campaign of calls at once on SQLite, its live page open: is anything lost, does the page stand?"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from bench.dispatch import Retell, prepare
from bench.rig.pages import Page
from bench.rig.servers import site_in, supervisor
from deploy.runs import is_ok

if TYPE_CHECKING:
    from deploy.site import Site
    from deploy.supervisor import Supervisor

# A page that hasn't heard for so long of a call that was placed or has ended isn't steady.
STEADY_SECONDS = 3.0
LOOK_SECONDS = 0.5
# Some are busy or refused before the last is dialled: of so many leads so many calls have to be live at once.
LEADS, AT_ONCE = 1150, 1000


@dataclass
class Course:
    """
    What was seen of the campaign from outside while it ran.

    `changed_after` has for each time that calls were placed or had ended when the look before that
    began, which showed nothing of it yet.
    """

    changed_after: list[float] = field(default_factory=list)
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
    last, last_at = (0, 0), began
    deadline = began + options.longest
    while time.monotonic() < deadline:
        watcher.step()
        asked_at = time.monotonic()
        state = retell.state()
        seen = state["calls_placed"], state["live"]
        if seen != last:
            course.changed_after.append(last_at)
        last, last_at = seen, asked_at
        if state["calls_placed"] >= options.leads and not state["live"]:
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
        page.close()
        thread.join()
    return course, page, state, found


def table(figures: dict[str, Any]) -> list[str]:
    """Return what was seen in words, a line each; `figures` are those of the JSON."""
    said = (
        ("leads called", f"{figures['calls']:,} of {figures['leads']:,}"),
        ("calls at once, at most", f"{figures['peak_live']:,}"),
        ("and were to be", f"{figures['peak_needed']:,}"),
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


def missed(figures: dict[str, Any]) -> list[str]:
    """Say in a sentence each what the run didn't show, or showed to be wrong."""
    found = []
    if figures["peak_live"] < figures["peak_needed"]:
        found.append(f"Fewer than {figures['peak_needed']:,} calls were live at once.")
    if figures["status"] != "finished":
        found.append("The launch isn't finished.")
    if figures["double_dials"]:
        found.append("Somebody was dialled twice for one attempt.")
    if figures["page_closed"]:
        found.append("The open page's socket was closed on it.")
    if figures["page_longest_silence_s"] > STEADY_SECONDS:
        found.append(f"The open page heard of a change only after more than {STEADY_SECONDS:g} s.")
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=LEADS, help="all of them are called at once")
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
        site, env = site_in(
            name, clock_factor=options.clock_factor, lines=options.leads, calls_per_second=100
        )
        with supervisor(env) as watcher:
            prepare(watcher, site, options)
            course, page, state, found = measure(watcher, site, options)
    figures = {
        "bench": "campaign",
        "leads": options.leads,
        "peak_live": state["peak_live"],
        "peak_needed": options.leads * AT_ONCE // LEADS,
        "seconds": round(course.seconds, 1),
        "page_messages": len(page.heard_at),
        "page_closed": page.closed,
        "page_longest_silence_s": round(page.longest_silence(course.changed_after), 2),
        "double_dials": state["double_dials"],
        **found,
    }
    figures["wrong"] += missed(figures)
    for line in table(figures):
        print(line)
    print(json.dumps(figures))
    return 1 if figures["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
