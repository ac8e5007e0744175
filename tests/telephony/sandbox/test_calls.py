"""The sandbox's calls: each outcome, what it costs, what it says, and how it is reported."""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING, Any

import pytest
from retell import BadRequestError, RateLimitError, UnprocessableEntityError

from tests.telephony.sandbox.harness import FROM, wait_for

if TYPE_CHECKING:
    from tests.telephony.sandbox.harness import Receiver, Sandbox

OUTCOMES = {
    "0001": ("ended", "agent_hangup"),
    "0002": ("ended", "user_hangup"),
    "0003": ("ended", "voicemail_reached"),
    "0004": ("not_connected", "dial_no_answer"),
    "0005": ("not_connected", "dial_busy"),
    "0006": ("not_connected", "dial_failed"),
    "0007": ("not_connected", "invalid_destination"),
    "0008": ("ended", "user_requested_dnc"),
    "0009": ("error", "error_retell"),
    "0010": ("ended", "inactivity"),
    "0011": ("ended", "max_duration_reached"),
    "0012": ("error", "concurrency_limit_reached"),
    "0013": ("error", "no_valid_payment"),
    "0014": ("ended", "user_requested_callback"),
    "0015": ("ended", "call_transfer"),
    "0016": ("not_connected", "user_declined"),
    "0017": ("not_connected", "marked_as_spam"),
    "0018": ("ended", "ivr_reached"),
    "0019": ("ended", "user_hangup"),
}


def lasting(minutes: int) -> dict[str, Any]:
    """Let a call go on so long that nothing else is too slow for it: ten minutes are a second."""
    return {"agent": {"max_call_duration_ms": minutes * 60_000}}


@pytest.mark.parametrize(("digits", "outcome"), OUTCOMES.items())
def test_magic_digits_decide_the_outcome(
    sandbox: Sandbox, receiver: Receiver, digits: str, outcome: tuple[str, str]
) -> None:
    placed = sandbox.dial(f"+1415555{digits}", retell_llm_dynamic_variables={"first_name": "Mia"})
    assert placed.call_status == "registered"
    call = sandbox.finished(placed.call_id)
    assert (call.call_status, call.disconnection_reason) == outcome
    connected = call.start_timestamp is not None
    expected = {"call_ended", "call_analyzed"} | ({"call_started"} if connected else set())
    # At this speed milliseconds lie between them: they may overtake each other.
    wait_for(lambda: set(receiver.events(call.call_id)) >= expected)
    assert sorted(receiver.events(call.call_id)) == sorted(expected)
    if connected:
        assert call.end_timestamp - call.start_timestamp == call.duration_ms > 0
        assert call.call_cost.combined_cost > 0
    else:
        body = receiver.bodies(call.call_id, "call_ended")[0]["call"]
        assert body["call_cost"] == {"product_costs": [], "combined_cost": 0}
        assert "start_timestamp" not in body and "recording_url" not in body


def test_reports_a_reason_that_the_sdk_does_not_know(sandbox: Sandbox, receiver: Receiver) -> None:
    placed = sandbox.dial("+14155550020")
    ended = wait_for(lambda: receiver.bodies(placed.call_id, "call_ended"))
    assert ended[0]["call"]["disconnection_reason"] == "carrier_rerouted"


def test_finds_out_a_voicemail_only_in_the_analysis(sandbox: Sandbox, receiver: Receiver) -> None:
    call = sandbox.finished(sandbox.dial("+14155550019").call_id)
    assert (call.disconnection_reason, call.call_analysis.in_voicemail) == ("user_hangup", True)
    ended = wait_for(lambda: receiver.bodies(call.call_id, "call_ended"))
    assert "call_analysis" not in ended[0]["call"]


def test_keeps_silent_about_0024(sandbox: Sandbox, receiver: Receiver) -> None:
    call = sandbox.finished(sandbox.dial("+14155550024").call_id)
    witness = sandbox.dial("+14155550005").call_id
    wait_for(lambda: "call_analyzed" in receiver.events(witness))
    assert receiver.events(call.call_id) == []


def test_a_conversation_speaks_the_script(sandbox: Sandbox) -> None:
    variables = {"first_name": "Maria"}
    placed = sandbox.dial("+14155550014", retell_llm_dynamic_variables=variables)
    call = sandbox.finished(placed.call_id)
    assert "Hi Maria, this is Alex, an AI assistant from Acme." in call.transcript
    assert "May I ask whether they" not in call.transcript
    assert "call me back" in call.transcript
    words = [word for item in call.transcript_object for word in item.words]
    starts = [word.start for word in words]
    assert starts == sorted(starts)
    assert all(word.start < word.end <= call.duration_ms / 1000 for word in words)


