"""What random histories of launches are made of: processes that die at their work, calls, late news."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connection

from campaigns.models import Attempt, Enrolment
from campaigns.services import steering
from convomono.lib.db import in_transaction, insert_once
from leads.models import Suppression
from leads.services import suppress
from tests.factories.campaigns import TESTS
from tests.factories.webhooks import delivery
from tests.mongo import is_write
from tests.webhooks.conftest import Ringing, status_of
from webhooks.deliveries import read_delivery
from webhooks.drain import Drain
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from campaigns.models import BatchCall
    from tests.campaigns.dialling.conftest import Rig

# The evenings before clocks change in New York, so that hours close and open on both sides of it.
STARTS = (datetime(2026, 3, 7, 23, 0, tzinfo=UTC), datetime(2026, 10, 31, 22, 0, tzinfo=UTC))
OPENS, CLOSES = 9, 20
REASONS = (
    "user_hangup",
    "dial_busy",
    "dial_no_answer",
    "voicemail_reached",
    "user_declined",
    "user_requested_dnc",
    "user_requested_callback",
    "error_retell",
    "concurrency_limit_reached",
)
# A process dies within so many of its moments: few for one that finds little to do, many for a busy one.
MOMENTS = (1, 4, 8, 30)
_BEGINS = ("BEGIN", "SAVEPOINT")
_UNDOES = ("ROLLBACK", "RELEASE")  # what SQLite does for a process that is gone


class KilledError(BaseException):
    """kill -9: nothing after this line runs."""


def killed(*_given: object, **_named: object) -> None:
    """End the process here."""
    raise KilledError


class Process:
    """
    One process at its work; with a number it dies at that moment.

    Moments are before each statement that writes, and before and after each request to Retell; or only those
    `between` two transactions. Dead, it does nothing more, whatever stands under `finally`.
    """

    def __init__(self, dies_at: int | None = None, *, between: bool = False) -> None:
        self._left, self._between = dies_at, between
        self._is_outside = True  # of a transaction, since the last write
        self.is_dead = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.is_dead and not sql.startswith(_UNDOES):
            raise KilledError
        self._is_outside |= sql.startswith(_BEGINS) or not in_transaction()
        if is_write(sql):
            if self._is_outside or not self._between:
                self.may_die()
            self._is_outside = False
        return execute(sql, params, many, context)

    def may_die(self) -> None:
        if self._left == 0:
            self.is_dead = True
            raise KilledError
        if self._left is not None:
            self._left -= 1


class HeldUp(Drain):
    """A drain that is stopped after it has read what is due, and goes on when told to step."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self._read = super()._due(now)

    def _due(self, _now: datetime) -> list[WebhookEvent]:
        return list(self._read)


