"""What people do with events that came, and with the addresses that events go to."""

from __future__ import annotations

from webhooks.services.endpoints import (
    DeliveryNotOver,
    EndpointOff,
    SecretIsFresh,
    TooManyEndpoints,
    add_endpoint,
    change_endpoint,
    remove_endpoint,
    replay_delivery,
    resend_failed,
    rotate_secret,
    send_test,
)
from webhooks.services.events import (
    EventNotDead,
    ReplayUnderWay,
    ReplayWish,
    ask_replay,
    replay_event,
    set_aside,
)

__all__ = [
    "DeliveryNotOver",
    "EndpointOff",
    "EventNotDead",
    "ReplayUnderWay",
    "ReplayWish",
    "SecretIsFresh",
    "TooManyEndpoints",
    "add_endpoint",
    "ask_replay",
    "change_endpoint",
    "remove_endpoint",
    "replay_delivery",
    "replay_event",
    "resend_failed",
    "rotate_secret",
    "send_test",
    "set_aside",
]
