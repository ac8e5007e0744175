"""What the sandbox takes for an agent's languages and handbooks, and how it answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, get_args

import pytest
from pydantic import TypeAdapter
from retell import BadRequestError
from retell.types.agent_create_params import CustomSttConfig
from retell.types.agent_response import AgentResponse
from retell.types.llm_create_params import GeneralToolTransferCallTool

from campaigns.transfers import transfer_tools
from telephony.sandbox.agent_settings import LANGUAGES

if TYPE_CHECKING:
    from campaigns.transfers import TransferTarget
    from tests.telephony.sandbox.harness import Sandbox


ASKED = {"type": "string", "name": "who", "description": "Who"}


def update(sandbox: Sandbox, **settings: Any) -> Any:
    draft: Any = sandbox.sdk.agent.create_version(sandbox.agent_id, base_version=0)
    return sandbox.sdk.agent.update(sandbox.agent_id, version=int(draft.version), **settings)


@pytest.mark.parametrize(
    "sent",
    [
        {"ai_disclosure": True, "high_empathy": False, "customer_support": True},
        {"ai_disclosure": {}, "customer_support": {"custom_prompt": "Be brief."}},
    ],
)
def test_takes_handbooks_as_switches_and_as_objects(sandbox: Sandbox, sent: dict[str, Any]) -> None:
    answered = update(sandbox, handbook_config=sent)

    read: Any = sandbox.sdk.agent.retrieve(sandbox.agent_id)
    for agent in (answered, read):  # past the SDK's strict mode, whose types know switches
        switches = agent.handbook_config.to_dict()
        assert {name for name, is_on in switches.items() if is_on is True} == {
            "ai_disclosure",
            "customer_support",
        }


def test_switches_off_what_an_update_leaves_out(sandbox: Sandbox) -> None:
    update(sandbox, handbook_config={"ai_disclosure": {}, "high_empathy": {}})

    changed = update(sandbox, handbook_config={"ai_disclosure": {}})

    assert changed.handbook_config.to_dict() == {"ai_disclosure": True}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"handbook_config": {"rudeness": {}}}, "rudeness"),
        ({"handbook_config": {"ai_disclosure": "yes"}}, "ai_disclosure"),
        ({"handbook_config": {"ai_disclosure": {"prompt": "x"}}}, "ai_disclosure"),
        ({"handbook_config": {"ai_disclosure": {"custom_prompt": "x" * 10_001}}}, "ai_disclosure"),
        ({"handbook_config": ["ai_disclosure"]}, "must be an object"),
        ({"language": "multi"}, "'multi' is not supported"),
        ({"language": ["en-US", "tlh"]}, "'tlh' is not supported"),
        ({"language": []}, "one language at least"),
        ({"post_call_analysis_data": [{**ASKED, "type": "date"}]}, "type"),
        ({"post_call_analysis_data": [{"type": "string", "name": "who"}]}, "description"),
        ({"post_call_analysis_data": [{**ASKED, "type": "enum", "choices": []}]}, "choices"),
        ({"post_call_analysis_data": [{**ASKED, "examples": "Kaiser"}]}, "examples"),
        ({"post_call_analysis_data": [{**ASKED, "required": "yes"}]}, "required"),
        (
            {"post_call_analysis_data": [{**ASKED, "conditional_prompt": True}]},
            "conditional_prompt",
        ),
        ({"post_call_analysis_data": {}}, "must be a list"),
        ({"stt_mode": "psychic"}, "stt_mode"),
        ({"stt_mode": "custom"}, "provider"),
        (
            {
                "stt_mode": "custom",
                "custom_stt_config": {"provider": "soniox", "endpointing_ms": 499},
            },
            "endpointing_ms",
        ),
    ],
)
def test_names_what_no_agent_can_have(
    sandbox: Sandbox, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadRequestError, match=words):
        update(sandbox, **settings)


@pytest.mark.parametrize("language", ["de-DE", ["en-US", "es-419"]])
def test_answers_one_language_or_several_as_they_were_sent(
    sandbox: Sandbox, language: str | list[str]
) -> None:
    assert update(sandbox, language=language).language == language


def test_takes_the_details_of_what_is_read_out_of_calls(sandbox: Sandbox) -> None:
    asked = [
        {**ASKED, "examples": ["Kaiser"], "conditional_prompt": "They are insured."},
        {**ASKED, "name": "plan", "type": "enum", "choices": ["A"], "required": True},
        {"type": "system-presets", "name": "call_summary"},
    ]

    answered: Any = update(sandbox, post_call_analysis_data=asked).post_call_analysis_data

    assert [one.to_dict() for one in answered] == asked


def test_knows_the_languages_of_the_sdk() -> None:
    one, *_several = get_args(AgentResponse.model_fields["language"].annotation)
    assert set(get_args(one)) == LANGUAGES


WARM: dict[str, Any] = {
    "type": "transfer_call",
    "name": "transfer_call",
    "transfer_destination": {"type": "predefined", "number": "+12125550142"},
    "transfer_option": {"type": "warm_transfer"},
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "two words"}, "name"),
        ({"type": "teleport"}, "type"),
        ({"transfer_destination": {"type": "predefined", "number": "555"}}, "number"),
        ({"transfer_destination": {"type": "inferred"}}, "transfer_destination"),
        ({"transfer_option": {"type": "hot_transfer"}}, "transfer_option"),
        (
            {"transfer_option": {"type": "warm_transfer", "private_handoff_option": {}}},
            "private_handoff_option",
        ),
    ],
)
def test_names_what_no_tool_can_be(sandbox: Sandbox, changed: dict[str, Any], words: str) -> None:
    tool: Any = {**WARM, **changed}

    for tools in ([tool], [WARM, {**WARM, "transfer_option": None}]):  # and no two of one name
        with pytest.raises(BadRequestError, match=words if tools == [tool] else "name"):
            sandbox.sdk.llm.create(general_tools=cast("Any", tools))


def test_takes_the_tools_that_campaigns_hand_calls_over_by(sandbox: Sandbox) -> None:
    target: TransferTarget = {
        "name": "Dana",
        "number": "+12125550142",
        "reason": "they ask for a person",
        "days": [0],
        "opens": "09:00",
        "closes": "17:00",
        "time_zone": "America/New_York",
    }
    tools: Any = transfer_tools([target, target])

    llm: Any = sandbox.sdk.llm.create(general_tools=tools)  # its strict mode reads the answer

    TypeAdapter(list[GeneralToolTransferCallTool]).validate_python(list(tools), strict=True)
    assert [tool.name for tool in llm.general_tools] == ["transfer_call", "transfer_call_2"]
    assert llm.general_tools[0].transfer_option.type == "warm_transfer"


def test_takes_a_provider_of_speech_to_text(sandbox: Sandbox) -> None:
    chosen: CustomSttConfig = {"provider": "soniox", "endpointing_ms": 500}
    TypeAdapter(CustomSttConfig).validate_python(chosen, strict=True)

    answered = update(sandbox, stt_mode="custom", custom_stt_config=chosen)

    assert answered.custom_stt_config.to_dict() == chosen
    assert update(sandbox, stt_mode="fast", custom_stt_config=None).stt_mode == "fast"
