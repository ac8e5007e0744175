"""How much of its lines the dispatcher keeps busy, and what it must never do, beside a bare loop."""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

import httpx

from bench.rig.servers import cpu_seconds, site_in, supervisor
from deploy.runs import is_ok, start_valkey
from deploy.site import SharedClock
from deploy.supervisor import Program, Stopped, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.site import Site

RAMP_SECONDS = 60.0  # who hasn't filled the lines by then never will
CONTROL_SECONDS = 60.0  # that long says what the sandbox and the machine can do
LONGEST_SECONDS = 900.0
SAMPLE_SECONDS = 0.2
RAMPED_UP = 0.9  # of the lines are busy: from here on the figures count
SMALL_WAITS_SECONDS = 60.0
NEARLY_ALL = 0.9  # of the leads are dialled: here they end, the rest can't fill the lines


@dataclass
class Window:
    """The time in which there was work for every line, and how many lines were busy."""

    live: list[int] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def utilisation(self, lines: int) -> float:
        return fmean(self.live) / lines if self.live else 0.0


@dataclass
class Retell:
    """The sandbox, asked from outside."""

    client: httpx.Client

    def state(self) -> dict[str, Any]:
        return dict(self.client.get("/_sandbox/state").json())

    def reset(self) -> None:
        self.client.post("/_sandbox/reset").raise_for_status()

    def first(self, method: str, path: str, name: str) -> str:
        answer = self.client.request(method, path)
        return str(answer.raise_for_status().json()["items"][0][name])


def observe(
    retell: Retell,
    *,
    lines: int,
    leads: int,
    longest: float,
    between: Callable[[], None],
    cpu: Callable[[], float],
    seen: Callable[[int], None] = lambda _live: None,
) -> Window:
    """Watch the lines from their ramp-up until nearly all leads are dialled."""
    window, begin, cpu_before = Window(), 0.0, 0.0
    deadline = time.monotonic() + RAMP_SECONDS
    while time.monotonic() < deadline:
        state = retell.state()
        seen(state["live"])
        if not begin and state["live"] >= RAMPED_UP * lines:
            begin, cpu_before = time.monotonic(), cpu()
            deadline = begin + longest
        if state["calls_placed"] >= NEARLY_ALL * leads:
            break
        if begin:
            window.live.append(state["live"])
        pause = time.monotonic() + SAMPLE_SECONDS
        while time.monotonic() < pause:
            between()
    if begin:
        window.seconds, window.cpu_seconds = time.monotonic() - begin, cpu() - cpu_before
    return window


def bare_loop(retell: Retell, *, lines: int) -> Callable[[], None]:
    """Return the control's step: fill the free lines and nothing else, no database, no rule."""
    agent_id = retell.first("POST", "/v2/list-agents", "agent_id")
    from_number = retell.first("GET", "/v2/list-phone-numbers", "phone_number")
    placed = 0

    def step() -> None:
        nonlocal placed
        free = lines - retell.client.get("/get-concurrency").json()["current_concurrency"]
        for _ in range(free):
            body = {
                "from_number": from_number,
                "to_number": f"+14155550{placed % 100 + 100}",
                "override_agent_id": agent_id,
                "metadata": {"attempt_id": f"bare-{placed}"},
            }
            if retell.client.post("/v2/create-phone-call", json=body).is_success:
                placed += 1
        time.sleep(SAMPLE_SECONDS / 10)

    return step


def prepare(watcher: Supervisor, site: Site, options: argparse.Namespace) -> None:
    """Start Valkey and the sandbox and launch a campaign that nobody dials yet."""
    assert site.sandbox is not None
    clock = SharedClock.at(
        site.var / "clock.json", factor=site.sandbox.clock_factor, now=time.time()
    )
    watcher.env.update(clock.environment())
    watcher.env["REDIS_URL"] = start_valkey(watcher, site)
    watcher.start(site.sandbox_program())
    health = f"{site.sandbox.url}/healthz"
    watcher.wait_until(lambda: is_ok(health), "The sandbox")
    launch = ["-m", "bench.rig.launch", f"--leads={options.leads}"]
    # Wider than the platform's lines: those are what is to be kept busy.
    launch += [f"--concurrency={2 * options.lines}", f"--mode={options.mode}"]
    launch += [f"--behind={options.behind}"]
    for command in (["manage.py", "migrate", "--verbosity=0"], launch):
        if watcher.run(Program(command[-2], [str(site.python), *command])):
            raise SystemExit("The campaign couldn't be launched.")


class SmallClient:
    """A client with a few leads that launches while the large one's fill the lines."""

    def __init__(self, watcher: Supervisor, site: Site, options: argparse.Namespace) -> None:
        self._watcher, self._python, self._lines = watcher, str(site.python), options.lines
        self._log = site.var / "small.txt"
        self._begun = not options.small_client

    def step(self, live: int) -> None:
        """Launch it once, when the lines are full."""
        if self._begun or live < RAMPED_UP * self._lines:
            return
        self._begun = True
        command = f'"$0" -m bench.rig.launch --leads=0 --concurrency=0 --small > "{self._log}" 2>&1'
        self._watcher.start(
            Program("small", ["/bin/sh", "-c", command, self._python]), is_once=True
        )

    def first_call_s(self) -> float | None:
        """
        Return how long its first call took, in real seconds from its launch; None if it was left out.

        :raises SystemExit: with what it printed last, if it should have been called and was not
        """
        if not self._log.exists():
            return None
        told = self._log.read_text()
        if found := re.search(r"small_client_first_call_s=([\d.]+)", told):
            return float(found[1])
        raise SystemExit(f"The small client was not called:\n{told[-2000:]}")