class History:
    """One random history of a launch, with what really rang and when."""

    reasons: tuple[str, ...] = REASONS

    def __init__(self, rig: Rig, batch_call: BatchCall, seed: int) -> None:
        self.rig, self.batch_call = rig, batch_call
        self.rng = random.Random(seed)  # noqa: S311 - a test's dice
        self.dispatcher = rig.dispatcher()
        self.process: Process | None = None
        self.rang_at: dict[str, datetime] = {}
        self.unsaid: list[str] = []  # calls whose end Retell has not told
        self.on_the_way: list[bytes] = []  # what Retell has told and nobody has taken
        self.opted_out: dict[str, datetime] = {}
        self.kill_next = False
        self.deaths: Counter[str] = Counter()

    # Processes

    def run(self, work: Callable[[], object], *, name: str, is_killed: bool) -> bool:
        """Let a process do its work; False if it died of it."""
        dies_at = self.rng.randrange(self.rng.choice(MOMENTS)) if is_killed else None
        between = self.rng.random() < 0.5
        self.process = process = Process(dies_at, between=between)
        try:
            with connection.execute_wrapper(process):
                work()
        except KilledError:
            self.deaths[name] += 1
        self.process = None
        return not process.is_dead

    def asks(self, request: Callable[..., Any]) -> Callable[..., Any]:
        """Return a request to Retell around which the process that asks may die."""

        def asked(*args: Any, **named: Any) -> Any:
            if self.process is not None:
                self.process.may_die()
            answer = request(*args, **named)
            if self.process is not None:
                self.process.may_die()
            return answer

        return asked

    def step(self) -> None:
        self.rig.tick(self.rng.choice((0.3, 1, 5, 40)))
        if not self.run(self._dispatch, name="dispatcher", is_killed=self.kill_next):
            self.kill_next = False
            self.dispatcher = self.rig.dispatcher()
        self.listen()

    def _dispatch(self) -> None:
        self.dispatcher.step(now=self.rig.now)
        self.dispatcher.write_answers(now=self.rig.now)

    def listen(self) -> None:
        for call_id in self.rig.retell.placed:
            if call_id not in self.rang_at:
                self.rang_at[call_id] = self.rig.now
                self.unsaid.append(call_id)

    def drain(self, *, is_killed: bool | None = None) -> None:
        """Empty the inbox, or die of it; now and then beside one that has read the same and was held up."""
        dies = self.rng.random() < 0.4 if is_killed is None else is_killed
        late = HeldUp(self.rig.now) if self.rng.random() < 0.2 else None
        self.run(lambda: Drain().step(now=self.rig.now), name="drain", is_killed=dies)
        if late is not None:
            self.run(lambda: late.step(now=self.rig.now), name="drain", is_killed=dies)

    # Mishaps

    def kill(self) -> None:
        self.kill_next = True

    def long_pause(self) -> None:
        self.rig.tick(self.rng.choice((12, 61, 900, 4 * 3600)))

    def lose_answer(self) -> None:
        self.rig.retell.lose_answer(placed=self.rng.random() < 0.5)

    def refuse(self) -> None:
        if self.rng.random() < 0.5:
            self.rig.retell.rate_limit(self.rng.choice((None, 2.0)))
        else:
            self.rig.retell.be_unavailable()

    # What Retell tells

    def over(self) -> list[str]:
        """Return the calls that may have ended by now, of those whose end is not told."""
        return self.unsaid

    def news(self) -> None:
        """Let a call end and Retell tell of it, by the inbox or at once: late, in any order, often twice."""
        if not (over := self.over()):
            return
        call_id = self.rng.choice(over)
        self.unsaid.remove(call_id)
        attempt = Attempt.objects.get(pk=self.rig.retell.placed[call_id].metadata["attempt_id"])
        reason = self.rng.choice(self.reasons)
        if self.rng.random() < 0.5:
            self.end(call_id, attempt, reason)
        else:
            for _ in range(self.rng.choice((1, 1, 2))):
                self.rig.end(attempt, reason)
        if reason == "user_requested_dnc":
            self.opted_out.setdefault(attempt.phone_number, self.rig.now)

    def end(self, call_id: str, attempt: Attempt, reason: str) -> None:
        """End a call; its events are on their way then."""
        at, seconds = round(self.rig.now.timestamp() * 1000), self.rng.choice((5, 30, 61, 240))
        facts: dict[str, Any] = {"end_timestamp": at}
        if status_of(reason) == "ended":
            facts["start_timestamp"] = at - seconds * 1000
        found = {"converted": self.rng.random() < 0.4}
        if self.rng.random() < 0.5:
            facts["call_analysis"] = {
                "call_summary": "They talked.",
                "in_voicemail": self.rng.random() < 0.2,
                "custom_analysis_data": found,
            }
        said = Ringing(attempt, call_id).says(reason, seconds=seconds, **facts)
        if "started" in said:
            begun = {"call_status": "ongoing", "start_timestamp": facts["start_timestamp"]}
            about: dict[str, Any] = {"call_id": call_id, "attempt_id": attempt.pk}
            said["started"] = delivery("call_started", **about, **begun, event_ms=at)
        told = orjson.loads(said["analyzed"])["call"]
        del told["call_id"]
        self.rig.retell.becomes(call_id, **told)
        for body in said.values():
            self.on_the_way += [body] * self.rng.choice((1, 1, 2))

    def post(self) -> None:
        """Let some of what is on its way arrive, in any order, and be stored as the intake does."""
        for _ in range(self.rng.choice((1, 2, 5))):
            if self.on_the_way:
                store(
                    self.on_the_way.pop(self.rng.randrange(len(self.on_the_way))), now=self.rig.now
                )

    # What people do

    def pause(self) -> None:
        self._steer(steering.pause_batch_call, steering.BatchCallNotRunning)

    def resume(self) -> None:
        self._steer(steering.resume_batch_call, steering.BatchCallNotPaused)

    def opt_out(self) -> None:
        enrolment = Enrolment.objects.order_by("?").first()
        assert enrolment is not None
        suppress(
            level=Suppression.Level.CLIENT,
            client_id=enrolment.client_id,
            campaign_id=None,
            phone_number=enrolment.phone_number,
            source=Suppression.Source.PERSON,
            reason="",
            actor=TESTS,
            now=self.rig.now,
        )
        self.opted_out.setdefault(enrolment.phone_number, self.rig.now)

    def _steer(self, change: Callable[..., None], refusal: type[Exception]) -> None:
        try:
            change(batch_call=self.batch_call, actor=TESTS, now=self.rig.now)
        except refusal:
            pass

    def act(self) -> None:
        others = (
            self.kill,
            self.long_pause,
            self.lose_answer,
            self.refuse,
            self.pause,
            self.resume,
        )
        dice = self.rng.random()
        if dice < 0.45:
            self.step()
        elif dice < 0.65:
            self.news()
        elif dice < 0.78:
            self.rng.choice((self.post, self.drain))()
        elif dice < 0.81:
            self.opt_out()
        else:
            self.rng.choice(others)()

    def hear(self) -> None:
        """Let everything be told and applied, whatever a drain dies of meanwhile."""
        while self.over():
            self.news()
        while self.on_the_way:
            self.post()
        for is_killed in (True, False, False):
            self.drain(is_killed=is_killed)
            self.rig.tick(10)  # what is parked has its time again

    def sweep(self) -> None:
        """Take up launches that ended in a killed process, as `resume_campaigns` does each five seconds."""
        for key in list(steering.left_behind()):
            steering.cancel_slice(batch_call_id=key, now=self.rig.now)

    def wait(self) -> None:
        """Let the time pass until the next lead is due."""
        waits = Enrolment.objects.filter(status="queued").order_by("next_attempt_at").first()
        due_in = (waits.next_attempt_at - self.rig.now).total_seconds() if waits else 0
        self.rig.tick(due_in if due_in > 0 else 31)

    def come_to_an_end(self) -> None:
        """Let everything be told and done, without further mishaps."""
        self.kill_next = False
        self.rig.retell._script.clear()
        for _ in range(400):
            self.resume()
            self.step()
            self.hear()
            self.sweep()
            self.batch_call.refresh_from_db()
            if self.batch_call.is_over:
                return
            self.wait()


def store(body: bytes, *, now: datetime) -> bool:
    """Put a body into the inbox, once, as the intake does."""
    read = read_delivery(body)
    row = WebhookEvent(
        key=read.key,
        event_type=read.event_type,
        provider_call_id=read.provider_call_id,
        body=read.body,
        status=read.status,
        next_try_at=now,
        created_at=now,
    )
    return insert_once(row, "key")
