"""A week of a campaign in seven time zones, real processes at 600 times the speed: complete, explained?"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from bench.rig.servers import site_in, supervisor
from deploy.runs import is_ok, start_valkey
from deploy.site import SharedClock
from deploy.supervisor import Program, Stopped

if TYPE_CHECKING:
    from deploy.site import Site
    from deploy.supervisor import Supervisor

# A Thursday before dawn; on the Sunday after, the clocks of the United States change, a week before it London's.
BEGINS = datetime(2026, 10, 29, 6, 0, tzinfo=UTC)
FACTOR = 600.0
LEADS = 160
WEEK_SECONDS = 7 * 86400
LINES = 40
LATER = 1.25  # of a week, then it is over or stands still


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=LEADS)
    parser.add_argument("--clock-factor", type=float, default=FACTOR)
    return parser.parse_args()


def start(watcher: Supervisor, site: Site, *, leads: int) -> None:
    """Start the whole product and launch the campaign at the week's first hour."""
    assert site.sandbox is not None
    watcher.env["REDIS_URL"] = start_valkey(watcher, site)
    if watcher.run(Program("migrate", site.manage("migrate", "--verbosity=0"))):
        raise SystemExit("The database couldn't be made.")
    # From here on time runs: what took a minute before would have been ten hours of the week.
    clock = SharedClock(
        site.var / "clock.json",
        factor=site.sandbox.clock_factor,
        real=time.time(),
        simulated=BEGINS.timestamp(),
    )
    watcher.env.update(clock.environment())
    watcher.start(site.sandbox_program())
    health = f"{site.sandbox.url}/healthz"
    watcher.wait_until(lambda: is_ok(health), "The sandbox")
    command = [str(site.python), "-m", "bench.rig.week", "launch", str(leads)]
    if watcher.run(Program("launch", command)):
        raise SystemExit("The campaign couldn't be launched.")
    for program in site.programs():
        watcher.start(program)


def follow(watcher: Supervisor, *, longest: float) -> dict[str, Any]:
    """Let somebody read along until the launch is over, and return what they found."""
    command = [sys.executable, "-m", "bench.rig.week", "watch", str(longest)]
    reader = subprocess.Popen(command, env={**watcher.env}, stdout=subprocess.PIPE, text=True)
    try:
        while reader.poll() is None:
            watcher.step()
        told, _nothing = reader.communicate()
    finally:
        reader.kill()
    if reader.returncode:
        raise SystemExit("Nobody could read along; the lines above say why.")
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def sandbox_counts(site: Site) -> dict[str, Any]:
    assert site.sandbox is not None
    headers = {"Authorization": "Bearer sandbox"}
    answer = httpx.get(f"{site.sandbox.url}/_sandbox/state", headers=headers, timeout=30)
    return dict(answer.raise_for_status().json())


def table(figures: dict[str, Any]) -> list[str]:
    """Return what the week came to in words, a line each; `figures` are those of the JSON."""
    said = (
        ("leads", f"{figures['leads']:,}"),
        ("days until all were done", f"{figures['days']:g}"),
        ("the launch is", figures["status"]),
        ("attempts decided on", f"{figures['attempts']:,}"),
        ("calls", f"{figures['calls']:,}"),
        ("dialled twice", f"{figures['double_dials']:,}"),
        ("longest without a reason", f"{figures['longest_silence_s']:g} s"),
        *((f"looked at: {reason}", f"{times:,}") for reason, times in figures["reasons"].items()),
        ("took", f"{figures['seconds']:,} s"),
    )
    return [f"{what:<30} {value:>12}" for what, value in said] + [
        f"WRONG: {sentence}" for sentence in figures["wrong"]
    ]


def main() -> int:
    options, began = arguments(), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        site, env = site_in(
            name, clock_factor=options.clock_factor, lines=LINES, calls_per_second=20
        )
        try:
            with supervisor(env) as watcher:
                start(watcher, site, leads=options.leads)
                found = follow(watcher, longest=LATER * WEEK_SECONDS / options.clock_factor)
                state = sandbox_counts(site)
        except Stopped:
            return 130
    figures = {
        "bench": "week",
        "double_dials": state["double_dials"],
        "seconds": round(time.monotonic() - began),
        **found,
    }
    if state["double_dials"]:
        figures["wrong"] = ["Somebody was dialled twice for one attempt.", *figures["wrong"]]
    if state["calls_placed"] != figures["calls"]:
        sentence = f"Retell counts {state['calls_placed']} calls, we {figures['calls']}."
        figures["wrong"] = [sentence, *figures["wrong"]]
    for line in table(figures):
        print(line)
    print(json.dumps(figures))
    return 1 if figures["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