def measure(
    watcher: Supervisor, site: Site, options: argparse.Namespace, small: SmallClient
) -> tuple[Window, Window, dict[str, Any]]:
    """Let the bare loop dial, then the product; return both windows and the product's counts."""
    assert site.sandbox is not None
    headers = {"Authorization": "Bearer sandbox"}
    with httpx.Client(base_url=site.sandbox.url, headers=headers, timeout=30) as client:
        retell = Retell(client)
        control = observe(
            retell,
            lines=options.lines,
            leads=options.leads,
            longest=CONTROL_SECONDS,
            between=bare_loop(retell, lines=options.lines),
            cpu=time.process_time,
        )
        retell.reset()
        for program in site.programs():
            if program.name in {"web", "drain", "dispatcher"}:
                watcher.start(program)
        dispatcher = watcher.children["dispatcher"]
        product = observe(
            retell,
            lines=options.lines,
            leads=options.leads,
            longest=LONGEST_SECONDS,
            between=watcher.step,
            cpu=lambda: cpu_seconds(dispatcher.process.pid),
            seen=small.step,
        )
        until = time.monotonic() + SMALL_WAITS_SECONDS
        while "small" in watcher.children and time.monotonic() < until:
            watcher.step()
        if watcher.children.get("dispatcher") is not dispatcher:
            raise SystemExit("The dispatcher crashed: the figures would say nothing.")
        watcher.run(Program("why", [str(site.python), "-m", "bench.rig.launch", "--why"]))
        return control, product, retell.state()


# What the full size must keep.
LEAST_UTILISATION, CONTROL_MARGIN = 0.95, 0.02
MOST_CORES = 0.5
FIRST_CALL_SECONDS = 5.0


def report(
    control: Window,
    product: Window,
    state: dict[str, Any],
    *,
    lines: int,
    small_client_first_call_s: float | None,
) -> dict[str, object]:
    refused = sum(state["refused"].values())
    over = max(0, state["peak_live"] - lines) + refused
    print(f"{'':<11} {'lines busy':>10} {'seconds':>8} {'CPU cores':>9}")
    for name, window in (("bare loop", control), ("dispatcher", product)):
        cores = window.cpu_seconds / window.seconds if window.seconds else 0.0
        busy = window.utilisation(lines)
        print(f"{name:<11} {busy:10.1%} {window.seconds:8.1f} {cores:9.2f}")
    print(f"calls {state['calls_placed']}, most at once {state['peak_live']} of {lines}, ", end="")
    if small_client_first_call_s is not None:
        print(f"a small client's first call after {small_client_first_call_s:.2f} s, ", end="")
    print(f"refused for want of a line {refused}, dialled twice {state['double_dials']}")
    return {
        "bench": "dispatch",
        "utilisation": round(product.utilisation(lines), 4),
        "control_utilisation": round(control.utilisation(lines), 4),
        "over_limit": over,
        "double_dials": state["double_dials"],
        "small_client_first_call_s": small_client_first_call_s,
        "cpu_cores": round(product.cpu_seconds / product.seconds, 3) if product.seconds else None,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100, help="calls that Retell allows at once")
    parser.add_argument("--leads", type=int, default=800)
    parser.add_argument("--clock-factor", type=float, default=5, help="how fast calls live")
    parser.add_argument("--calls-per-second", type=int, default=20, help="in simulated seconds")
    parser.add_argument(
        "--no-small-client", dest="small_client", action="store_false", help="leave it out"
    )
    parser.set_defaults(mode="dispatcher")
    parser.add_argument(
        "--full",
        action="store_true",
        help="10,000 leads of 100,000 on 1,000 lines, in real time: a quarter of an hour",
    )
    options = parser.parse_args()
    options.behind = 0
    if options.full:
        options.leads, options.lines, options.behind = 10_000, 1000, 90_000
        options.clock_factor, options.calls_per_second = 1, 100
    return options


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory() as name:
        site, env = site_in(
            name,
            clock_factor=options.clock_factor,
            lines=options.lines,
            calls_per_second=options.calls_per_second,
        )
        try:
            with supervisor(env) as watcher:
                prepare(watcher, site, options)
                small = SmallClient(watcher, site, options)
                control, product, state = measure(watcher, site, options, small)
                first_call_s = small.first_call_s()
        except Stopped:
            return 130
    figures = report(
        control,
        product,
        state,
        lines=options.lines,
        small_client_first_call_s=first_call_s,
    )
    print(json.dumps(figures))
    broken = missed(figures, is_full=options.full, has_small_client=options.small_client)
    for promise in broken:
        print(f"missed: {promise}")
    return 1 if broken or not product.live else 0


def missed(figures: dict[str, Any], *, is_full: bool, has_small_client: bool) -> list[str]:
    """Name the promises that these figures break; how fast it is counts at full size alone."""
    found = []
    if figures["over_limit"]:
        found.append("never above the lines that are allowed")
    if figures["double_dials"]:
        found.append("nobody is dialled twice")
    if not is_full:
        return found
    # The control is the same loop without the product: what the machine can't do isn't ours.
    least = min(LEAST_UTILISATION, figures["control_utilisation"] - CONTROL_MARGIN)
    if figures["utilisation"] < least:
        found.append(f"at least {least:.0%} of the lines busy")
    cores, first = figures["cpu_cores"], figures["small_client_first_call_s"]
    if cores is None or cores >= MOST_CORES:
        found.append(f"less than {MOST_CORES} of a core")
    if has_small_client and (first is None or first > FIRST_CALL_SECONDS):
        found.append(f"a small client's first call within {FIRST_CALL_SECONDS:.0f} s")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
