"""How many calls may be started at this instant, over everything that limits them all."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from campaigns.dialling import waiting
from campaigns.dialling.answers import Effect, effect_of
from campaigns.dialling.pacing import Breaker, Lines
from campaigns.dialling.situation import Reason
from telephony.provider import Concurrency, ProviderError

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future
    from datetime import datetime

    from campaigns.dialling.pacing import CallsPerSecond
    from campaigns.dialling.sending import Gateway
    from telephony.provider import Batch, PlacedCall

# Real time: so late a line that fell free is noticed, and a limit that was changed.
ASK_EVERY = timedelta(seconds=0.2)
# Requests on the way at once; each takes a thread.
MOST_UNDER_WAY = 32


class Capacity:
    """
    The workspace's lines, calls per second and the platform's health, as one number.

    The platform is asked on the executor's threads: a question that hangs holds up nothing.
    """

    def __init__(self, *, gateway: Gateway, executor: Executor, speed: CallsPerSecond) -> None:
        self._gateway = gateway
        self._executor = executor
        self._speed = speed
        self._breaker = Breaker()
        self._lines = Lines()
        self._question: Future[Concurrency] | None = None
        self._asked_at: datetime | None = None

    def ask(self, *, own: int, under_way: int, real_now: datetime) -> None:
        """Take in the platform's last answer and ask again when it is time."""
        self._hear(own=own, real_now=real_now)
        due = self._asked_at is None or real_now - self._asked_at >= ASK_EVERY
        if due and self._question is None:
            self._asked_at = real_now
            self._lines.ask(under_way=under_way)
            self._question = self._executor.submit(self._gateway.concurrency)
            self._hear(own=own, real_now=real_now)

    def startable(self, *, own: int, under_way: int, now: datetime, real_now: datetime) -> int:
        """Return how many calls may be started now; `own` counts those that are under way too."""
        if self.stopped(now=now, real_now=real_now).code:
            return 0
        most = 1 if self._breaker.is_trying else MOST_UNDER_WAY
        return max(
            0,
            min(self._lines.free(own=own), self._speed.available(now=now), most - under_way),
        )

    def started(self) -> None:
        """Count one call against the second and the lines."""
        self._speed.take()
        self._lines.started()

    def learn(self, answer: PlacedCall | Batch | ProviderError, *, now: datetime) -> datetime:
        """Take in how the platform answered a dial; return when a refused one may be tried again."""
        effect = effect_of(answer)
        if effect == Effect.WELL:
            self._breaker.succeeded()
            return now
        if effect == Effect.BUSY:
            self._lines.doubt()
            wait_seconds = getattr(answer, "wait_seconds", None)
            return self._breaker.slowed_down(wait_seconds=wait_seconds, now=now)
        return self._breaker.failed(now=now)

    def stopped(self, *, now: datetime, real_now: datetime) -> Reason:
        """Say why nothing at all may be started; empty if something may."""
        until = self._breaker.until(now=now)
        if until is not None:
            return Reason(code=self._breaker.code, until=until)
        if not self._lines.is_known(real_now=real_now):
            return Reason(code=waiting.PROVIDER_SILENT)
        return Reason()

    @property
    def lines(self) -> Lines:
        return self._lines

    def _hear(self, *, own: int, real_now: datetime) -> None:
        if self._question is None or not self._question.done():
            return
        question, self._question = self._question, None
        error = question.exception()
        if error is None:
            self._lines.learn(question.result(), own=own, real_now=real_now)
        elif not isinstance(error, ProviderError):
            raise error
