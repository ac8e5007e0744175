"""What the sandbox breaks on purpose, and what the gateway and receivers see of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from telephony.provider import (
    PaymentRequired,
    PlacedCall,
    ProviderError,
    RateLimited,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
)
from telephony.retell import RetellGateway
from telephony.sandbox.deliveries import webhook_address
from telephony.signatures import verify_signature
from tests.telephony.sandbox.harness import FROM, WEBHOOK_KEY, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.telephony.sandbox.harness import Receiver, Sandbox

QUIET = "+14155550005"  # busy: over at once


@pytest.fixture
def gateway(sandbox: Sandbox) -> Iterator[RetellGateway]:
    made = RetellGateway(
        api_key="sandbox",
        base_url=sandbox.url,
        timeout_seconds=2,
        dial_timeout_seconds=0.5,
    )
    yield made
    made.close()


def dial(
    gateway: RetellGateway, sandbox: Sandbox, *, key: str = "k", to_number: str = QUIET
) -> PlacedCall:
    return gateway.create_phone_call(
        idempotency_key=key,
        from_number=FROM,
        to_number=to_number,
        agent_id=sandbox.agent_id,
        agent_version=0,
        dynamic_variables={},
        metadata={"attempt_id": key},
        max_call_duration_ms=60_000,
    )


@pytest.mark.parametrize(
    ("fault", "raised", "rings"),
    [
        ("rate_limit", RateLimited, 0),
        ("unauthorised", Unauthorised, 0),
        ("payment_required", PaymentRequired, 0),
        ("error_before", UnknownOutcome, 0),
        ("reset_before", UnknownOutcome, 0),
        ("hang_before", UnknownOutcome, 0),
        ("error_after", UnknownOutcome, 1),
        ("reset_after", UnknownOutcome, 1),
        ("hang_after", UnknownOutcome, 1),
        ("not_json", UnknownOutcome, 1),
        ("truncated_json", UnknownOutcome, 1),
    ],
)
def test_http_faults_are_seen_for_what_they_are(
    sandbox: Sandbox,
    gateway: RetellGateway,
    fault: str,
    raised: type[ProviderError],
    rings: int,
) -> None:
    sandbox.faults(**{fault: {"count": 1}})
    with pytest.raises(raised):
        dial(gateway, sandbox)
    assert sandbox.state()["calls_placed"] == rings
    # With the same key the call is found, or placed at last: one phone rings either way.
    placed = dial(gateway, sandbox)
    assert [it.call_id for it in gateway.list_calls(attempt_id="k").calls] == [placed.call_id]
    assert (sandbox.state()["calls_placed"], sandbox.state()["double_dials"]) == (1, 0)


@pytest.mark.parametrize(("digits", "rings"), [("0021", 1), ("0022", 0), ("0023", 1)])
def test_magic_digits_lose_answers(
    sandbox: Sandbox, gateway: RetellGateway, digits: str, rings: int
) -> None:
    with pytest.raises(UnknownOutcome):
        dial(gateway, sandbox, to_number=f"+1415555{digits}")
    assert len(gateway.list_calls(attempt_id="k").calls) == rings
    if rings:
        assert dial(gateway, sandbox, to_number=f"+1415555{digits}").call_status


def test_a_fault_says_how_long_to_wait(sandbox: Sandbox, gateway: RetellGateway) -> None:
    sandbox.faults(rate_limit={"retry_after": 3})
    with pytest.raises(RateLimited) as caught:
        dial(gateway, sandbox)
    assert caught.value.wait_seconds == 3


def test_a_fault_may_concern_a_number_a_path_or_a_share(
    sandbox: Sandbox, gateway: RetellGateway
) -> None:
    sandbox.faults(rate_limit={"numbers": ["+14155550006"]})
    dial(gateway, sandbox)
    with pytest.raises(RateLimited):
        dial(gateway, sandbox, key="other", to_number="+14155550006")
    sandbox.faults(error_before={"paths": ["/get-concurrency"]}, rate_limit={"rate": 0.5})
    with pytest.raises(Unavailable):
        gateway.concurrency()
    refused = 0
    for number in range(40):
        try:
            dial(gateway, sandbox, key=f"n{number}")
        except RateLimited:
            refused += 1
    assert 8 <= refused <= 32
    report = sandbox.http.get("/_sandbox/faults").json()
    assert report["rate_limit"]["hits"] == refused
    sandbox.http.delete("/_sandbox/faults/rate_limit")
    sandbox.http.delete("/_sandbox/faults")
    assert sandbox.http.get("/_sandbox/faults").json() == {}


def test_latency_delays_the_answer(sandbox: Sandbox, gateway: RetellGateway) -> None:
    sandbox.faults(latency={"ms": 150})
    begun = time.monotonic()
    dial(gateway, sandbox)
    assert time.monotonic() - begun >= 0.15


@pytest.mark.parametrize(
    "body", [{"no_such_fault": {}}, {"rate_limit": {"rate": 2}}, {"latency": 1}]
)
def test_refuses_a_switch_it_does_not_have(sandbox: Sandbox, body: dict[str, Any]) -> None:
    assert sandbox.http.put("/_sandbox/faults", json=body).status_code == 400


def all_sent(sandbox: Sandbox) -> None:
    wait_for(lambda: (it := sandbox.state())["live"] == 0 and it["webhooks_pending"] == 0)


def analysed(sandbox: Sandbox, receiver: Receiver, **faults: dict[str, Any]) -> str:
    """Play one answered call through under faults; return its id."""
    sandbox.faults(**faults)
    call_id = str(sandbox.dial("+14155550001").call_id)
    sandbox.finished(call_id)
    all_sent(sandbox)
    return call_id


def test_signs_every_event_as_the_sdk_expects(sandbox: Sandbox, receiver: Receiver) -> None:
    analysed(sandbox, receiver)
    assert len(receiver.deliveries) == 3
    for body, raw, signature in receiver.deliveries:
        assert sandbox.sdk.verify(raw.decode(), WEBHOOK_KEY, signature)
        assert signature.startswith(f"v={body['event_timestamp'] // 10_000}")


def test_repeats_up_to_three_times_without_holding_back_the_next(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    receiver.statuses["call_started"] = [500, 503]
    receiver.statuses["call_ended"] = [500] * 9
    call_id = analysed(sandbox, receiver)
    events = receiver.events(call_id)
    assert [events.count(it) for it in ("call_started", "call_ended", "call_analyzed")] == [3, 4, 1]
    assert len({raw for body, raw, _ in receiver.deliveries if body["event"] == "call_ended"}) == 1
    state = sandbox.state()
    assert (state["webhooks_lost"], state["webhooks_failed"]) == (1, 6)


def test_loses_and_doubles_events(sandbox: Sandbox, receiver: Receiver) -> None:
    call_id = analysed(
        sandbox,
        receiver,
        webhook_drop={"events": ["call_started"]},
        webhook_duplicate={"events": ["call_ended"], "copies": 2},
    )
    assert sorted(receiver.events(call_id)) == ["call_analyzed"] + ["call_ended"] * 3


def test_reorders_and_delays_events(sandbox: Sandbox, receiver: Receiver) -> None:
    call_id = analysed(
        sandbox,
        receiver,
        webhook_reorder={"events": ["call_started"]},
        webhook_delay={"events": ["call_ended"], "seconds": 300},
    )
    assert receiver.events(call_id)[-1] == "call_ended"
    assert set(receiver.events(call_id)) == {"call_started", "call_ended", "call_analyzed"}


def test_lets_go_of_a_last_event_that_it_held_back(sandbox: Sandbox, receiver: Receiver) -> None:
    call_id = analysed(sandbox, receiver, webhook_reorder={"events": ["call_analyzed"]})
    assert receiver.events(call_id)[-1] == "call_analyzed"


@pytest.mark.parametrize(
    ("of_agent", "of_run", "address"),
    [
        ("http://127.0.0.1:8000/hook", "http://127.0.0.1:8001/hook", "http://127.0.0.1:8001/hook"),
        ("http://127.0.0.1:8000/mine", "http://127.0.0.1:8001/hook", "http://127.0.0.1:8000/mine"),
        ("https://acme.example/hook", "http://127.0.0.1:8001/hook", "https://acme.example/hook"),
        (None, "http://127.0.0.1:8001/hook", "http://127.0.0.1:8001/hook"),
        ("http://127.0.0.1:8000/hook", "", "http://127.0.0.1:8000/hook"),
        (None, "", ""),
    ],
)
def test_finds_an_agent_of_an_earlier_run_at_this_runs_port(
    of_agent: str | None, of_run: str, address: str
) -> None:
    assert webhook_address(of_agent, of_run) == address


@pytest.mark.parametrize("fault", ["webhook_bad_signature", "webhook_other_key", "webhook_stale"])
def test_signs_wrongly(sandbox: Sandbox, receiver: Receiver, fault: str) -> None:
    analysed(sandbox, receiver, **{fault: {}})
    assert receiver.deliveries
    for _, raw, signature in receiver.deliveries:
        keys = [WEBHOOK_KEY.encode()]
        assert not verify_signature(raw, signature, keys, round(time.time() * 1000))


def test_sends_bodies_one_has_to_cope_with(sandbox: Sandbox, receiver: Receiver) -> None:
    call_id = analysed(
        sandbox,
        receiver,
        webhook_unknown_event={"events": ["call_started"]},
        webhook_unknown_reason={"events": ["call_ended"]},
        webhook_huge={"events": ["call_ended"], "kilobytes": 500},
        cost_missing={"events": ["call_ended"]},
        webhook_sparse={"events": ["call_analyzed"]},
    )
    assert receiver.bodies(call_id, "call_teleported")
    ended = receiver.bodies(call_id, "call_ended")[0]["call"]
    assert ended["disconnection_reason"] == "reason_from_the_future"
    assert len(ended["transcript"]) > 490_000 and "call_cost" not in ended
    sparse = receiver.bodies(call_id, "call_analyzed")[0]["call"]
    assert sparse["call_id"] == call_id and "call_analysis" not in sparse


def test_revises_and_raises_costs(sandbox: Sandbox, receiver: Receiver) -> None:
    plain = analysed(sandbox, receiver)
    call_id = analysed(sandbox, receiver, cost_factor={"factor": 2}, cost_revised={})
    first, second = sorted(
        body["call"]["call_cost"]["combined_cost"]
        for body in receiver.bodies(call_id, "call_analyzed")
    )
    usual = receiver.bodies(plain, "call_analyzed")[0]["call"]
    call = receiver.bodies(call_id, "call_analyzed")[0]["call"]
    ratio = (first / call["duration_ms"]) / (
        usual["call_cost"]["combined_cost"] / usual["duration_ms"]
    )
    assert 1.5 < ratio < 2.5
    assert second == pytest.approx(first * 1.1)


def test_an_analysis_may_be_run_again(sandbox: Sandbox, receiver: Receiver) -> None:
    call_id = analysed(sandbox, receiver)
    sandbox.sdk.call.rerun_analysis(call_id)
    wait_for(lambda: receiver.events(call_id).count("call_analyzed") == 2)


@pytest.mark.parametrize("fault", ["number_unbound", "agent_unpublished"])
def test_resources_may_be_missing(sandbox: Sandbox, fault: str) -> None:
    sandbox.faults(**{fault: {"count": 1}})
    agents: Any = [{"agent_id": sandbox.agent_id, "weight": 1}]
    sandbox.sdk.phone_number.update(FROM, outbound_agents=agents)
    answer = sandbox.http.post(
        "/v2/create-phone-call",
        headers={"authorization": "Bearer sandbox"},
        json={"from_number": FROM, "to_number": QUIET},
    )
    assert answer.status_code in {400, 422}
