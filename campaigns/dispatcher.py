"""The dispatcher: every moment it looks who may be called, and calls them, never twice for one attempt."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from billing.services import HoldResolved, ReservationEmpty
from campaigns.dialling import recovery, situation, waiting
from campaigns.dialling.answers import apply_answer, record_lost
from campaigns.dialling.breaking import break_if_bad
from campaigns.dialling.candidates import load_candidates, without_own
from campaigns.dialling.capacity import Capacity
from campaigns.dialling.gates import Closed, closed_gates
from campaigns.dialling.handing import HandingOver
from campaigns.dialling.lookups import LookUps
from campaigns.dialling.numbers import NumberPool, number_pool
from campaigns.dialling.pacing import CallsPerSecond, OwnCalls, count_own_calls
from campaigns.dialling.placing import (
    Claim,
    Forbidden,
    Overtaken,
    arm,
    prepare_attempt,
    rearm,
    stand_down,
)
from campaigns.dialling.queues import DueLeads
from campaigns.dialling.rota import Rota
from campaigns.dialling.sending import Requests
from campaigns.enrolments import finish_if_complete
from campaigns.leasing import Lease
from campaigns.models import BatchCall, Enrolment
from campaigns.rules import Verdict
from campaigns.services import funding
from convomono.lib import live
from convomono.lib.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from datetime import datetime
    from uuid import UUID

    from campaigns.dialling.candidates import Candidate
    from campaigns.dialling.sending import Gateway
    from campaigns.models import Attempt
    from campaigns.rules import Decision
    from telephony.provider import PlacedCall

# Real time. A claim outlives the longest request (5 s to connect, 30 s to answer) by far.
CLAIM_LASTS = timedelta(seconds=60)
UPKEEP_EVERY = timedelta(seconds=0.5)
EXPLAINED_AT_ONCE = 20
# Which launches run, and their clients' numbers; arming a call checks its launch again.
LAUNCHES_LAST = timedelta(seconds=0.2)
_NOT_SENT: dict[type[Exception], str] = {
    Forbidden: "It was stopped before it was sent.",
    HoldResolved: "Its seconds were given back.",
}


class Dispatcher:
    """
    Places the calls of every running launch; one dispatcher is active, by a lease in the database.

    `step` does what is due and returns at once: requests run on the executor's threads, and the
    next step writes their answers. Killed anywhere, the rows say what is to be done.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        executor: Executor,
        speed: CallsPerSecond,
        is_sandbox: bool,
        real_now: Callable[[], datetime],
    ) -> None:
        self._gateway = gateway
        self._is_sandbox = is_sandbox
        self._real_now = real_now
        self._lease = Lease()
        self._capacity = Capacity(gateway=gateway, executor=executor, speed=speed)
        self._dials: Requests[Attempt, PlacedCall] = Requests(executor)
        self._look_ups = LookUps(gateway=gateway, executor=executor)
        self._handing = HandingOver(
            gateway=gateway,
            executor=executor,
            capacity=self._capacity,
            pool_of=self._pool,
            is_sandbox=is_sandbox,
            real_now=real_now,
        )
        self._due = DueLeads(is_sandbox=is_sandbox)
        self._rota = Rota()
        self._resends: list[Attempt] = []
        self._launches: list[BatchCall] = []
        self._launches_read_at: datetime | None = None
        self._own = OwnCalls()
        self._closed = Closed()
        self._pools: dict[tuple[UUID, tuple[str, ...]], NumberPool] = {}
        self._calls_left: dict[UUID, dict[str, int]] = {}  # of numbers with a daily cap
        self._upkept_at: datetime | None = None
        self._explained = 0
        self._is_full = False

    @property
    def under_way(self) -> int:
        """How many dials and lists have no answer yet."""
        return len(self._dials) + self._handing.under_way

    @property
    def waits_for_lines(self) -> bool:
        """Whether a launch runs and every line was busy at the last look."""
        return self._is_full

    def step(self, *, now: datetime) -> int:
        """
        Do what is due: write answers, start launches, place calls, set right what was left behind.

        Without the lease it only writes answers. Returns how many things it did; 0 means idle.
        """
        with live.gathered():
            return self._step(now)

    def _step(self, now: datetime) -> int:
        done = self.write_answers(now=now)
        if not self._lease.acquire(real_now=self._real_now()):
            self._launches_read_at = None
            self._is_full = False
            return done
        launches, own = self._running(now), self._own
        if launches:
            self._capacity.ask(own=own.total, under_way=len(self._dials), real_now=self._real_now())
            ours = [one for one in launches if one.mode == BatchCall.Mode.DISPATCHER]
            done += self._resend(ours, own, now) + self._dial(ours, own, now)
            done += self._hand_over(launches, now)
        self._is_full = bool(launches) and not self._capacity.lines.free(own=own.total)
        if self._is_upkeep_due():
            done += self._upkeep(launches, own, now)
        return done

    def _running(self, now: datetime) -> list[BatchCall]:
        """
        Return the running launches, as read a moment ago.

        Our own calls are counted with them, and each that is started since: what ended meanwhile is
        as old as the platform's own count.
        """
        real_now = self._real_now()
        if self._launches_read_at is None or real_now - self._launches_read_at >= LAUNCHES_LAST:
            situation.start_due(now=now)
            self._launches = situation.running_launches()
            self._own = count_own_calls(self._dials.rows)
            self._rota.share(situation.shares_of(self._launches))
            self._closed = closed_gates()
            self._launches_read_at = real_now
            self._pools, self._calls_left = {}, {}
            self._due.keep({one.pk for one in self._launches})
        return self._launches

    def write_answers(self, *, now: datetime) -> int:
        """Write down the answers that have come; return how many."""
        answers = self._dials.finished()
        for answer in answers:
            retry_at = self._capacity.learn(answer.result, now=now)
            apply_answer(attempt=answer.about, answer=answer.result, retry_at=retry_at, now=now)
            self._dials.forget(answer.about)
        return len(answers) + self._handing.write_answers(now=now)

    def release(self) -> None:
        """Let another dispatcher take over at once."""
        self._lease.release(real_now=self._real_now())

    # Placing calls

    def _dial(self, launches: list[BatchCall], own: OwnCalls, now: datetime) -> int:
        self._due.handled = 0
        dry = {one.pk for one in launches if self._closed.stops(one.client_id)}
        placed = 0
        while self._startable(own, now) > 0:
            launch = self._rota.pick(launches, own=own, without=dry, now=now)
            if launch is None:
                break
            found = self._next_lead(launch, now)
            if found is None or not self._call(launch, *found, own=own, now=now):
                dry.add(launch.pk)
                continue
            placed += 1
        return placed + self._due.handled

    def _hand_over(self, launches: list[BatchCall], now: datetime) -> int:
        """Hand some leads over to Retell, of launches that it dials by itself."""
        theirs = [
            one
            for one in launches
            if one.mode == BatchCall.Mode.RETELL_BATCH and not self._closed.stops(one.client_id)
        ]
        real_now = self._real_now()
        if not theirs or not self._lease.is_safe(real_now=real_now):
            return 0
        if self._capacity.stopped(now=now, real_now=real_now).code:
            return 0
        return self._handing.step(theirs, now=now)

    def _next_lead(self, launch: BatchCall, now: datetime) -> tuple[Candidate, Decision] | None:
        if self._pool(launch, now).code:
            return None
        return self._due.next(launch, now=now, real_now=self._real_now())

    def _call(
        self,
        launch: BatchCall,
        candidate: Candidate,
        decision: Decision,
        *,
        own: OwnCalls,
        now: datetime,
    ) -> bool:
        """Call one lead; False if the launch has nothing more to offer in this step."""
        kept = candidate.kept
        if kept is not None and (over := self._over(launch, kept, now)):
            stand_down(attempt=kept, reason=over, now=now)
            return True
        number = kept.from_number if kept else None
        number = number or self._pool(launch, now).choose(
            preferred=candidate.preferred_number, near=candidate.enrolment.phone_number
        )
        if number is None:
            return False
        try:
            attempt = prepare_attempt(
                candidate=candidate,
                decision=decision,
                from_number=number,
                claim=self._claim(),
                now=now,
                is_sent=kept is None,
            )
            if kept is not None:
                arm(attempt=attempt, now=now)
        except Overtaken:
            return False  # read afresh in the next step
        except (Forbidden, HoldResolved, ReservationEmpty) as refused:
            return self._not_sent(launch, kept, refused, now)
        self._rota.served(launch)
        self._start(attempt, own)
        return True

    def _not_sent(
        self, launch: BatchCall, kept: Attempt | None, refused: Exception, now: datetime
    ) -> bool:
        """Let go of an attempt that was kept, and read afresh what has changed; True if others may be called."""
        if isinstance(refused, ReservationEmpty):
            self._due.forget(launch.pk)
            return False
        if kept is not None:
            reason = _NOT_SENT[type(refused)]
            stand_down(attempt=kept, reason=reason, now=now)
        if isinstance(refused, HoldResolved):
            return True
        self._launches_read_at = None
        self._due.forget(launch.pk)
        return False

    def _start(self, attempt: Attempt, own: OwnCalls) -> None:
        self._capacity.started()
        own.add(client_id=attempt.client_id, campaign_id=attempt.campaign_id)
        request = partial(self._gateway.create_phone_call, **attempt.request)
        self._dials.start(attempt, request)

    def _startable(self, own: OwnCalls, now: datetime) -> int:
        real_now = self._real_now()
        # A process that was held up for long may have lost the lease without knowing.
        if not self._lease.is_safe(real_now=real_now):
            return 0
        return self._capacity.startable(
            own=own.total, under_way=len(self._dials), now=now, real_now=real_now
        )

    def _claim(self) -> Claim:
        return Claim(lease=uuid7(), until=self._real_now() + CLAIM_LASTS)

    def _over(self, launch: BatchCall, kept: Attempt, now: datetime) -> str:
        """Return why an attempt that was kept isn't sent any more; empty if it is."""
        if recovery.is_kept_too_long(kept, now=now):
            return recovery.NOT_TAKEN
        may = self._may_call_from(launch, kept.from_number, now)
        return "" if may else "Its number may not be used any more."

    def _may_call_from(self, launch: BatchCall, number: str, now: datetime) -> bool:
        """Tell whether a number that was chosen a while ago may still be used for this launch."""
        return self._pool(launch, now).may_still_use(number)

    def _pool(self, launch: BatchCall, now: datetime) -> NumberPool:
        key = (launch.client_id, tuple(launch.campaign.caller_numbers))
        pool = self._pools.get(key)
        if pool is None:
            left = self._calls_left.setdefault(launch.client_id, {})
            pool = number_pool(client_id=launch.client_id, now=now, only=key[1], left=left)
            self._pools[key] = pool
        return pool

    # Answers that were lost

    def _resend(self, launches: list[BatchCall], own: OwnCalls, now: datetime) -> int:
        """Send attempts again of which Retell knows nothing, under their own keys."""
        running = {one.pk: one for one in launches}
        sent = 0
        while self._resends and self._startable(own, now) > 0:
            attempt = self._resends.pop()
            launch = running.get(attempt.batch_call_id)
            is_stopped = self._closed.stops(attempt.client_id)
            if launch is None or is_stopped:
                continue
            if self._may_call_from(launch, attempt.from_number, now) and self._may_resend(
                launch, attempt, now
            ):
                sent += self._send_again(attempt, own=own, now=now)
        return sent

    def _may_resend(self, launch: BatchCall, attempt: Attempt, now: datetime) -> bool:
        enrolment = Enrolment.objects.select_related("lead").get(pk=attempt.enrolment_id)
        candidates = load_candidates(batch_call=launch, enrolments=[enrolment], now=now)
        decision = without_own(candidates[0], attempt).decide(is_sandbox=self._is_sandbox, now=now)
        return decision.verdict == Verdict.ALLOW

    def _send_again(self, attempt: Attempt, *, own: OwnCalls, now: datetime) -> bool:
        try:
            rearm(attempt=attempt, claim=self._claim(), now=now)
        except Forbidden:
            record_lost(attempt=attempt, error="It was stopped before it was sent again.")
            return False
        except (Overtaken, HoldResolved, ReservationEmpty):
            return False
        self._start(attempt, own)
        return True

    # Now and then

    def _is_upkeep_due(self) -> bool:
        real_now = self._real_now()
        if self._upkept_at is not None and real_now - self._upkept_at < UPKEEP_EVERY:
            return False
        self._upkept_at = real_now
        return True

    def _upkeep(self, launches: list[BatchCall], own: OwnCalls, now: datetime) -> int:
        """Take up what others left behind, look for lost answers, finish and explain launches."""
        under_way = {attempt.pk for attempt in self._dials.rows}
        done = recovery.recover_lost_claims(real_now=self._real_now(), now=now, under_way=under_way)
        done += recovery.let_go_of_kept(now=now)
        self._look_ups.start(now=now)
        self._resends = self._look_ups.collect(now=now)
        done += self._handing.upkeep(now=now)
        for launch in launches:
            if not launch.in_progress_count:
                done += finish_if_complete(batch_call_id=launch.pk, now=now)
        for launch in self._some_of(launches):
            if break_if_bad(batch_call=launch, now=now):
                self._launches_read_at = None
            else:
                self._explain(launch, own, now)
        return done

    def _some_of(self, launches: list[BatchCall]) -> list[BatchCall]:
        """Return those whose sentence is looked at this time: with very many they take turns."""
        if len(launches) <= EXPLAINED_AT_ONCE:
            return launches
        start = self._explained % len(launches)
        self._explained += EXPLAINED_AT_ONCE
        return (launches + launches)[start : start + EXPLAINED_AT_ONCE]

    def _explain(self, launch: BatchCall, own: OwnCalls, now: datetime) -> None:
        lines = self._capacity.lines
        around = situation.Surroundings(
            stopped=self._capacity.stopped(now=now, real_now=self._real_now()),
            used=lines.used(own=own.total),
            limit=lines.limit,
            client_own=own.by_client[launch.client_id],
            campaign_own=own.by_campaign[launch.campaign_id],
            pool=self._pool(launch, now),
            paced=self._rota.paced(launch),
            closed=self._closed,
        )
        reason = situation.explain(batch_call=launch, around=around, now=now)
        if reason.code in {waiting.CREDIT, waiting.DEBT} and funding.run_dry(
            batch_call=launch, owes=reason.code == waiting.DEBT, now=now
        ):
            self._launches_read_at = None
            return
        situation.write_reason(batch_call=launch, reason=reason)
