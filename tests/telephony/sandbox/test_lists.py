"""list-calls: its typed filters and its cursor; and that a seed repeats itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from retell import BadRequestError

from telephony.sandbox.filters import matches
from telephony.sandbox.outcomes import plan_call
from telephony.sandbox.refusals import Refused
from tests.telephony.sandbox.harness import FROM, wait_for

if TYPE_CHECKING:
    from tests.telephony.sandbox.harness import Sandbox


@pytest.fixture
def played(sandbox: Sandbox) -> dict[str, str]:
    """Four calls that are over: {last digits: call id}."""
    ids = {
        digits: str(
            sandbox.dial(
                f"+1415555{digits}",
                metadata={"attempt_id": digits, "number": int(digits), "nothing": None},
                retell_llm_dynamic_variables={"first_name": "Mia"},
            ).call_id
        )
        for digits in ("0001", "0003", "0004", "0009")
    }
    wait_for(lambda: all(sandbox.sdk.call.retrieve(it).call_analysis for it in ids.values()))
    return ids


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, {"0001", "0003", "0004", "0009"}),
        ({"call_status": ("enum", "in", ["ended"])}, {"0001", "0003"}),
        ({"disconnection_reason": ("enum", "in", ["error_retell"])}, {"0009"}),
        ({"to_number": ("string", "ew", "0004")}, {"0004"}),
        ({"from_number": ("string", "eq", FROM)}, {"0001", "0003", "0004", "0009"}),
        ({"duration_ms": ("number", "gt", 0)}, {"0001", "0003", "0009"}),
        ({"start_timestamp": ("range", "bt", [0, 10**15])}, {"0001", "0003", "0009"}),
        ({"end_timestamp": ("number", "gt", 10**15)}, set()),
        ({"call_successful": ("boolean", "eq", True)}, {"0001"}),
        ({"in_voicemail": ("boolean", "eq", True)}, {"0003"}),
        ({"user_sentiment": ("enum", "in", ["Unknown"])}, None),
        ({"combined_cost": ("number", "eq", 0)}, {"0004"}),
        ({"e2e_latency_p50": ("number", "gt", 1)}, {"0001", "0003", "0009"}),
        ({"direction": ("enum", "in", ["inbound"])}, set()),
        ({"call_type": ("enum", "in", ["phone_call"])}, {"0001", "0003", "0004", "0009"}),
        ({"metadata": [("string", "eq", "0003", "attempt_id")]}, {"0003"}),
        ({"metadata": [("number", "le", 3, "number")]}, {"0001", "0003"}),
        ({"metadata": [("present", "np", None, "nothing")]}, {"0001", "0003", "0004", "0009"}),
        ({"metadata": [("string", "ne", "0003", "attempt_id")]}, {"0001", "0004", "0009"}),
        ({"dynamic_variables": [("string", "co", "i", "first_name")]}, None),
        ({"custom_attributes": [("present", "pr", None, "x")]}, set()),
    ],
)
def test_filters_calls(
    sandbox: Sandbox,
    played: dict[str, str],
    criteria: dict[str, Any],
    expected: set[str] | None,
) -> None:
    typed: Any = {
        name: [_criterion(*it) for it in value] if isinstance(value, list) else _criterion(*value)
        for name, value in criteria.items()
    }
    page = sandbox.sdk.call.list(filter_criteria=typed, include_total=True)
    found = {item.to_number[-4:] for item in page.items}  # type: ignore[union-attr]
    assert found == expected or (expected is None and found)
    assert page.total == len(found)
    assert all("transcript" not in name for item in page.items for name in item.to_dict())


def _criterion(kind: str, op: str, value: Any, key: str | None = None) -> dict[str, Any]:
    criterion = {"type": kind, "op": op, "value": value}
    if kind == "present":
        del criterion["value"]
    return criterion if key is None else {**criterion, "key": key}


def test_filters_by_agents_tools_and_ids(sandbox: Sandbox, played: dict[str, str]) -> None:
    def found(**criteria: Any) -> set[str]:
        typed: Any = criteria
        items: Any = sandbox.sdk.call.list(filter_criteria=typed).items
        return {item.to_number[-4:] for item in items}

    assert len(found(agent=[{"agent_id": sandbox.agent_id, "version": [0]}])) == 4
    assert found(agent=[{"agent_id": sandbox.agent_id, "version": [5]}]) == set()
    assert found(tool_calls=[{"name": "end_call"}]) == {"0001"}
    ids = [played["0001"], played["0009"]]
    assert found(call_id={"type": "enum", "op": "in", "value": ids}) == {"0001", "0009"}


def test_pages_by_cursor_or_by_skip_but_not_both(sandbox: Sandbox, played: dict[str, str]) -> None:
    seen: list[str] = []
    page = sandbox.sdk.call.list(limit=3)
    while True:
        seen += [item.call_id for item in page.items]
        if not page.has_more:
            break
        page = sandbox.sdk.call.list(limit=3, pagination_key=str(page.pagination_key))
    assert sorted(seen) == sorted(played.values())
    skipped = sandbox.sdk.call.list(skip=3, sort_order="descending")
    assert [item.call_id for item in skipped.items] == seen[3:]
    upwards = sandbox.sdk.call.list(sort_order="ascending")
    assert [item.call_id for item in upwards.items] == seen[::-1]
    with pytest.raises(BadRequestError):
        sandbox.sdk.call.list(skip=1, pagination_key="x")
    with pytest.raises(BadRequestError):
        sandbox.sdk.call.list(limit=1001)
    unknown: Any = {"shoe_size": {"type": "number", "op": "eq", "value": 44}}
    with pytest.raises(BadRequestError, match="shoe_size"):
        sandbox.sdk.call.list(filter_criteria=unknown)


def test_changes_metadata_of_ended_calls_and_deletes(
    sandbox: Sandbox, played: dict[str, str]
) -> None:
    changed = sandbox.sdk.call.update(played["0004"], metadata={"a": "b"})
    assert changed.metadata == {"a": "b"}
    sandbox.sdk.call.delete(played["0004"])
    assert played["0004"] not in {item.call_id for item in sandbox.sdk.call.list().items}


@pytest.mark.parametrize(
    "criterion",
    [{"type": "string", "op": "gt", "value": ""}, {"type": "date", "op": "eq", "value": ""}, {}],
)
def test_refuses_operators_of_another_type(criterion: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        matches(criterion, "x")


def test_numbers_are_not_compared_with_text() -> None:
    assert not matches({"type": "number", "op": "gt", "value": 1}, "text")
    assert not matches({"type": "range", "op": "bt", "value": [0, 2]}, True)


def test_a_seed_repeats_its_outcomes_and_another_does_not() -> None:
    def reasons(seed: str) -> list[str]:
        return [
            plan_call(to_number=f"+1415555{n:04d}", seed=seed, profile="warm", agent={}).reason
            for n in range(100, 200)
        ]

    assert reasons("1:0") == reasons("1:0") != reasons("2:0")


@pytest.mark.parametrize(("profile", "humans"), [("cold", 0.10), ("warm", 0.30)])
def test_draws_outcomes_as_its_profile_says(profile: Any, humans: float) -> None:
    agent = {
        "voicemail_option": {"action": {"type": "hangup"}},
        "enable_dnc_detection": True,
        "max_call_duration_ms": 600_000,
    }
    plans = [
        plan_call(to_number=f"+1415{n:07d}", seed="1:0", profile=profile, agent=agent)
        for n in range(1_000_000, 1_005_000)
    ]
    answered = [
        it
        for it in plans
        if it.connects and not it.in_voicemail and not it.reason.startswith("error")
    ]
    assert len(answered) / len(plans) == pytest.approx(humans, abs=0.025)
    reasons = Counter(it.reason for it in plans)
    assert reasons["dial_no_answer"] / len(plans) == pytest.approx(
        {"cold": 0.30, "warm": 0.22}[profile], abs=0.025
    )
    talks = sorted(it.talk_ms for it in answered)
    assert 25_000 < talks[len(talks) // 2] < 60_000
    assert 0.15 < sum(it.successful for it in answered) / len(answered) < 0.40


def test_an_agent_without_detection_talks_to_machines() -> None:
    plans = [
        plan_call(to_number=f"+1415{n:07d}", seed="1:0", profile="cold", agent={})
        for n in range(1_000_100, 1_000_500)  # no magic digits
    ]
    assert not any(it.reason in {"voicemail_reached", "user_requested_dnc"} for it in plans)
    machines = [it for it in plans if it.in_voicemail]
    assert len(machines) > 100 and all(it.reason == "agent_hangup" for it in machines)
