"""Batch calls: a list that dials itself, which nobody can call back."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from telephony.sandbox.agents import new_id
from telephony.sandbox.dialling import create_phone_call
from telephony.sandbox.refusals import Refused, bad_request

if TYPE_CHECKING:
    from telephony.sandbox.versions import Document
    from telephony.sandbox.world import World

_DEFAULT_ZONE = "America/Los_Angeles"
_RETRY_MS = 1_000
_CLOSED_MS = 60_000
_TOO_MANY = 429


def create_batch(world: World, body: Document) -> Document:
    """Accept a batch and begin with it at its trigger time, inside its window."""
    tasks = body.get("tasks")
    if not tasks:
        raise bad_request("tasks is required.")
    number = world.numbers.get(body.get("from_number", ""))
    window = body.get("call_time_window")
    _check(window)
    batch_call_id = new_id("batch_call_", 17)
    start_ms = body.get("trigger_timestamp") or world.clock.now_ms()
    batch = Batch(
        world=world,
        window=window,
        reserved=int(body.get("reserved_concurrency") or 0),
        bodies=deque(
            {**task, "from_number": number["phone_number"], "batch_call_id": batch_call_id}
            for task in tasks
        ),
    )
    world.clock.wake(start_ms, batch.step)
    answer: dict[str, Any] = {
        "batch_call_id": batch_call_id,
        "name": body.get("name") or f"Batch {batch_call_id[-6:]}",
        "from_number": number["phone_number"],
        # Retell's documented example is in seconds, though it is asked for in milliseconds.
        "scheduled_timestamp": start_ms // 1000,
        "total_task_count": len(tasks),
    }
    if window:
        answer["call_time_window"] = window
    return answer


class Batch:
    def __init__(
        self, *, world: World, window: Document | None, reserved: int, bodies: deque[Document]
    ) -> None:
        self._world = world
        self._window = window
        self._reserved = reserved
        self._bodies = bodies

    def step(self) -> None:
        """Place what may be placed now, and come back for the rest."""
        world = self._world
        now_ms = world.clock.now_ms()
        if not _is_open(self._window, now_ms):
            world.clock.wake(now_ms + _CLOSED_MS, self.step)
            return
        while self._bodies and self._has_slot():
            try:
                create_phone_call(world, self._bodies[0])
            except Refused as refused:
                if refused.status == _TOO_MANY:
                    break
            # A task refused for good leaves no trace but in the counters, as with Retell.
            self._bodies.popleft()
        if self._bodies:
            world.clock.wake(now_ms + _RETRY_MS, self.step)

    def _has_slot(self) -> bool:
        free = self._world.capacity().outbound - len(self._world.switchboard.live)
        return free > self._reserved


def _check(window: Document | None) -> None:
    if window is None:
        return
    for span in window.get("windows") or [{}]:
        if not 0 <= span.get("start", -1) < span.get("end", -1) <= 24 * 60:
            raise bad_request("Each window needs start < end, in minutes since midnight.")
    try:
        ZoneInfo(window.get("timezone") or _DEFAULT_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        raise bad_request("Unknown timezone.") from None


def _is_open(window: Document | None, now_ms: int) -> bool:
    if window is None:
        return True
    zone = ZoneInfo(window.get("timezone") or _DEFAULT_ZONE)
    local = (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=now_ms)).astimezone(zone)
    if window.get("day") and f"{local:%A}" not in window["day"]:
        return False
    minute = local.hour * 60 + local.minute
    return any(span["start"] <= minute < span["end"] for span in window["windows"])
