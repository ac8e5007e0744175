"""Everything a sandbox holds, wired together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telephony.sandbox.agents import Agents
from telephony.sandbox.calls import Switchboard
from telephony.sandbox.clock import SandboxClock
from telephony.sandbox.counters import Counters
from telephony.sandbox.dialling import Pacer
from telephony.sandbox.faults import Faults
from telephony.sandbox.knowledge import KnowledgeBases
from telephony.sandbox.numbers import Numbers
from telephony.sandbox.webhooks import Courier

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.sandbox.config import Config


@dataclass(frozen=True, slots=True)
class Capacity:
    concurrency: int
    calls_per_second: float
    burst: bool

    @property
    def outbound(self) -> int:
        """Live calls allowed: with burst three times the limit, at most 300 more."""
        burst = min(3 * self.concurrency, self.concurrency + 300)
        return burst if self.burst else self.concurrency


class World:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.base_url = f"http://{config.host}:{config.port}"
        self.changed: Callable[[], None] = lambda: None
        self.clock = SandboxClock(config.clock)
        self.faults = Faults(config.seed)
        self.agents = Agents(self.clock)
        self.numbers = Numbers(self.clock)
        self.twilio: dict[str, dict[str, Any]] = {}  # numbers that are ours there, by their id
        self.knowledge = KnowledgeBases(self.clock)
        self.pacer = Pacer(self.clock.factor)
        self.counters = Counters()
        self.courier = Courier(
            config=config, clock=self.clock, faults=self.faults, counters=self.counters
        )
        self.switchboard = Switchboard(
            clock=self.clock,
            courier=self.courier,
            counters=self.counters,
            base_url=self.base_url,
            changed=self._note_change,
        )
        self.chats: dict[str, dict[str, Any]] = {}

    def _note_change(self) -> None:
        self.changed()  # looked up late: a snapshot takes its place

    def reset(self, *, everything: bool) -> None:
        """Forget calls, faults and counters, or everything."""
        self.switchboard.clear()
        self.faults.remove()
        self.counters.clear()
        if everything:
            self.agents.agents.documents.clear()
            self.agents.llms.documents.clear()
            self.numbers.numbers.clear()
            self.twilio.clear()
            self.knowledge.bases.clear()
            self.chats.clear()
        self.changed()

    def capacity(self, number: str | None = None) -> Capacity:
        """Return the limits, as started with or as the capacity fault says."""
        fault = self.faults.strikes("capacity", number=number)
        options: dict[str, Any] = fault.options if fault else {}
        return Capacity(
            concurrency=int(options.get("concurrency", self.config.concurrency)),
            calls_per_second=float(options.get("calls_per_second", self.config.calls_per_second)),
            burst=bool(options.get("burst", False)),
        )

    def report(self) -> dict[str, Any]:
        """Return the counters and what is going on right now."""
        return {
            **self.counters.report(),
            "live": len(self.switchboard.live),
            "calls": len(self.switchboard.calls),
            "webhooks_pending": self.courier.pending,
            "agents": len(self.agents.agents.documents),
            "phone_numbers": len(self.numbers.numbers),
            "twilio_numbers": len(self.twilio),
            "concurrency_limit": self.capacity().outbound,
            "clock_factor": self.clock.factor,
            "now_ms": self.clock.now_ms(),
        }
