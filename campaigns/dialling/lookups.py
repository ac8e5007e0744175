"""Attempts whose answer was lost: Retell is asked what it knows of them, again and again."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from campaigns.dialling.recovery import settle_unknown, unknown_attempts
from campaigns.dialling.sending import Requests
from telephony.provider import ProviderError

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from datetime import datetime
    from uuid import UUID

    from campaigns.dialling.sending import Gateway
    from campaigns.models import Attempt
    from telephony.provider import CallPage

LOOK_AGAIN = timedelta(seconds=30)


class LookUps:
    """Looks for unknown attempts on the executor's threads; what may be sent again is handed on."""

    def __init__(self, *, gateway: Gateway, executor: Executor) -> None:
        self._gateway = gateway
        self._requests: Requests[Attempt, CallPage] = Requests(executor)
        self._look_at: dict[UUID, datetime] = {}

    def start(self, *, now: datetime) -> None:
        """Ask for the attempts that are due."""
        unknown = unknown_attempts(now=now)
        ids = {attempt.pk for attempt in unknown}
        self._look_at = {key: at for key, at in self._look_at.items() if key in ids}
        for attempt in unknown:
            if attempt.pk in self._requests or self._look_at.get(attempt.pk, now) > now:
                continue
            self._look_at[attempt.pk] = now + LOOK_AGAIN
            ask = partial(self._gateway.list_calls, attempt_id=str(attempt.pk))
            self._requests.start(attempt, ask)

    def collect(self, *, now: datetime) -> list[Attempt]:
        """Settle what Retell answered; return the attempts that may be sent again."""
        resend = []
        for answer in self._requests.finished():
            self._requests.forget(answer.about)
            if isinstance(answer.result, ProviderError):
                continue  # asked again later
            settled = settle_unknown(attempt=answer.about, page=answer.result, now=now)
            if settled == "resend":
                resend.append(answer.about)
        return resend
