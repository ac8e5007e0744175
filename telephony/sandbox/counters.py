"""What a run has done so far, for tests and benchmarks to read."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from telephony.sandbox.calls import Call

_SECOND_MS = 1_000


class Counters:
    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.totals: Counter[str] = Counter()
        self.calls_to: Counter[str] = Counter()
        self.by_attempt: Counter[str] = Counter()
        self.by_client: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.peak_live = 0
        self.peak_starts_per_second = 0
        self.double_dials = 0
        self.last_placed_ms = 0
        self._starts: deque[int] = deque()

    def placed(self, call: Call, *, live: int, now_ms: int) -> None:
        """Count a call that has just been accepted; now_ms is simulated."""
        self.totals["calls_placed"] += 1
        self.calls_to[call.to_number] += 1
        self.peak_live = max(self.peak_live, live)
        self.last_placed_ms = now_ms
        self._starts.append(now_ms)
        while self._starts[0] <= now_ms - _SECOND_MS:
            self._starts.popleft()
        self.peak_starts_per_second = max(self.peak_starts_per_second, len(self._starts))
        metadata = call.metadata or {}
        self.by_client[str(metadata.get("client_id", ""))] += 1
        attempt = metadata.get("attempt_id")
        if attempt is not None:
            self.by_attempt[str(attempt)] += 1
            self.double_dials += self.by_attempt[str(attempt)] > 1

    def report(self) -> dict[str, Any]:
        return {
            "calls_placed": self.totals["calls_placed"],
            "peak_live": self.peak_live,
            "peak_starts_per_second": self.peak_starts_per_second,
            "last_placed_ms": self.last_placed_ms,
            "double_dials": self.double_dials,
            "idempotent_repeats": self.totals["idempotent_repeats"],
            "refused": dict(self.refused),
            "webhooks_sent": self.totals["webhooks_sent"],
            "webhooks_failed": self.totals["webhooks_failed"],
            "webhooks_lost": self.totals["webhooks_lost"],
            "calls_by_client": dict(self.by_client),
            "calls_by_reason": dict(self.reasons),
        }
