"""Calls and their life: registered, ongoing, then ended, not_connected or error."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from telephony.sandbox.books import SPOILERS
from telephony.sandbox.documents import (
    call_document,
    event_document,
    started_document,
    turn_ends,
)
from telephony.sandbox.outcomes import Plan
from telephony.sandbox.prompt_settings import transfer_number

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from telephony.sandbox.clock import SandboxClock
    from telephony.sandbox.counters import Counters
    from telephony.sandbox.versions import Document
    from telephony.sandbox.webhooks import Courier

_ENDED_AFTER_MS = 1_000  # call_ended comes about a second after the end
_IDEMPOTENCY_MS = 3_600_000
_KEPT = 100_000
_LIVE = {"registered", "ongoing"}


@dataclass(slots=True, kw_only=True)
class Call:
    """agent and llm are as they were when the call was placed, overrides included."""

    call_id: str
    from_number: str
    to_number: str
    agent: Document
    llm: Document
    variables: dict[str, str]
    metadata: dict[str, Any] | None
    override: Document
    plan: Plan
    created_ms: int
    idempotency_key: str | None = None
    batch_call_id: str | None = None
    status: str = "registered"
    started_ms: int | None = None
    ended_ms: int | None = None
    reason: str | None = None
    analysed: bool = False
    cost_factor: float = 1.0

    @property
    def live(self) -> bool:
        return self.status in _LIVE

    @property
    def connected(self) -> bool:
        return self.started_ms is not None

    @property
    def duration_ms(self) -> int:
        if self.started_ms is None or self.ended_ms is None:
            return 0
        return self.ended_ms - self.started_ms

    def dump(self) -> dict[str, Any]:
        """Return what a later run needs; agent and prompt are found again by id and version."""
        saved = {name: getattr(self, name) for name in _SAVED}
        key = {"agent_id": self.agent["agent_id"], "agent_version": self.agent["version"]}
        return {**saved, **key, "plan": {name: getattr(self.plan, name) for name in _PLANNED}}


_SAVED = [item.name for item in fields(Call) if item.name not in {"agent", "llm", "plan"}]
_PLANNED = [item.name for item in fields(Plan)]


class Switchboard:
    """Keeps all calls, and moves each along its plan."""

    def __init__(
        self,
        *,
        clock: SandboxClock,
        courier: Courier,
        counters: Counters,
        base_url: str,
        changed: Callable[[], None],
    ) -> None:
        self.calls: dict[str, Call] = {}
        self.live: set[str] = set()
        self.do_not_call: set[str] = set()
        self._by_key: dict[str, Call] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._clock = clock
        self._courier = courier
        self._counters = counters
        self._base_url = base_url
        self._changed = changed

    def placed_with(self, key: str) -> Call | None:
        """Return the call an idempotency key has placed within the last hour."""
        call = self._by_key.get(key)
        if call is None or self._clock.now_ms() - call.created_ms > _IDEMPOTENCY_MS:
            return None
        return call

    def earlier_calls(self, to_number: str) -> int:
        return self._counters.calls_to[to_number]

    def place(self, call: Call) -> None:
        self._keep(call)
        self._counters.placed(call, live=len(self.live), now_ms=call.created_ms)
        self._resume(call)

    def restore(self, calls: Iterable[Call]) -> None:
        """Take over calls of an earlier run; live ones go on where the clock stands now."""
        for call in calls:
            self._keep(call)
            self._counters.calls_to[call.to_number] += 1
            if call.live:
                self._resume(call)
            elif not call.analysed:
                # It may have been reported before; receivers know how to take it twice.
                self._report_end(call)

    def stop(self, call: Call) -> bool:
        """Hang up on purpose; False if the call was over already."""
        if not call.live:
            return False
        self._cancel(call)
        status = "ended" if call.connected else "not_connected"
        self._finish(call, reason="manual_stopped", status=status, at_ms=self._clock.now_ms())
        return True

    def delete(self, call: Call) -> None:
        self._cancel(call)
        self.live.discard(call.call_id)
        del self.calls[call.call_id]
        if self._by_key.get(call.idempotency_key or "") is call:
            del self._by_key[call.idempotency_key or ""]

    def clear(self) -> None:
        for call in list(self.calls.values()):
            self.delete(call)
        self._by_key.clear()
        self.do_not_call.clear()

    def add(self, call: Call) -> None:
        """List a call that is over without having been placed."""
        self._keep(call)

    def tell_end(self, call: Call) -> None:
        """Send the end of a call once more, or of one that was only listed."""
        self._courier.send(call, "call_ended", self._event(call))

    def reanalyse(self, call: Call) -> None:
        """Analyse once more, at another cost, and say so."""
        call.cost_factor *= 1.1
        self._analyse(call)

    def document(self, call: Call) -> dict[str, Any]:
        return call_document(call, now_ms=self._clock.now_ms(), base_url=self._base_url)

    def _keep(self, call: Call) -> None:
        self.calls[call.call_id] = call
        if call.idempotency_key:
            self._by_key[call.idempotency_key] = call
        if call.live:
            self.live.add(call.call_id)
        if len(self.calls) > _KEPT:
            oldest = next(iter(self.calls.values()))
            if not oldest.live:
                self.delete(oldest)

    def _resume(self, call: Call) -> None:
        if call.started_ms is not None:
            self._at(call, call.started_ms + call.plan.talk_ms, self._end)
        else:
            self._at(call, call.created_ms + call.plan.ring_ms, self._ring_out)

    def _ring_out(self, call: Call) -> None:
        at_ms = call.created_ms + call.plan.ring_ms
        if not call.plan.connects:
            plan = call.plan
            self._finish(call, reason=plan.reason, status=plan.final_status, at_ms=at_ms)
            return
        call.status, call.started_ms = "ongoing", at_ms
        self._courier.send(call, "call_started", started_document(call))
        if "transcript_updated" in (call.agent.get("webhook_events") or ()):
            for moment in turn_ends(call):
                self._clock.wake(moment, self._report_turn, call)
        self._at(call, at_ms + call.plan.talk_ms, self._end)

    def _report_turn(self, call: Call) -> None:
        if call.live:
            self._courier.send(call, "transcript_updated", self._event(call))

    def _end(self, call: Call) -> None:
        plan = call.plan
        at_ms = (call.started_ms or 0) + plan.talk_ms
        self._finish(call, reason=plan.reason, status=plan.final_status, at_ms=at_ms)

    def _finish(self, call: Call, *, reason: str, status: str, at_ms: int) -> None:
        call.reason, call.status, call.ended_ms = reason, status, at_ms
        self.live.discard(call.call_id)
        self._changed()
        if reason == "user_requested_dnc":
            self.do_not_call.add(call.to_number)
        if reason == "call_transfer":
            self._transfer(call)
        self._at(call, at_ms + _ENDED_AFTER_MS, self._report_end)

    def _transfer(self, call: Call) -> None:
        for event in ("transfer_started", "transfer_bridged", "transfer_ended"):
            told = {**self._event(call), "transfer_destination": transfer_number(call.llm)}
            self._courier.send(call, event, told)

    def _report_end(self, call: Call) -> None:
        document = self._event(call)
        self._courier.send(call, "transcript_updated", document)
        self._courier.send(call, "call_ended", document)
        ended_ms = call.ended_ms or call.created_ms
        self._at(call, ended_ms + _ENDED_AFTER_MS + call.plan.analysis_ms, self._analyse)

    def _analyse(self, call: Call) -> None:
        self._timers.pop(call.call_id, None)
        call.analysed = True
        self._changed()
        self._courier.send(call, "call_analyzed", self._event(call))
        if self._courier.wants_second_analysis(call):
            call.cost_factor *= 1.1
            self._courier.send(call, "call_analyzed", self._event(call))
        if call.connected:
            for kind, spoil in SPOILERS.items():
                if self._courier.spoils(call, kind):
                    spoil(call, self)

    def _event(self, call: Call) -> dict[str, Any]:
        return event_document(call, now_ms=self._clock.now_ms(), base_url=self._base_url)

    def _at(self, call: Call, at_ms: int, step: Any) -> None:
        self._timers[call.call_id] = self._clock.wake(at_ms, step, call)

    def _cancel(self, call: Call) -> None:
        timer = self._timers.pop(call.call_id, None)
        if timer is not None:
            timer.cancel()
