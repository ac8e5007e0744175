"""The leads that may be called next, launch by launch; those that may not are dealt with on the way."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from campaigns.dialling.candidates import Candidate, due_enrolments, load_candidates
from campaigns.dialling.refusing import defer, deny
from campaigns.enrolments import finish_if_complete
from campaigns.rules import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from campaigns.models import BatchCall
    from campaigns.rules import Decision

CHUNK = 50
LEAST_CHUNK = 8  # a launch with few lines takes few before what was read is too old
# In one step: a launch whose leads all wait must not hold up the others.
CHUNKS_A_STEP = 4
# Real time. What was read is believed for so long; each dial checks again what may have changed.
BELIEVED_FOR = timedelta(seconds=1)


@dataclass
class _Queue:
    read_at: datetime
    size: int  # how many were asked for
    candidates: deque[Candidate] = field(default_factory=deque)

    @property
    def next_size(self) -> int:
        """How many to read next: twice what was taken of these, or twice as many if none was left."""
        taken = self.size - len(self.candidates)
        return min(CHUNK, max(LEAST_CHUNK, 2 * taken))


class DueLeads:
    """Reads due leads in chunks and decides on each at the instant it is asked for."""

    def __init__(self, *, is_sandbox: bool) -> None:
        self._is_sandbox = is_sandbox
        self._queues: dict[UUID, _Queue] = {}
        self.handled = 0  # leads that were deferred or denied since somebody set it to 0

    def next(
        self, batch_call: BatchCall, *, now: datetime, real_now: datetime
    ) -> tuple[Candidate, Decision] | None:
        """Return the launch's next lead that may be called, with the decision; None if there is none."""
        for _chunk in range(CHUNKS_A_STEP):
            queue = self._queue(batch_call, now=now, real_now=real_now)
            if not queue.candidates:
                return None
            found = self._first_allowed(queue, now=now)
            if found is not None:
                return found
            finish_if_complete(batch_call_id=batch_call.pk, now=now)
        return None

    def forget(self, batch_call_id: UUID) -> None:
        """Read a launch's leads afresh the next time."""
        self._queues.pop(batch_call_id, None)

    def keep(self, batch_call_ids: Collection[UUID]) -> None:
        """Forget every launch that isn't among these."""
        self._queues = {key: row for key, row in self._queues.items() if key in batch_call_ids}

    def _queue(self, batch_call: BatchCall, *, now: datetime, real_now: datetime) -> _Queue:
        queue = self._queues.get(batch_call.pk)
        if queue and queue.candidates and real_now - queue.read_at < BELIEVED_FOR:
            return queue
        size = queue.next_size if queue else CHUNK
        enrolments = due_enrolments(batch_call=batch_call, limit=size, now=now)
        candidates = load_candidates(batch_call=batch_call, enrolments=enrolments, now=now)
        self._queues[batch_call.pk] = _Queue(real_now, size, deque(candidates))
        return self._queues[batch_call.pk]

    def _first_allowed(self, queue: _Queue, *, now: datetime) -> tuple[Candidate, Decision] | None:
        deferred: list[tuple[Candidate, Decision]] = []
        found = None
        while queue.candidates and found is None:
            candidate = queue.candidates.popleft()
            decision = candidate.decide(is_sandbox=self._is_sandbox, now=now)
            if decision.verdict == Verdict.ALLOW:
                found = candidate, decision
            elif decision.verdict == Verdict.DEFER:
                deferred.append((candidate, decision))
            else:
                self.handled += deny(candidate=candidate, decision=decision, now=now)
        self.handled += defer(decided=deferred, now=now)
        return found
