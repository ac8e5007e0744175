"""Switches that make the sandbox misbehave on purpose; settable while it runs."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from telephony.sandbox.refusals import bad_request

DIAL = "/v2/create-phone-call"
# Each kind, and what it does.
KINDS = {
    # HTTP, before the effect
    "latency": "answers ms milliseconds late, plus up to jitter_ms",
    "rate_limit": "429, with retry-after when retry_after is given",
    "unauthorised": "401, as if the key had been revoked",
    "payment_required": "402",
    "error_before": "500 and nothing done",
    "reset_before": "connection reset and nothing done",
    "hang_before": "no answer for seconds, then a reset; nothing done",
    # HTTP, after the effect
    "error_after": "done, but answers 500",
    "reset_after": "done, but the connection is reset",
    "hang_after": "done, but no answer for seconds, then a reset",
    "not_json": "done, but answers 201 with text",
    "truncated_json": "done, but the JSON breaks off",
    # Webhooks
    "webhook_duplicate": "delivered copies times more",
    "webhook_drop": "never delivered",
    "webhook_delay": "delivered seconds (simulated) late",
    "webhook_reorder": "held back until the call's next event has gone out",
    "webhook_bad_signature": "signed wrongly",
    "webhook_other_key": "signed with another key",
    "webhook_stale": "signed six minutes ago",
    "webhook_unknown_event": "carries an event nobody knows",
    "webhook_unknown_reason": "carries a disconnection reason nobody knows",
    "webhook_sparse": "lacks every optional field",
    "webhook_huge": "carries a transcript of about kilobytes kB",
    # Capacity
    "capacity": "overrides concurrency, calls_per_second or burst",
    "overflow_as_call": "beyond the limit a call ends concurrency_limit_reached instead of 429",
    # Resources
    "knowledge_stuck": "knowledge bases stay in_progress",
    "knowledge_error": "knowledge bases end in error",
    "number_unbound": "numbers have no agent",
    "agent_unpublished": "published agent versions count as drafts",
    # Cost
    "cost_factor": "calls cost factor times as much",
    "cost_revised": "a second call_analyzed with another cost follows",
    "cost_missing": "webhooks lack call_cost",
    # The books, once a call that connected is over and all its events were sent
    "books_lost": "the call is listed no more",
    "books_extra": "a call that nobody asked for is listed besides",
    "books_longer": "the call is listed 30 seconds longer",
    "books_cost": "the call is listed half as dear again",
    "books_double": "its end is told and listed again under another call id",
}
_HTTP = set(list(KINDS)[: list(KINDS).index("webhook_duplicate")])


@dataclass(slots=True, kw_only=True)
class Fault:
    """Empty numbers, paths or events mean: all; left None means: for ever."""

    kind: str
    rate: float = 1.0
    left: int | None = None
    numbers: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    options: dict[str, Any] = field(default_factory=dict)
    hits: int = 0

    def option(self, name: str, default: float) -> float:
        return float(self.options.get(name, default))

    def covers(self, *, number: str | None, path: str | None, event: str | None) -> bool:
        return all(
            not wanted or value in wanted
            for wanted, value in (
                (self.numbers, number),
                (self.paths, path),
                (self.events, event),
            )
        )


class Faults:
    """At most one switch per kind; setting a kind again replaces it."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._faults: dict[str, Fault] = {}

    def put(self, kind: str, body: dict[str, Any]) -> Fault:
        """
        Switch a fault on.

        :raises Refused: if there is no such kind, or the rate is none
        """
        if kind not in KINDS:
            raise bad_request(f"No fault is named {kind}. There are: {', '.join(KINDS)}.")
        rate = body.get("rate", 1.0)
        if not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise bad_request("rate must be between 0 and 1.")
        paths = body.get("paths") or ([DIAL] if kind in _HTTP else [])
        known = {"rate", "count", "numbers", "paths", "events"}
        fault = Fault(
            kind=kind,
            rate=rate,
            left=body.get("count"),
            numbers=frozenset(body.get("numbers") or ()),
            paths=frozenset() if "*" in paths else frozenset(paths),
            events=frozenset(body.get("events") or ()),
            options={name: value for name, value in body.items() if name not in known},
        )
        self._faults[kind] = fault
        return fault

    def remove(self, kind: str | None = None) -> None:
        if kind is None:
            self._faults.clear()
        else:
            self._faults.pop(kind, None)

    def strikes(
        self,
        kind: str,
        *,
        number: str | None = None,
        path: str | None = None,
        event: str | None = None,
    ) -> Fault | None:
        """Return the fault if it hits this time, and use up one of its limited count."""
        fault = self._faults.get(kind)
        if fault is None or fault.left == 0:
            return None
        if not fault.covers(number=number, path=path, event=event):
            return None
        if fault.rate < 1 and self._rng.random() >= fault.rate:
            return None
        fault.hits += 1
        if fault.left is not None:
            fault.left -= 1
        return fault

    def report(self) -> dict[str, Any]:
        return {
            fault.kind: {
                "rate": fault.rate,
                "count": fault.left,
                "numbers": sorted(fault.numbers),
                "paths": sorted(fault.paths) or (["*"] if fault.kind in _HTTP else []),
                "events": sorted(fault.events),
                **fault.options,
                "hits": fault.hits,
            }
            for fault in self._faults.values()
        }
