"""Keeps a sandbox's things in a JSON file, so that the next run still knows its agents."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import orjson

from telephony.sandbox.calls import Call
from telephony.sandbox.outcomes import Plan
from telephony.sandbox.refusals import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.sandbox.world import World

_DEBOUNCE_SECONDS = 1.0
_CALLS_KEPT = 5_000


class Snapshot:
    """Written a moment after a change and at the end; several changes share one writing."""

    def __init__(self, world: World, path: Path) -> None:
        self._world = world
        self._path = path
        self._timer: asyncio.TimerHandle | None = None
        self._seconds = 0.0
        world.changed = self._soon

    def load(self) -> None:
        """Restore the last state; a missing file is an empty state, a spoilt one is set aside."""
        if not self._path.exists():
            return
        try:
            _restore(self._world, orjson.loads(self._path.read_bytes()))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            self._world.reset(everything=True)
            aside = self._path.replace(self._path.with_suffix(".unreadable"))
            sys.stderr.write(f"The sandbox begins empty: {aside} can't be read ({error}).\n")

    def save(self) -> None:
        self._timer = None
        begun = time.monotonic()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".tmp")
        draft.write_bytes(orjson.dumps(_state(self._world)))
        draft.replace(self._path)  # whole or not at all
        self._seconds = time.monotonic() - begun

    def _soon(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            # Under load it is written less often: never more than a twentieth of the time.
            delay = max(_DEBOUNCE_SECONDS, 20 * self._seconds)
            self._timer = loop.call_later(delay, self.save)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.save()


def _state(world: World) -> dict[str, Any]:
    calls = list(world.switchboard.calls.values())[-_CALLS_KEPT:]
    return {
        "agents": world.agents.agents.dump(),
        "llms": world.agents.llms.dump(),
        "numbers": world.numbers.numbers,
        "twilio": world.twilio,
        "knowledge": world.knowledge.bases,
        "do_not_call": sorted(world.switchboard.do_not_call),
        "calls": [call.dump() for call in calls],
    }


def _restore(world: World, state: dict[str, Any]) -> None:
    world.agents.agents.load(state["agents"])
    world.agents.llms.load(state["llms"])
    world.numbers.numbers.update(state["numbers"])
    world.twilio.update(state.get("twilio", {}))
    world.knowledge.bases.update(state["knowledge"])
    world.switchboard.do_not_call.update(state["do_not_call"])
    world.switchboard.restore(call for saved in state["calls"] if (call := _call(world, saved)))


def _call(world: World, saved: dict[str, Any]) -> Call | None:
    """Return a saved call, or None if its agent has been deleted since."""
    agent_id, version = saved.pop("agent_id"), saved.pop("agent_version")
    try:
        agent = world.agents.agents.get(agent_id, version)
        llm = world.agents.llm_of(agent)
    except Refused:
        return None
    override = saved["override"]
    return Call(
        **{**saved, "plan": Plan(**saved["plan"])},
        agent={**agent, **(override.get("agent") or {})},
        llm={**llm, **(override.get("retell_llm") or {})},
    )
