"""How fast and how many: calls per second, free lines, and a breaker for a platform that fails."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Count

from campaigns.dialling import waiting
from campaigns.models import Attempt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from telephony.provider import Concurrency

FAILURES_TO_OPEN = 5
BREAKER_SECONDS = (15, 30, 60, 120)
SLOW_DOWN_SECONDS = (1, 2, 4, 8, 16, 30)
# Real time: an older answer about lines says too little.
LIMIT_IS_STALE = timedelta(seconds=10)
DOUBTED_ANSWERS = 300  # a minute or so


class CallsPerSecond:
    """
    A token bucket in the clock's time: never more at once than `burst_seconds` allow.

    That is one second; a sandbox whose clock runs fast has more of them between two looks.
    """

    def __init__(self, per_second: float, *, burst_seconds: float = 1.0) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second * burst_seconds)
        self._tokens = 1.0
        self._at: datetime | None = None

    def available(self, *, now: datetime) -> int:
        """Return how many calls may be started at this instant."""
        if self._at is not None and now > self._at:
            gained = (now - self._at).total_seconds() * self._per_second
            self._tokens = min(self._most, self._tokens + gained)
        self._at = now if self._at is None else max(self._at, now)
        return int(self._tokens)

    @property
    def has_one(self) -> bool:
        """Whether a call was left at the last look."""
        return self._tokens >= 1

    def take(self) -> None:
        """Use up one call."""
        self._tokens -= 1


class Breaker:
    """
    Stops asking a platform that fails, and asks it again with a single call after a while.

    Five failures in a row open it. A busy platform (429) makes us slow down at once, for as long as
    it says, or for a time that doubles. Times are the clock's.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._opened = 0
        self._slowed = 0
        self._until: datetime | None = None
        self.code = ""

    def until(self, *, now: datetime) -> datetime | None:
        """Return until when nothing may be sent; None if something may."""
        return self._until if self._until is not None and self._until > now else None

    @property
    def is_trying(self) -> bool:
        """Half open: one call may go, and its answer decides."""
        return self._failures >= FAILURES_TO_OPEN

    def succeeded(self) -> None:
        self._failures = self._opened = self._slowed = 0
        self._until, self.code = None, ""

    def failed(self, *, now: datetime) -> datetime:
        """Count a failure; return when the next call may be tried."""
        self._failures += 1
        if (until := self.until(now=now)) is not None:
            return until  # sent before it opened: no news
        if self._failures < FAILURES_TO_OPEN:
            return now + timedelta(seconds=SLOW_DOWN_SECONDS[self._failures])
        pause = BREAKER_SECONDS[min(self._opened, len(BREAKER_SECONDS) - 1)]
        self._opened += 1
        return self._wait(now + timedelta(seconds=pause), waiting.PROVIDER_AWAY)

    def slowed_down(self, *, wait_seconds: float | None, now: datetime) -> datetime:
        """Obey a 429; return when the next call may be tried."""
        if wait_seconds is None and (until := self.until(now=now)) is not None:
            return until  # sent before the first refusal: no news
        ours = SLOW_DOWN_SECONDS[min(self._slowed, len(SLOW_DOWN_SECONDS) - 1)]
        self._slowed += 1
        pause = ours if wait_seconds is None else wait_seconds
        return self._wait(now + timedelta(seconds=pause), waiting.PROVIDER_BUSY)

    def _wait(self, until: datetime, code: str) -> datetime:
        if self._until is None or until > self._until:
            self._until, self.code = until, code
        return until


@dataclass(frozen=True, kw_only=True)
class OwnCalls:
    """Calls of ours that are on a line, or may be: sent, placed and unknown ones."""

    by_campaign: Counter[UUID] = field(default_factory=Counter)
    by_client: Counter[UUID] = field(default_factory=Counter)
    unknown: int = 0  # of these nobody knows whether they ring, or will

    @property
    def total(self) -> int:
        return self.by_client.total()

    def add(self, *, client_id: UUID, campaign_id: UUID, number: int = 1) -> None:
        self.by_client[client_id] += number
        self.by_campaign[campaign_id] += number


def count_own_calls(under_way: Iterable[Attempt]) -> OwnCalls:
    """Count what the database knows of and what is being sent just now; one query."""
    unknown = Attempt.Status.UNKNOWN
    rows = list(
        Attempt.objects.filter(status__in=(Attempt.Status.PLACED, unknown))
        .values_list("client_id", "campaign_id", "status")
        .annotate(number=Count("pk"))
        .order_by()
    )
    own = OwnCalls(unknown=sum(row[3] for row in rows if row[2] == unknown))
    for client_id, campaign_id, _status, number in rows:
        own.add(client_id=client_id, campaign_id=campaign_id, number=number)
    for attempt in under_way:
        own.add(client_id=attempt.client_id, campaign_id=attempt.campaign_id)
    return own


@dataclass
class Lines:
    """
    The lines of the workspace, which all clients share.

    Busy are at most those of the platform's last answer and every call that was on its way when we
    asked, or was started since: so what is not ours (inbound calls, another program) is counted, and a
    line is free again before its call's news has come. After a refusal for want of a line our own
    count is looked at too, for a while; it includes calls whose end we haven't heard of.
    """

    limit: int = 0
    asked_at: datetime | None = None
    _current: int = 0  # of the last answer
    _own: int = 0  # what we counted when it came
    _since: int = 0  # started since its question, or on their way then
    _asking: int = 0  # the same of the question that has no answer yet
    _doubted: int = 0  # answers for which our own count is looked at too

    def ask(self, *, under_way: int) -> None:
        """Note that the platform is being asked; `under_way` are calls that it may not know yet."""
        self._asking = under_way

    def started(self) -> None:
        """Count a call that is being sent."""
        self._since += 1
        self._asking += 1

    def doubt(self) -> None:
        """Look at our own count too for some time: the platform refused a call."""
        self._doubted = DOUBTED_ANSWERS

    def learn(self, answer: Concurrency, *, own: int, real_now: datetime) -> None:
        """Take in the platform's answer; `own` is how many calls we count at this moment."""
        self.limit = answer.limit - answer.reserved_inbound
        self.asked_at = real_now
        self._current, self._since, self._own = answer.current, self._asking, own
        self._doubted = max(0, self._doubted - 1)

    def is_known(self, *, real_now: datetime) -> bool:
        """Tell whether the platform answered lately."""
        return self.asked_at is not None and real_now - self.asked_at < LIMIT_IS_STALE

    def used(self, *, own: int) -> int:
        """Return how many lines are busy at most."""
        told = self._current + self._since
        others = max(0, self._current - self._own)
        return max(told, own + others) if self._doubted else told

    def free(self, *, own: int) -> int:
        return max(0, self.limit - self.used(own=own))
