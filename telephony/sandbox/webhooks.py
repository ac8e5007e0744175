"""Delivers events as Retell does: signed, repeated up to three times, never blocking the next."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from telephony.sandbox.deliveries import Delivery, prepare, shape, webhook_address
from telephony.sandbox.posting import Poster, PostFailed
from telephony.signatures import sign

if TYPE_CHECKING:
    from telephony.sandbox.calls import Call
    from telephony.sandbox.clock import SandboxClock
    from telephony.sandbox.config import Config
    from telephony.sandbox.counters import Counters
    from telephony.sandbox.faults import Faults

_DEFAULT_EVENTS = ("call_started", "call_ended", "call_analyzed")
_RETRY_SECONDS = (1, 5, 15)  # simulated; Retell documents "up to 3 times", not how far apart
_TIMEOUT_SECONDS = 10.0
_AT_ONCE = 64
_HELD_MS = 60_000


class Courier:
    def __init__(
        self, *, config: Config, clock: SandboxClock, faults: Faults, counters: Counters
    ) -> None:
        self._config = config
        self._clock = clock
        self._faults = faults
        self._counters = counters
        self._held: dict[str, Delivery] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._poster = Poster()

    @property
    def pending(self) -> int:
        return len(self._tasks) + len(self._held)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._poster.close()

    def wants_second_analysis(self, call: Call) -> bool:
        return self._faults.strikes("cost_revised", number=call.to_number) is not None

    def spoils(self, call: Call, kind: str) -> bool:
        """Tell whether a fault strikes the books of this call."""
        return self._faults.strikes(kind, number=call.to_number) is not None

    def send(self, call: Call, event: str, document: dict[str, Any]) -> None:
        """Deliver an event if this call's agent listens to it; returns at once."""
        if event == "call_ended":
            self._counters.reasons[str(call.reason)] += 1
        url = webhook_address(call.agent.get("webhook_url"), self._config.webhook_url)
        wanted = call.agent.get("webhook_events") or _DEFAULT_EVENTS
        if not url or event not in wanted or not call.plan.webhooks:
            return
        strikes = self._strikes(call, event)
        if strikes("webhook_drop"):
            self._counters.totals["webhooks_dropped"] += 1
            return
        body = orjson.dumps(shape(event, document, strikes, self._clock.real_ms()))
        timeout = (call.agent.get("webhook_timeout_ms") or _TIMEOUT_SECONDS * 1000) / 1000
        delivery = Delivery(url=url, body=body, timeout_seconds=timeout)
        prepare(delivery, strikes)
        self._order(call, delivery, hold=strikes("webhook_reorder") is not None)

    def _strikes(self, call: Call, event: str) -> Any:
        return lambda kind: self._faults.strikes(kind, number=call.to_number, event=event)

    def _order(self, call: Call, delivery: Delivery, *, hold: bool) -> None:
        earlier = self._held.pop(call.call_id, None)
        if hold and earlier is None:
            self._held[call.call_id] = delivery
            self._clock.wake(self._clock.now_ms() + _HELD_MS, self._release, call.call_id)
            return
        self._start(delivery)
        if earlier is not None:
            self._start(earlier)

    def _release(self, call_id: str) -> None:
        """Let go what was held back for an event that never followed."""
        held = self._held.pop(call_id, None)
        if held is not None:
            self._start(held)

    def _start(self, delivery: Delivery) -> None:
        for _ in range(delivery.copies):
            task = asyncio.get_running_loop().create_task(self._deliver(delivery))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery) -> None:
        if delivery.delay_seconds:
            await self._clock.sleep(delivery.delay_seconds)
        for wait in (*_RETRY_SECONDS, None):
            if await self._post(delivery):
                self._counters.totals["webhooks_sent"] += 1
                return
            self._counters.totals["webhooks_failed"] += 1
            if wait is not None:
                await self._clock.sleep(wait)
        self._counters.totals["webhooks_lost"] += 1

    async def _post(self, delivery: Delivery) -> bool:
        async with self._slots:
            # The body keeps its bytes; each try is signed afresh, with real time.
            stamp = self._clock.real_ms() - delivery.signed_ms_ago
            key = delivery.key or self._config.webhook_key
            signature = sign(delivery.body, key.encode(), stamp)
            if delivery.spoil_signature:
                signature = signature[:-4] + "0000"
            headers = {
                "content-type": "application/json",
                "user-agent": "axios/1.7.9",
                "x-retell-signature": signature,
            }
            try:
                status = await self._poster.post(
                    delivery.url, delivery.body, headers, delivery.timeout_seconds
                )
            except PostFailed:
                return False
            return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
