"""What was done and looked up during a call: read leniently, fetched once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from convomono.lib import outbound
from convomono.lib.clock import CLOCK
from convomono.lib.outbound import Answer, Unreachable
from telephony import jobs
from telephony.fetching import BACKOFF, claim_due
from telephony.happenings import read_happenings
from telephony.lookups import MOST_PASSAGES, fetch_lookup, read_passages
from telephony.models import CallDetail, CallLookup
from telephony.sandbox.calls import Call as SandboxCall
from telephony.sandbox.clock import SandboxClock
from telephony.sandbox.knowledge import KnowledgeBases, looked_up, text_source
from telephony.sandbox.outcomes import Plan
from tests.factories.telephony import CallFactory

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from telephony.models import Call

URL = "https://files.example.com/knowledge.json"
TOLD = [{"response_id": 2, "retrieved_contents": ["We open at 8.", "We close at 6."]}]


class TestHappenings:
    def test_reads_what_was_done_between_the_lines(self):
        woven = [
            {"role": "agent", "content": "Hello."},
            {
                "role": "tool_call_invocation",
                "tool_call_id": "a",
                "name": "book",
                "arguments": "{}",
            },
            {"role": "user", "content": "Yes."},
            {
                "role": "tool_call_result",
                "tool_call_id": "a",
                "content": "full",
                "successful": False,
            },
            {"role": "dtmf", "digit": "9"},
            {"role": "node_transition", "new_node_name": "Goodbye"},
            {"role": "sms", "content": "See you", "time_sec": 3},
        ]
        found = read_happenings(woven)
        assert [(one["after"], one["kind"], one["name"]) for one in found] == [
            (1, "function", "book"),
            (2, "key", "9"),
            (2, "step", "Goodbye"),
            (2, "message", ""),
        ]
        assert (found[0]["result"], found[0]["went_well"]) == ("full", False)

    @pytest.mark.parametrize(
        "woven",
        [
            None,
            "x",
            {},
            [None, 3, [], {"role": 4}, {"role": []}],
            [{"role": "tool_call_result", "tool_call_id": "nobody's", "content": "ok"}],
            [{"role": "node_transition"}],
        ],
    )
    def test_leaves_out_what_it_does_not_know(self, woven: Any):
        assert read_happenings(woven) == []

    def test_keeps_no_endless_list(self):
        many = [{"role": "dtmf", "digit": "1" * 9_000}] * 9_000
        found = read_happenings(many)
        assert len(found) == 100
        assert len(found[0]["name"]) == 2_000


class TestReading:
    @pytest.mark.parametrize(
        ("told", "passages"),
        [
            (TOLD, [("We open at 8.", 2), ("We close at 6.", 2)]),
            ([{"response_id": "3", "contents": [{"content": "A"}]}], [("A", 3)]),
            ({"4": ["A", "A"], "5": "B"}, [("A", 4), ("B", 5)]),
            (["A", "", "  B "], [("A", None), ("B", None)]),
            ({"unknown": ["A"]}, []),
            (7, []),
            ([[[[[["too deep"]]]]]], []),
        ],
    )
    def test_takes_every_form_it_may_have(self, told: Any, passages: list[Any]):
        found = read_passages(json.dumps(told).encode())
        assert [(one["text"], one["response_id"]) for one in found] == passages

    @pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 5_000])
    def test_takes_what_is_no_list_for_nothing(self, body: bytes):
        assert read_passages(body) == []

    def test_keeps_no_endless_list(self):
        body = json.dumps([f"{number} {'x' * 9_000}" for number in range(200)]).encode()
        found = read_passages(body)
        assert len(found) == MOST_PASSAGES
        assert len(found[0]["text"]) == 4_000


@pytest.fixture
def call(acme: Client, now: datetime) -> Call:
    call = CallFactory.create(client=acme, created_at=now)
    CallDetail.objects.create(call=call, knowledge_url=URL)
    CallLookup.objects.create(call=call, client=acme, campaign_id=call.campaign_id, created_at=now)
    return call


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Retell answers, one after the other; then the list."""
    given: list[Any] = []

    def fetch(url: str, **_more: Any) -> Answer:
        assert url == URL
        answer = given.pop(0) if given else 200
        if isinstance(answer, Exception):
            raise answer
        return Answer(status=answer, url=url, headers={}, body=json.dumps(TOLD).encode())

    monkeypatch.setattr(outbound, "fetch", fetch)
    return given


class TestFetching:
    def test_keeps_the_passages_once(self, call: Call, answers: list[Any], now: datetime):
        assert fetch_lookup(call_id=call.pk, now=now)
        CallLookup.objects.update(passages=[])
        assert fetch_lookup(call_id=call.pk, now=now)  # known: not asked again
        row = CallLookup.objects.get()
        assert (row.status, row.passages) == ("stored", [])
        assert due(now) == []

    @pytest.mark.parametrize("problem", [404, Unreachable("Nobody.")])
    def test_tries_five_times_over_hours(
        self, call: Call, answers: list[Any], problem: Any, now: datetime
    ):
        answers += [problem] * 5
        at = now
        for tries, pause in enumerate((*BACKOFF, timedelta(days=9)), 1):
            assert due(at) == [call.pk]
            assert not fetch_lookup(call_id=call.pk, now=at)
            assert CallLookup.objects.get().attempts == tries
            assert due(at + pause - timedelta(seconds=1)) == []
            at += pause
        assert at - timedelta(days=9) - now > timedelta(hours=6)
        assert not fetch_lookup(call_id=call.pk, now=at)

    def test_knows_nothing_of_a_call_without(self, acme: Client, now: datetime):
        assert not fetch_lookup(call_id=CallFactory.create(client=acme).pk, now=now)


def due(now: datetime) -> list[UUID]:
    return claim_due(CallLookup, now=now, most=10)


@pytest.mark.django_db(transaction=True)
def test_jobs_fetch_what_waits(call: Call, answers: list[Any], run_jobs: Callable[[], int]):
    assert jobs.fetch_lookups(of_a_later_version=1) == 1
    assert jobs.fetch_lookups() == 0  # it stands in line
    assert run_jobs() == 1
    assert [one["text"] for one in CallLookup.objects.get().passages] == TOLD[0][
        "retrieved_contents"
    ]
    assert jobs.fetch_lookups() == 0


def test_the_sandbox_lists_what_fits_what_was_said():
    bases = KnowledgeBases(SandboxClock(CLOCK))
    sources = [text_source("Prices", "Each visit costs 40.\n\nWe love dogs.")]
    base = bases.create("Prices", sources, {})
    call = SandboxCall(
        call_id="call_1",
        from_number="+14155550100",
        to_number="+14155550101",
        agent={"agent_id": "a", "version": 0},
        llm={
            "begin_message": "Hello, how much may a visit cost?",
            "knowledge_base_ids": [base["knowledge_base_id"]],
        },
        variables={},
        metadata=None,
        override={},
        plan=Plan(
            seed=3,
            reason="agent_hangup",
            final_status="ended",
            ring_ms=1_000,
            talk_ms=60_000,
            analysis_ms=1_000,
        ),
        created_ms=0,
    )
    told = read_passages(json.dumps(looked_up(call, bases)).encode())
    assert told == [{"text": "Each visit costs 40.", "response_id": 1}]
