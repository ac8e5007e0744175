"""What is said in a call while it is said: passed on to open pages, kept nowhere."""

from __future__ import annotations

import json

import pytest

from convomono.lib import live
from convomono.lib.redis import redis_connection
from tests.reporting.test_hub import Listener
from webhooks.deliveries import read_delivery
from webhooks.models import WebhookEvent
from webhooks.spoken import pass_on

WORDS = [{"word": "Hello", "start": 1.5, "end": 1.9}]


def event(call, kind="transcript_updated"):
    return read_delivery(json.dumps({"event": kind, "call": call}).encode())


def said(*lines):
    return {"call_id": "call_1", "transcript_with_tool_calls": list(lines)}


@pytest.fixture
def listener(empty_valkey):
    assert redis_connection().ping()
    found = Listener()
    yield found
    found.channel.close()


def test_passes_on_who_said_what(listener):
    pass_on(
        event(
            said(
                {"role": "agent", "content": "Hello", "words": WORDS},
                {"role": "tool_call_invocation", "name": "end_call", "arguments": "{}"},
                {"role": "user", "content": "Who is there?", "words": []},
            )
        )
    )

    assert listener.heard() == [
        {
            "call": "call_1",
            "turns": [
                {"speaker": "agent", "text": "Hello", "at_seconds": 1.5},
                {"speaker": "user", "text": "Who is there?", "at_seconds": None},
            ],
        }
    ]


@pytest.mark.parametrize(
    "call",
    [
        said(),
        said(None, 7, {"role": "agent"}, {"role": "agent", "content": 9}),
        {"call_id": "call_1", "transcript_with_tool_calls": "no list"},
        {"call_id": "call_1"},
        said({"role": "user", "content": "   ", "words": [None]}),
    ],
)
def test_passes_on_nothing_of_a_body_that_says_nothing(listener, call):
    pass_on(event(call))
    assert listener.heard() == []


def test_passes_on_no_other_event(listener):
    pass_on(event(said({"role": "agent", "content": "Hello"}), kind="call_ended"))
    assert listener.heard() == []


def test_cuts_what_is_too_long_for_a_page(listener):
    pass_on(event(said(*[{"role": "user", "content": "x" * 5000}] * 100)))

    turns = listener.heard()[0]["turns"]
    assert len(turns) == 40
    assert len(turns[0]["text"]) == 600


@pytest.mark.django_db
def test_keeps_none_of_it_and_takes_it_from_retell_alone(listener, settings):
    from telephony.signatures import sign
    from webhooks.intake import receive

    body = json.dumps(
        {"event": "transcript_updated", "call": said({"role": "agent", "content": "Hello"})}
    ).encode()
    import time

    now_ms = time.time_ns() // 1_000_000
    good = sign(body, settings.RETELL_WEBHOOK_KEY.encode(), now_ms)
    assert receive(body=body, signature=b"v=1,d=" + b"0" * 64) == 401
    assert listener.heard() == []
    assert receive(body=body, signature=good.encode()) == 204

    assert listener.heard()[0]["call"] == "call_1"
    assert not WebhookEvent.objects.exists()
    assert live.CHANNEL not in redis_connection().keys("*")
