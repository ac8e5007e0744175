"""A client ready to dial, a Retell in memory, a dispatcher in one thread, and calls that end as told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from campaigns.dialling.pacing import CallsPerSecond
from campaigns.dialling.sending import AtOnce
from campaigns.dispatcher import Dispatcher
from campaigns.models import Attempt, BatchCall, Campaign, Enrolment
from convomono.lib.db import run_atomic
from telephony.events import CallDetails, CallEvent
from tests.conftest import NOW
from tests.factories.billing import open_wallet
from tests.factories.campaigns import enrol, launch, make_number, make_ready
from tests.fakes import FakeRetell
from webhooks.handlers.retell import conclude, handle

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from accounts.models import Client
    from telephony.events import CallChange

EVERY_DAY = tuple(range(7))


@dataclass
class Rig:
    """The dispatcher with everything around it; `now` is the clock's time, `real` the real one."""

    retell: FakeRetell = field(default_factory=FakeRetell)
    now: datetime = NOW
    real: datetime = NOW
    dispatchers: list[Dispatcher] = field(default_factory=list)

    def dispatcher(
        self, *, per_second: float = 1000, executor: Executor | None = None
    ) -> Dispatcher:
        """Make a dispatcher; by default fast enough that its speed is no limit."""
        made = Dispatcher(
            gateway=self.retell,
            executor=executor or AtOnce(),
            speed=CallsPerSecond(per_second),
            is_sandbox=True,
            real_now=lambda: self.real,
        )
        self.dispatchers.append(made)
        return made

    def step(self, dispatcher: Dispatcher | None = None, *, seconds: float = 1) -> int:
        """Let time pass, and the dispatcher look twice: once to dial, once to write the answers."""
        dispatcher = dispatcher or (self.dispatchers or [self.dispatcher()])[0]
        self.tick(seconds)
        done = dispatcher.step(now=self.now)
        return done + dispatcher.write_answers(now=self.now)

    def tick(self, seconds: float = 1) -> None:
        self.now += timedelta(seconds=seconds)
        self.real += timedelta(seconds=seconds)

    def run(self, *, steps: int = 50, ends: dict[str, Any] | None = None) -> None:
        """Step, and end each call that rings, until nothing is left to do."""
        for _ in range(steps):
            done = self.step()
            if ends is not None:
                done += len([self.end(one, **ends) for one in self.ringing()])
            if not done:
                return

    def ringing(self) -> list[Attempt]:
        return list(Attempt.objects.filter(status=Attempt.Status.PLACED).order_by("created_at"))

    def end(
        self, attempt: Attempt, reason: str = "user_hangup", seconds: int = 30, **fields: Any
    ) -> CallChange | None:
        """Let Retell report the end of an attempt's call."""
        attempt.refresh_from_db()
        call_id = attempt.provider_call_id or self.call_of(attempt)
        connected = reason not in {"dial_busy", "dial_no_answer", "dial_failed", "user_declined"}
        self.retell.becomes(call_id, call_status="ended")
        return self.tell(
            attempt,
            kind="ended",
            call_status="ended" if connected else "not_connected",
            disconnection_reason=reason,
            duration_ms=seconds * 1000 if connected else 0,
            **{"ended_at": self.now, **fields},
        )

    def analyse(self, attempt: Attempt, **analysis: Any) -> CallChange | None:
        """Let Retell report what its analysis of the call found."""
        return self.tell(
            attempt,
            kind="analyzed",
            event_ms=int(self.now.timestamp() * 1000),
            details=CallDetails(analysis=analysis),
        )

    def tell(self, attempt: Attempt, **event: Any) -> CallChange | None:
        """Hand one event to the webhook handler."""
        built = CallEvent(
            provider_call_id=attempt.provider_call_id or self.call_of(attempt),
            attempt_id=attempt.pk,
            **event,
        )
        change = run_atomic(lambda: handle(event=built, now=self.now))
        conclude(changes=[change] if change else [], now=self.now)
        return change

    def call_of(self, attempt: Attempt) -> str:
        """Return the call that rings for an attempt, whether we were told or not."""
        return next(
            one.call_id
            for one in self.retell.placed.values()
            if one.metadata["attempt_id"] == str(attempt.pk)
        )


@pytest.fixture
def rig() -> Rig:
    """A Retell in memory, where everything is placed, and the dispatcher that asks it."""
    return Rig()


@pytest.fixture
def ready(acme: Client) -> Callable[..., BatchCall]:
    """Launch a campaign of acme: `ready(leads=3)`, with any of the campaign's content as keywords."""

    def make(  # noqa: PLR0913 - a launch, each part by name
        *,
        leads: int = 1,
        client: Client = acme,
        seconds: int = 60_000,
        reserve: int = 6000,
        start: int = 0,
        number: str | None = "+12125550199",
        lead_fields: dict[str, Any] | None = None,
        mode: str = BatchCall.Mode.DISPATCHER,
        at: datetime = NOW,
        **content: Any,
    ) -> BatchCall:
        if not hasattr(client, "wallet"):
            open_wallet(client, seconds=seconds, now=at)
        campaign = make_ready(client, **{"is_any_hour": True, "weekdays": EVERY_DAY, **content})
        enrol(campaign, leads, start=start, at=at, **(lead_fields or {}))
        if number:
            make_number(client, number)
        return launch(campaign, seconds=reserve, mode=mode, now=at)

    return make


def statuses(batch_call: BatchCall) -> dict[str, int]:
    """Return a launch's counters that aren't zero, after checking them against the rows."""
    batch_call.refresh_from_db()
    counters = {name: getattr(batch_call, f"{name}_count") for name in Enrolment.Status.values}
    for name, number in counters.items():
        rows = Enrolment.objects.filter(batch_call=batch_call, status=name).count()
        assert rows == number, f"{name}: counter {number}, rows {rows}"
    return {name: number for name, number in counters.items() if number}


def policy(campaign: Campaign, **fields: Any) -> None:
    """Change a campaign's retry policy."""
    for name, value in fields.items():
        setattr(campaign.retry_policy, name, value)
    campaign.retry_policy.save()