def test_costs_are_per_second_and_rise_with_the_analysis(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    call = sandbox.finished(sandbox.dial("+14155550001").call_id)
    analysed = wait_for(lambda: receiver.bodies(call.call_id, "call_analyzed"))[0]["call"]
    ended = wait_for(lambda: receiver.bodies(call.call_id, "call_ended"))[0]["call"]
    lines = analysed["call_cost"]["product_costs"]
    assert analysed["call_cost"]["combined_cost"] == pytest.approx(sum(it["cost"] for it in lines))
    timed = [it for it in lines if "unit_price" in it]
    seconds = call.duration_ms / 1000
    assert all(it["cost"] == pytest.approx(it["unit_price"] * seconds, rel=1e-4) for it in timed)
    rise = analysed["call_cost"]["combined_cost"] - ended["call_cost"]["combined_cost"]
    assert rise == pytest.approx(1.7)


def test_analyses_each_field_with_a_value_of_its_type(sandbox: Sandbox) -> None:
    draft: Any = sandbox.sdk.agent.create_version(sandbox.agent_id, base_version=0)
    fields: Any = [
        {"type": "string", "name": "next step", "description": "d"},
        {"type": "enum", "name": "größe", "description": "d", "choices": ["S", "M"]},
        {"type": "boolean", "name": "interested", "description": "d"},
        {"type": "number", "name": "score", "description": "d"},
        {"type": "system-presets", "name": "call_summary"},
    ]
    sandbox.sdk.agent.update(
        sandbox.agent_id, version=draft.version, post_call_analysis_data=fields
    )
    call = sandbox.finished(
        sandbox.dial("+14155550001", override_agent_version=draft.version).call_id
    )
    data: Any = call.call_analysis.custom_analysis_data
    assert set(data) == {"next step", "größe", "interested", "score"}
    assert isinstance(data["next step"], str) and data["größe"] in {"S", "M"}
    assert data["interested"] is True and isinstance(data["score"], int)


def test_leaves_out_what_depends_on_a_condition_unless_the_call_went_well(sandbox: Sandbox) -> None:
    agent: Any = {
        "post_call_analysis_data": [
            {**field, "type": "string", "description": "d"}
            for field in (
                {"name": "plan", "conditional_prompt": "They are insured."},
                {"name": "why", "conditional_prompt": "They are insured.", "required": True},
                {"name": "who"},
            )
        ]
    }

    def answered(number: str) -> set[str]:
        dialled = sandbox.dial(number, agent_override={"agent": agent})
        analysis: Any = sandbox.finished(dialled.call_id).call_analysis
        return set(analysis.custom_analysis_data)

    assert answered("+14155550001") == {"plan", "why", "who"}
    assert answered("+14155550003") == {"why", "who"}  # a machine


def test_a_recording_lasts_as_long_as_its_call(sandbox: Sandbox) -> None:
    call = sandbox.finished(sandbox.dial("+14155550001").call_id)
    for url, channels in ((call.recording_url, 1), (call.recording_multi_channel_url, 2)):
        with wave.open(io.BytesIO(sandbox.http.get(url).content)) as recording:
            assert recording.getnchannels() == channels
            seconds = recording.getnframes() / recording.getframerate()
        assert seconds == pytest.approx(call.duration_ms / 1000, abs=0.1)


def test_the_same_key_rings_once(sandbox: Sandbox) -> None:
    first = sandbox.dial("+14155550004", idempotency_key="k", metadata={"attempt_id": "a"})
    again = sandbox.dial("+14155550004", idempotency_key="k", metadata={"attempt_id": "a"})
    other = sandbox.dial("+14155550004", idempotency_key="l", metadata={"attempt_id": "a"})
    assert first.call_id == again.call_id != other.call_id
    state = sandbox.state()
    assert (state["calls_placed"], state["idempotent_repeats"], state["double_dials"]) == (2, 1, 1)


@pytest.mark.slow
def test_a_key_is_forgotten_after_an_hour(sandbox: Sandbox) -> None:
    first = sandbox.dial("+14155550005", idempotency_key="k")
    begun = sandbox.state()["now_ms"]
    wait_for(lambda: sandbox.state()["now_ms"] > begun + 3_700_000)  # six real seconds
    assert sandbox.dial("+14155550005", idempotency_key="k").call_id != first.call_id


def test_refuses_beyond_its_concurrency(sandbox: Sandbox) -> None:
    sandbox.faults(capacity={"concurrency": 2})
    for number in ("+14155550011", "+12125550011"):
        sandbox.dial(number, agent_override=lasting(120))
    with pytest.raises(RateLimitError):
        sandbox.dial("+13125550011")
    assert sandbox.sdk.concurrency.retrieve().current_concurrency == 2
    assert sandbox.state()["refused"] == {"concurrency": 1}
    sandbox.faults(overflow_as_call={})
    placed = sandbox.dial("+13125550011")
    assert sandbox.finished(placed.call_id).disconnection_reason == "concurrency_limit_reached"


def test_refuses_more_calls_a_second_than_allowed(sandbox: Sandbox) -> None:
    sandbox.faults(capacity={"calls_per_second": 0.001})
    sandbox.dial("+14155550005")
    with pytest.raises(RateLimitError) as caught:
        [sandbox.dial("+14155550005") for _ in range(3)]
    assert caught.value.response.headers["retry-after"] == "1"


def test_rings_nobody_who_asked_not_to_be_called(sandbox: Sandbox) -> None:
    sandbox.finished(sandbox.dial("+14155550008").call_id)
    with pytest.raises(BadRequestError, match="do_not_call"):
        sandbox.dial("+14155550008", honor_internal_dnc=True)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"to_number": "4155550101"}, BadRequestError),
        ({"from_number": "+14155559999"}, UnprocessableEntityError),
        ({"to_number": "+442079460000"}, BadRequestError),
        ({"override_agent_id": "agent_unknown"}, UnprocessableEntityError),
        ({"override_agent_version": 7}, UnprocessableEntityError),
        ({"agent_override": {"agent": {"max_call_duration_ms": 1}}}, BadRequestError),
        ({"retell_llm_dynamic_variables": {"age": 7}}, BadRequestError),
        ({"metadata": {"a": "x" * 60_000}}, BadRequestError),
    ],
)
def test_refuses_what_retell_refuses(
    sandbox: Sandbox, body: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        sandbox.dial(**{"to_number": "+14155550101", **body})
    assert sandbox.state()["calls_placed"] == 0


def test_needs_an_agent_on_the_number_or_in_the_call(sandbox: Sandbox) -> None:
    with pytest.raises(UnprocessableEntityError):
        sandbox.sdk.call.create_phone_call(from_number=FROM, to_number="+14155550001")
    agents: Any = [{"agent_id": sandbox.agent_id, "weight": 1, "agent_version": "latest_published"}]
    sandbox.sdk.phone_number.update(FROM, outbound_agents=agents)
    call = sandbox.sdk.call.create_phone_call(from_number=FROM, to_number="+14155550001")
    assert (call.agent_id, call.agent_version) == (sandbox.agent_id, 0)


def test_stops_a_live_call_once(sandbox: Sandbox, receiver: Receiver) -> None:
    placed = sandbox.dial("+14155550011", agent_override=lasting(120))
    wait_for(lambda: sandbox.sdk.call.retrieve(placed.call_id).call_status == "ongoing")
    sandbox.sdk.call.stop(placed.call_id)
    call = sandbox.finished(placed.call_id)
    assert (call.call_status, call.disconnection_reason) == ("ended", "manual_stopped")
    assert call.duration_ms < 7_200_000
    with pytest.raises(BadRequestError):
        sandbox.sdk.call.stop(placed.call_id)
    wait_for(lambda: {"call_ended", "call_analyzed"} <= set(receiver.events(placed.call_id)))
    assert receiver.events(placed.call_id).count("call_ended") == 1


def test_a_live_call_shows_what_has_been_said_so_far(sandbox: Sandbox) -> None:
    placed = sandbox.dial("+14155550011", agent_override=lasting(20))
    seen: Any = wait_for(
        lambda: (it := sandbox.sdk.call.retrieve(placed.call_id)).transcript_object and it
    )
    assert (seen.call_status, seen.end_timestamp) == ("ongoing", None)
    whole = sandbox.finished(placed.call_id)
    assert len(seen.transcript) < len(whole.transcript)
    assert whole.transcript.startswith(seen.transcript)


def test_a_transfer_and_each_turn_are_reported_to_who_asks(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    events: Any = ["call_ended", "transcript_updated", "transfer_started", "transfer_bridged"]
    draft: Any = sandbox.sdk.agent.create_version(sandbox.agent_id, base_version=0)
    sandbox.sdk.agent.update(sandbox.agent_id, version=draft.version, webhook_events=events)
    call = sandbox.finished(
        sandbox.dial("+14155550015", override_agent_version=draft.version).call_id
    )
    wait_for(lambda: set(receiver.events(call.call_id)) >= set(events))
    got = receiver.events(call.call_id)
    assert set(got) == set(events)
    assert got.count("transcript_updated") >= 3


def test_a_batch_dials_all_its_tasks(sandbox: Sandbox) -> None:
    tasks: Any = [
        {"to_number": f"+14155550{n:03d}", "metadata": {"attempt_id": f"a{n}"}}
        | {"override_agent_id": sandbox.agent_id}
        for n in range(4, 8)
    ]
    batch = sandbox.sdk.batch_call.create_batch_call(from_number=FROM, tasks=tasks)
    assert (batch.total_task_count, bool(batch.name)) == (4, True)
    criteria: Any = {"batch_call_id": {"type": "string", "op": "eq", "value": batch.batch_call_id}}

    def ended() -> bool:
        items = sandbox.sdk.call.list(filter_criteria=criteria).items
        return len(items) == 4 and all(it.disconnection_reason for it in items)

    wait_for(ended)


def test_a_batch_dials_inside_its_window(sandbox: Sandbox) -> None:
    tasks: Any = [{"to_number": "+14155550005", "override_agent_id": sandbox.agent_id}]
    always: Any = {"windows": [{"start": 0, "end": 1440}], "timezone": "UTC"}
    bad: Any = {"windows": [{"start": 60, "end": 60}]}
    with pytest.raises(BadRequestError):
        sandbox.sdk.batch_call.create_batch_call(
            from_number=FROM, tasks=tasks, call_time_window=bad
        )
    sandbox.sdk.batch_call.create_batch_call(from_number=FROM, tasks=tasks, call_time_window=always)
    wait_for(lambda: sandbox.state()["calls_placed"] == 1)
