"""What tests of the webhooks room share: calls that ring, and what Retell would say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from accounts.models import Client
from campaigns.models import Attempt, Campaign
from convomono.lib.db import run_atomic
from convomono.lib.redis import redis_connection
from tests.campaigns.dialling.conftest import Rig, ready, rig
from tests.factories.webhooks import WebhookEventFactory, delivery
from webhooks.client_events import LISTENERS
from webhooks.deliveries import read_delivery
from webhooks.doorbell import DOORBELL
from webhooks.handlers.retell import conclude, handle
from webhooks.payloads import call_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from campaigns.models import BatchCall
    from telephony.events import CallChange
    from webhooks.models import WebhookEvent

__all__ = ["ready", "rig"]  # fixtures of the dialling tests

STARTED_MS = 1_795_446_060_000
NOT_CONNECTED = {
    "dial_busy",
    "dial_no_answer",
    "dial_failed",
    "user_declined",
    "invalid_destination",
    "telephony_provider_permission_denied",
    "sip_routing_error",
    "telephony_provider_unavailable",
    "marked_as_spam",
    "network_blocked",
}
ANALYSIS = {
    "call_summary": "They talked.",
    "user_sentiment": "Positive",
    "call_successful": True,
    "in_voicemail": False,
    "custom_analysis_data": {},
}


def status_of(reason: str) -> str:
    """Return Retell's status for a reason."""
    if reason in NOT_CONNECTED:
        return "not_connected"
    failed = reason.startswith(("error_", "no_", "credit", "budget", "concurrency", "registered"))
    return "error" if failed or reason == "scam_detected" else "ended"


@dataclass(frozen=True)
class Ringing:
    """A call that was placed; `says` returns the events of its life as Retell would deliver them."""

    attempt: Attempt
    call_id: str

    def says(self, reason: str, *, seconds: int = 30, **call: Any) -> dict[str, bytes]:
        status = status_of(reason)
        connected = status == "ended"
        basic: dict[str, Any] = {"call_id": self.call_id, "attempt_id": self.attempt.pk}
        if connected:
            over: dict[str, Any] = {
                "start_timestamp": STARTED_MS,
                "end_timestamp": STARTED_MS + seconds * 1000,
                "duration_ms": seconds * 1000,
                "transcript": "Agent: Hi.\n",
                "call_cost": {"combined_cost": 4.5, "product_costs": []},
            }
        else:
            over = {"duration_ms": 0, "call_cost": {"combined_cost": 0, "product_costs": []}}
        over |= {"call_status": status, "disconnection_reason": reason, **call}
        bodies = {
            "ended": without(
                delivery("call_ended", **basic, **over, event_ms=STARTED_MS + 1), "call_analysis"
            ),
            "analyzed": delivery(
                "call_analyzed",
                **basic,
                **{"call_analysis": ANALYSIS if connected else {"call_summary": ""}, **over},
                event_ms=STARTED_MS + 2,
            ),
        }
        if connected:
            started: dict[str, Any] = {"call_status": "ongoing", "start_timestamp": STARTED_MS}
            bodies["started"] = delivery("call_started", **basic, **started, event_ms=STARTED_MS)
        return bodies


def tell(body: bytes, now: datetime) -> CallChange | None:
    """Apply one body as the drain does, in a transaction of its own."""
    event = call_event(body)
    change = run_atomic(lambda: handle(event=event, now=now))
    conclude(changes=[change] if change else [], now=now)
    return change


def deliver(body: bytes, **columns: Any) -> WebhookEvent:
    """Put a body into the inbox, as the intake does."""
    read = read_delivery(body)
    return WebhookEventFactory.create(
        key=read.key,
        event_type=read.event_type,
        provider_call_id=read.provider_call_id,
        body=read.body,
        status=read.status,
        **columns,
    )


def without(body: bytes, *names: str) -> bytes:
    """Return the body without these fields of the call."""
    payload = orjson.loads(body)
    payload["call"] = {name: value for name, value in payload["call"].items() if name not in names}
    return orjson.dumps(payload)


@pytest.fixture(autouse=True)
def nobody_listens() -> None:
    """Forget which clients have addresses: those of an earlier test are gone."""
    LISTENERS.forget()


@pytest.fixture(autouse=True)
def nothing_to_write_down(empty_valkey: None) -> None:
    """Forget what the doorbell has counted of an earlier test, on its way to Redis or there just now."""
    with DOORBELL._writing:
        with DOORBELL._lock:
            DOORBELL._refused.clear()
            DOORBELL._answers.clear()
        redis_connection().flushdb()


@pytest.fixture
def launched(rig: Rig, ready: Callable[..., BatchCall]) -> Callable[[int], list[Ringing]]:
    """Launch so many leads of acme and let all of them ring: `launched(3)`."""

    def make(leads: int) -> list[Ringing]:
        rig.retell.limit = 1000
        ready(leads=leads, reserve=leads * 600, seconds=leads * 600 + 600)
        Client.objects.update(concurrency_limit=1000)
        Campaign.objects.update(concurrency_limit=1000)
        rig.run()
        ringing = rig.ringing()
        assert len(ringing) == leads
        return [Ringing(attempt, attempt.provider_call_id) for attempt in ringing]

    return make


@pytest.fixture
def ringing(launched: Callable[[int], list[Ringing]]) -> Ringing:
    """One call of acme that rings."""
    return launched(1)[0]
