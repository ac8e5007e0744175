"""Deliveries as Retell makes them, and the least valid row of the inbox."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import factory
import orjson
from factory.django import DjangoModelFactory

from accounts.models import ClientEvent
from telephony.signatures import sign
from tests.factories.accounts import NOW, ClientFactory
from webhooks.models import Endpoint, EndpointDelivery, WebhookEvent
from webhooks.signing import new_secret

if TYPE_CHECKING:
    from uuid import UUID

PAYLOADS = Path(__file__).resolve().parents[1] / "webhooks" / "payloads" / "retell"
INDEX = orjson.loads((PAYLOADS / "index.json").read_bytes())
KEY = b"key_test_convomono_webhook"


def recorded(name: str) -> bytes:
    """Return the exact bytes of a recorded delivery."""
    return (PAYLOADS / f"{name}.raw").read_bytes()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def signature(body: bytes, *, key: bytes = KEY, stamp_ms: int | None = None) -> str:
    """Sign a body as Retell does, now unless another instant is given."""
    return sign(body, key, now_ms() if stamp_ms is None else stamp_ms)


def delivery(
    event: str,
    *,
    call_id: str = "call_1",
    attempt_id: UUID | None = None,
    event_ms: int = 1_790_000_000_000,
    **call: Any,
) -> bytes:
    """Return the body of an event; what isn't said about the call isn't in it."""
    about = {"call_id": call_id, **call}
    if attempt_id is not None:
        about["metadata"] = {"attempt_id": str(attempt_id)}
    return orjson.dumps({"event": event, "call": about, "event_timestamp": event_ms})


class WebhookEventFactory(DjangoModelFactory[WebhookEvent]):
    """A stored event that waits for the drain; pass `body`."""

    key = factory.Sequence("key-{}".format)
    event_type = "call_ended"
    provider_call_id = "call_1"
    body = "{}"
    next_try_at = NOW
    created_at = NOW

    class Meta:
        model = WebhookEvent


class EndpointFactory(DjangoModelFactory[Endpoint]):
    """An address of a client that hears of every kind of event."""

    client = factory.SubFactory(ClientFactory)
    url = "https://hooks.example.com/in"
    kinds = factory.LazyFunction(lambda: list(ClientEvent.Kind.values))
    secret = factory.LazyFunction(new_secret)
    created_at = NOW

    class Meta:
        model = Endpoint


class ClientEventFactory(DjangoModelFactory[ClientEvent]):
    """An event in the outbox that isn't in line anywhere; pass `client`."""

    kind = "call.ended"
    key = factory.Sequence("client-event-{}".format)
    data = factory.LazyFunction(lambda: {"call_id": "1"})
    created_at = NOW

    class Meta:
        model = ClientEvent


class EndpointDeliveryFactory(DjangoModelFactory[EndpointDelivery]):
    """An event that is due at an address; pass `endpoint`."""

    client = factory.SelfAttribute("endpoint.client")
    event = factory.SubFactory(ClientEventFactory, client=factory.SelfAttribute("..client"))
    key = factory.LazyAttribute(lambda row: f"{row.endpoint.pk.hex}:{row.event.pk.hex}")
    kind = "call.ended"
    next_try_at = NOW
    created_at = NOW

    class Meta:
        model = EndpointDelivery
