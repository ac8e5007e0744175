"""Launches that Retell dials by itself: their leads are handed over in lists, and then watched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import Q

from billing.services import HoldResolved, ReservationEmpty
from campaigns.dialling import handovers, waiting
from campaigns.dialling.batch_windows import batch_window
from campaigns.dialling.candidates import dial_policy, dial_window, due_enrolments, load_candidates
from campaigns.dialling.placing import Claim, Forbidden, Overtaken, prepare_attempt, stand_down
from campaigns.dialling.refusing import defer, deny
from campaigns.dialling.sending import Requests
from campaigns.dialling.windows import known_zones
from campaigns.models import BatchCall, Handover
from campaigns.rules import NEVER_OPEN_RETRY, Decision, Verdict, hours_for
from convomono.lib.ids import uuid7
from convomono.lib.phone import is_fictional
from telephony.provider import CallTimeWindow, ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor
    from datetime import datetime
    from uuid import UUID

    from campaigns.dialling.candidates import Candidate
    from campaigns.dialling.capacity import Capacity
    from campaigns.dialling.numbers import NumberPool
    from campaigns.dialling.sending import Gateway
    from telephony.provider import Batch, CallPage

# In one step, so that no other launch waits for a long list.
LEADS_A_STEP = 25
# Real time that an answer may take, before it counts as lost.
ANSWER_WITHIN = timedelta(seconds=360)
# So long it may be filled, so that its claims (which last longer) can't run out before it is sent.
SEND_WITHIN = timedelta(seconds=240)
# A list is looked for this often, in the clock's time; its minutes are kept meanwhile.
LOOK_EVERY = timedelta(minutes=2)
NO_WINDOW = "batch.window"

type _Key = tuple[UUID, str, CallTimeWindow | None]
type PoolOf = Callable[[BatchCall, datetime], NumberPool]


@dataclass
class _Look:
    """A question about a list: all its calls, or (without Retell's id of it) those of one attempt."""

    handover: Handover
    attempt_id: UUID | None = None
    page_key: str | None = None

    @property
    def pk(self) -> UUID:
        return self.handover.pk


@dataclass
class HandingOver:
    """
    Fills lists with the leads of `retell_batch` launches, sends each once, and follows its calls.

    One dispatcher is active, so that one process fills. What another left unfilled is dropped; what
    another sent without an answer is unknown, and never sent again.
    """

    gateway: Gateway
    executor: Executor
    capacity: Capacity
    pool_of: PoolOf
    is_sandbox: bool
    real_now: Callable[[], datetime]
    _filling: dict[_Key, Handover] = field(default_factory=dict)
    _counts: dict[UUID, int] = field(default_factory=dict)
    _turn: int = 0

    def __post_init__(self) -> None:
        self._requests: Requests[Handover, Batch] = Requests(self.executor)
        self._looks: Requests[_Look, CallPage] = Requests(self.executor)

    @property
    def under_way(self) -> int:
        """How many lists have no answer yet."""
        return len(self._requests)

    def write_answers(self, *, now: datetime) -> int:
        """Write down what Retell said to lists; return how many answers."""
        answers = self._requests.finished()
        for answer in answers:
            self.capacity.learn(answer.result, now=now)
            handovers.apply_batch_answer(handover=answer.about, answer=answer.result, now=now)
            self._requests.forget(answer.about)
        return len(answers)

    def step(self, launches: list[BatchCall], *, now: datetime) -> int:
        """Hand over some due leads of the launch whose turn it is; return how many things were done."""
        may = [one for one in launches if one.client.is_active]
        if not may:
            return 0
        self._turn += 1
        return self._fill(may[self._turn % len(may)], now)

    def upkeep(self, *, now: datetime) -> int:
        """Take up what others left behind, look for calls, and end who was never called."""
        done = 0
        for handover in _to_look_at(now):
            if handover.status == Handover.Status.FILLING:
                done += self._drop_if_stale(handover, now)
            elif handover.status == Handover.Status.SENT:
                if self._is_late(handover) and handover.pk not in self._requests:
                    done += handovers.note_lost(handover=handover, error="No answer came.")
            elif handovers.close_if_over(handover=handover):
                done += 1
            else:
                self._look(handover, now)
        return done + self._collect(now)

    # Filling and sending

    def _fill(self, launch: BatchCall, now: datetime) -> int:
        enrolments = due_enrolments(batch_call=launch, limit=LEADS_A_STEP, now=now)
        if not enrolments:
            return self._send_all(launch, now)
        candidates = load_candidates(batch_call=launch, enrolments=enrolments, now=now)
        deferred: list[tuple[Candidate, Decision]] = []
        done = 0
        for candidate in candidates:
            decision = candidate.decide(is_sandbox=self.is_sandbox, now=now)
            if candidate.kept is not None:
                # Written for a list that was never sent.
                stand_down(attempt=candidate.kept, reason="Its list was dropped.", now=now)
            elif decision.verdict == Verdict.DENY:
                done += deny(candidate=candidate, decision=decision, now=now)
            elif decision.verdict == Verdict.DEFER:
                deferred.append((candidate, decision))
            elif (window := self._window(candidate, now)) is False:
                deferred.append((candidate, _never(decision, now)))
            elif not self._add(launch, candidate, decision, window=window, now=now):
                break
            else:
                done += 1
        done += defer(decided=deferred, now=now)
        if len(enrolments) < LEADS_A_STEP:
            done += self._send_all(launch, now)
        return done

    def _window(self, candidate: Candidate, now: datetime) -> CallTimeWindow | bool | None:
        """Return when Retell may call this person; None for any hour, False if it can't be told to."""
        wanted = dial_window(candidate.batch_call)
        if wanted.is_any_hour and self.is_sandbox and is_fictional(candidate.facts.phone_number):
            return None
        zones = known_zones(candidate.facts.zones) or candidate.rules.zones
        hours = hours_for(
            facts=candidate.facts,
            policy=dial_policy(candidate.batch_call),
            window=wanted,
            rules=candidate.rules,
        )
        return batch_window(hours=hours, zones=sorted(zones), now=now) or False

    def _add(
        self,
        launch: BatchCall,
        candidate: Candidate,
        decision: Decision,
        *,
        window: CallTimeWindow | bool | None,
        now: datetime,
    ) -> bool:
        """Put one lead into a list, its seconds set aside; False if the launch can't go on just now."""
        number = self.pool_of(launch, now).choose(
            preferred=candidate.preferred_number, near=candidate.enrolment.phone_number
        )
        if number is None:
            self._send_all(launch, now)
            return False
        assert not isinstance(window, bool)
        handover = self._list_for((launch.pk, number, window), launch, now)
        try:
            prepare_attempt(
                candidate=candidate,
                decision=decision,
                from_number=number,
                # Until it is armed: who dies before leaves the lead to the next dispatcher.
                claim=Claim(lease=uuid7(), until=self.real_now() + ANSWER_WITHIN),
                now=now,
                handover_id=handover.pk,
            )
        except (Overtaken, HoldResolved):
            return True
        except ReservationEmpty:
            self._send_all(launch, now)
            return False
        self._counts[handover.pk] += 1
        if self._counts[handover.pk] >= handovers.MOST_TASKS:
            self._send((launch.pk, number, window), now)
        return True

    def _list_for(self, key: _Key, launch: BatchCall, now: datetime) -> Handover:
        if key not in self._filling:
            made = handovers.open_handover(
                batch_call=launch,
                from_number=key[1],
                window=key[2],
                until=self.real_now() + SEND_WITHIN,
                now=now,
            )
            self._filling[key] = made
            self._counts[made.pk] = 0
        return self._filling[key]

    def _send_all(self, launch: BatchCall, now: datetime) -> int:
        keys = [key for key in self._filling if key[0] == launch.pk]
        return sum(self._send(key, now) for key in keys)

    def _send(self, key: _Key, now: datetime) -> int:
        handover = self._filling.pop(key)
        self._counts.pop(handover.pk)
        until = self.real_now() + ANSWER_WITHIN
        try:
            tasks = handovers.arm_handover(handover=handover, until=until, now=now)
        except Forbidden:
            handovers.drop(handover=handover, now=now)
            return 0
        except Overtaken:
            return 0
        if tasks:
            request = partial(
                self.gateway.create_batch_call,
                name=f"{handover.batch_call.campaign} {handover.pk}"[:100],
                from_number=handover.from_number,
                tasks=tasks,
                window=handovers.window_of(handover),
                reserved_concurrency=self._reserved(handover.batch_call),
            )
            self._requests.start(handover, request)
        return len(tasks)

    def _reserved(self, launch: BatchCall) -> int | None:
        """Return how many lines Retell leaves to others, so that this launch keeps to its own."""
        own = min(launch.campaign.concurrency_limit, launch.client.concurrency_limit)
        return max(0, self.capacity.lines.limit - own) or None

    def _drop_if_stale(self, handover: Handover, now: datetime) -> bool:
        """Drop a list that another process began, whose launch stopped, or that waited too long."""
        is_mine = handover.pk in self._counts
        runs = handover.batch_call.status == BatchCall.Status.RUNNING
        if is_mine and runs and not self._is_late(handover):
            return False
        for key, mine in list(self._filling.items()):
            if mine.pk == handover.pk:
                del self._filling[key], self._counts[mine.pk]
        return handovers.drop(handover=handover, now=now)

    def _is_late(self, handover: Handover) -> bool:
        return handover.lease_until is not None and handover.lease_until < self.real_now()

    # Following

    def _look(self, handover: Handover, now: datetime, page_key: str | None = None) -> None:
        if handover.pk in self._looks:
            return
        handovers.keep_alive(handover=handover, now=now)
        Handover.objects.filter(pk=handover.pk).update(looked_at=now)
        look = _Look(handover, page_key=page_key)
        if handover.provider_batch_id:
            about = {"batch_call_id": handover.provider_batch_id, "pagination_key": page_key}
        else:
            waits = list(handovers.waiting_of(handover).values_list("pk", flat=True))
            if not waits:
                return  # the last one's news has just come: the next look closes the list
            self._turn += 1
            look.attempt_id = waits[self._turn % len(waits)]
            about = {"attempt_id": str(look.attempt_id)}
        self._looks.start(look, partial(self.gateway.list_calls, **about))

    def _collect(self, now: datetime) -> int:
        done = 0
        for answer in self._looks.finished():
            self._looks.forget(answer.about)
            page = answer.result
            if isinstance(page, ProviderError):
                continue  # asked again later
            handover = answer.about.handover
            done += handovers.note_listed(handover=handover, page=page, now=now)
            if page.pagination_key:
                self._look(handover, now, page.pagination_key)
            elif handovers.is_quiet(handover=handover, now=now):
                done += self._end_rest(answer.about, now)
        return done

    def _end_rest(self, look: _Look, now: datetime) -> int:
        ids = (
            [look.attempt_id]
            if look.attempt_id is not None
            else list(handovers.waiting_of(look.handover).values_list("pk", flat=True))
        )
        return handovers.end_never_rung(handover=look.handover, attempt_ids=ids, now=now)


def _to_look_at(now: datetime) -> Iterable[Handover]:
    """Return lists that are on their way, and those whose calls are to be looked for; one query."""
    on_the_way = Q(status__in=(Handover.Status.FILLING, Handover.Status.SENT))
    due = Q(looked_at=None, sent_at__lte=now - LOOK_EVERY) | Q(looked_at__lte=now - LOOK_EVERY)
    at_retell = Q(status__in=(Handover.Status.ACCEPTED, Handover.Status.UNKNOWN)) & due
    rows = Handover.objects.filter(on_the_way | at_retell).select_related("batch_call__version")
    return rows.order_by("created_at", "pk")


def _never(decision: Decision, now: datetime) -> Decision:
    """Say of somebody whose hours Retell can't be told that another day may do."""
    return replace(
        decision,
        verdict=Verdict.DEFER,
        rule_ids=(NO_WINDOW,),
        waiting_code=waiting.NEVER_OPEN,
        not_before=now + NEVER_OPEN_RETRY,
    )
