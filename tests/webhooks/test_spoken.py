"""What is said in a call while it is said: passed on to open pages, kept nowhere."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from convomono.lib import live
from convomono.lib.redis import redis_connection
from tests.factories.webhooks import signature
from tests.reporting.test_hub import Listener
from webhooks import doorbell, intake
from webhooks.deliveries import read_delivery
from webhooks.doorbell import Doorbell
from webhooks.intake import receive
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


def turn(text="Hello", call_id="call_1"):
    call = said({"role": "agent", "content": text}) | {"call_id": call_id}
    return json.dumps({"event": "transcript_updated", "call": call}).encode()


@pytest.mark.django_db
def test_keeps_none_of_it_and_takes_it_from_retell_alone(listener):
    body, forged = turn(), turn(call_id="call_2")
    assert receive(body=forged, signature=b"v=1,d=" + b"0" * 64) == 401
    assert receive(body=body, signature=signature(body).encode()) == 204

    until = time.monotonic() + 5
    # [] tells the agency's pages that one was refused.
    while not (heard := [one for one in listener.heard() if one]) and time.monotonic() < until:
        time.sleep(0.01)
    assert [one["call"] for one in heard] == ["call_1"]
    assert not WebhookEvent.objects.exists()
    assert live.CHANNEL not in redis_connection().keys("*")


@pytest.mark.django_db
def test_what_takes_its_time_is_not_in_the_senders_way(monkeypatch):
    """A Redis that hangs holds each command for two seconds."""
    by, go_on = [], threading.Event()

    def slow(**_said):
        by.append(threading.current_thread().name)
        go_on.wait(0.5)

    bell = Doorbell(ring_bell=lambda _name: None)
    monkeypatch.setattr(bell, "_write_tallies", lambda: None)
    monkeypatch.setattr(intake, "DOORBELL", bell)
    monkeypatch.setattr(live, "said", slow)
    began = time.monotonic()
    for number in range(20):
        body = turn(call_id=f"call_{number}")
        assert receive(body=body, signature=signature(body).encode()) == 204
    assert time.monotonic() - began < 1.0
    go_on.set()
    until = time.monotonic() + 5
    while len(by) < 20 and time.monotonic() < until:
        time.sleep(0.01)
    assert by == ["doorbell"] * 20


def test_of_several_turns_the_newest_is_passed_on(monkeypatch):
    passed: list[Any] = []
    bell = Doorbell(ring_bell=lambda _name: None, pass_on=passed.append)
    monkeypatch.setattr(bell, "press", lambda: None)
    monkeypatch.setattr(doorbell, "_MOST_CALLS", 2)
    for call_id, text in (("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")):
        bell.say(read_delivery(turn(text, call_id)))
    bell._pass_on_spoken()
    bell._pass_on_spoken()
    assert [
        (one.provider_call_id, '"content": "' + text in one.body)
        for one, text in zip(passed, "42", strict=True)
    ] == [("a", True), ("b", True)]
