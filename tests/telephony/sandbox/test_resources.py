"""The sandbox's agents, prompts, knowledge bases, numbers and voices, through the real SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from retell import AuthenticationError, BadRequestError, Retell, UnprocessableEntityError

from tests.telephony.sandbox.harness import FROM, wait_for

if TYPE_CHECKING:
    from tests.telephony.sandbox.harness import Sandbox


def new_draft(sandbox: Sandbox) -> int:
    draft: Any = sandbox.sdk.agent.create_version(sandbox.agent_id, base_version=0)
    return int(draft.version)


def test_an_agent_goes_from_draft_to_published_and_on(sandbox: Sandbox) -> None:
    agents = sandbox.sdk.agent
    with pytest.raises(BadRequestError):
        agents.update(sandbox.agent_id, version=0, agent_name="Late")
    draft = agents.create_version(sandbox.agent_id, base_version=0)
    assert (draft.version, draft.is_published, draft.base_version) == (1, False, 0)
    assert draft.response_engine.version == 1  # type: ignore[union-attr]  # its prompt came along
    assert agents.update(sandbox.agent_id, agent_name="Spring").version == 1
    sandbox.sdk.llm.update(sandbox.llm_id, version=1, general_prompt="New")
    assert agents.retrieve(sandbox.agent_id, version="latest_published").version == 0
    assert agents.retrieve(sandbox.agent_id).agent_name == "Spring"
    agents.publish(sandbox.agent_id, version=1, version_title="Spring")
    agents.publish(sandbox.agent_id, version=1)
    with pytest.raises(BadRequestError):
        sandbox.sdk.llm.update(sandbox.llm_id, version=1, general_prompt="Newer")
    assert agents.retrieve(sandbox.agent_id, version="latest_published").version == 1
    assert sandbox.sdk.llm.retrieve(sandbox.llm_id, version=0).general_prompt != "New"
    listed = agents.list_versions(sandbox.agent_id, limit=1)
    assert ([it.version for it in listed.items], listed.has_more) == ([1], True)
    rest = agents.list_versions(sandbox.agent_id, pagination_key=str(listed.pagination_key))
    assert [it.version for it in rest.items] == [0]


def test_lists_and_deletes_agents_and_prompts(sandbox: Sandbox) -> None:
    channel: Any = {"channel": {"op": "eq", "type": "string", "value": "voice"}, "query": "acme"}
    listed = sandbox.sdk.agent.list(limit=10, filter_criteria=channel)
    assert [it.agent_id for it in listed.items] == [sandbox.agent_id]
    channel["channel"]["value"] = "chat"
    assert not sandbox.sdk.agent.list(filter_criteria=channel).items
    assert [it.llm_id for it in sandbox.sdk.llm.list().items] == [sandbox.llm_id]
    with pytest.raises(BadRequestError):
        sandbox.sdk.llm.delete(sandbox.llm_id)
    draft = new_draft(sandbox)
    sandbox.sdk.agent.delete_version(sandbox.agent_id, version=draft)
    with pytest.raises(UnprocessableEntityError):
        sandbox.sdk.agent.retrieve(sandbox.agent_id, version=draft)
    sandbox.sdk.agent.delete(sandbox.agent_id)
    sandbox.sdk.llm.delete(sandbox.llm_id)
    with pytest.raises(UnprocessableEntityError, match="Cannot find requested asset"):
        sandbox.sdk.agent.retrieve(sandbox.agent_id)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("voice_speed", 3), ("max_call_duration_ms", 1_000), ("ring_duration_ms", 1), ("volume", -1)],
)
def test_refuses_settings_out_of_range(sandbox: Sandbox, setting: str, value: Any) -> None:
    draft = new_draft(sandbox)
    with pytest.raises(BadRequestError, match=setting):
        sandbox.sdk.agent.update(sandbox.agent_id, version=draft, **{setting: value})


def test_a_knowledge_base_takes_a_while(empty: Sandbox) -> None:
    bases = empty.sdk.knowledge_base
    texts: Any = [{"title": "Hours", "text": "We open at nine.\n\nOn Sundays we are closed."}]
    base = bases.create(
        knowledge_base_name="FAQ",
        knowledge_base_texts=texts,
        knowledge_base_urls=["https://example.invalid/faq"],
        knowledge_base_files=[("prices.txt", b"A visit costs 40 dollars.")],
        enable_auto_refresh=True,
    )
    assert (base.status, base.knowledge_base_sources) == ("in_progress", None)
    done: Any = wait_for(
        lambda: (it := bases.retrieve(base.knowledge_base_id)).status == "complete" and it
    )
    sources = done.knowledge_base_sources or []
    assert {source.type for source in sources} == {"text", "url", "document"}
    more: Any = [{"title": "More", "text": "More"}]
    added = bases.add_sources(base.knowledge_base_id, knowledge_base_texts=more)
    assert added.status == "refreshing_in_progress"
    assert len(bases.list()[0].knowledge_base_sources or []) == 4
    kept = bases.delete_source(sources[0].source_id, knowledge_base_id=base.knowledge_base_id)
    assert len(kept.knowledge_base_sources or []) == 3
    bases.delete(base.knowledge_base_id)
    with pytest.raises(UnprocessableEntityError):
        bases.retrieve(base.knowledge_base_id)


def test_a_base_fails_stays_stuck_or_is_refused(empty: Sandbox) -> None:
    bases = empty.sdk.knowledge_base
    with pytest.raises(BadRequestError):
        bases.create(knowledge_base_name="x" * 40)
    failing = bases.create(
        knowledge_base_name="F", knowledge_base_urls=["https://example.invalid/fail"]
    )
    wait_for(lambda: bases.retrieve(failing.knowledge_base_id).status == "error")
    empty.faults(knowledge_stuck={})
    assert bases.retrieve(failing.knowledge_base_id).status == "in_progress"


def test_the_playground_answers_from_the_knowledge(sandbox: Sandbox) -> None:
    texts: Any = [{"title": "Hours", "text": "We open at nine.\n\nParking is behind the house."}]
    base = sandbox.sdk.knowledge_base.create(knowledge_base_name="F", knowledge_base_texts=texts)
    llm = sandbox.sdk.llm.create(
        start_speaker="agent",
        begin_message="Hi {{first_name}}!",
        knowledge_base_ids=[base.knowledge_base_id],
    )
    agent = sandbox.sdk.agent.create(
        voice_id="11labs-Anna", response_engine={"type": "retell-llm", "llm_id": llm.llm_id}
    )
    ask = sandbox.sdk.playground.completion
    opening = ask(agent.agent_id, messages=[], dynamic_variables={"first_name": "Bo"})
    assert opening.messages[0].content == "Hi Bo!"  # type: ignore[union-attr]
    asked: Any = [
        {"role": "agent", "content": "Hi Bo!"},
        {"role": "user", "content": "Where is your parking?"},
    ]
    answer = ask(agent.agent_id, messages=asked)
    assert answer.knowledge_base_retrieved_contents == ["Parking is behind the house."]
    assert answer.messages[0].content == "Parking is behind the house."  # type: ignore[union-attr]
    bye: Any = [{"role": "user", "content": "Not interested, goodbye"}]
    assert ask(agent.agent_id, messages=bye).call_ended is True


def test_a_chat_goes_back_and_forth(sandbox: Sandbox) -> None:
    chat = sandbox.sdk.chat.create(agent_id=sandbox.agent_id)
    answer = sandbox.sdk.chat.create_chat_completion(chat_id=chat.chat_id, content="Hello?")
    assert answer.messages[0].role == "agent"
    sandbox.sdk.chat.end(chat.chat_id)
    with pytest.raises(UnprocessableEntityError):
        sandbox.sdk.chat.create_chat_completion(chat_id=chat.chat_id, content="Hello?")


def test_numbers_come_from_the_fictional_range(empty: Sandbox) -> None:
    numbers = empty.sdk.phone_number
    bought = [numbers.create(area_code=212).phone_number for _ in range(2)]
    assert bought == ["+12125550100", "+12125550101"]
    assert numbers.create(country_code="CA").phone_number == "+14165550100"
    assert numbers.create(toll_free=True).phone_number == "+18005550100"
    assert numbers.retrieve(bought[0]).phone_number_pretty == "+1 (212) 555-0100"
    for _ in range(98):
        numbers.create(area_code=212)
    with pytest.raises(BadRequestError, match="212"):
        numbers.create(area_code=212)
    imported = numbers.import_(
        phone_number="+442079460000", termination_uri="acme.pstn.twilio.com", nickname="London"
    )
    assert (imported.phone_number_type, imported.nickname) == ("custom", "London")
    page = numbers.list(limit=60)
    rest = numbers.list(limit=60, pagination_key=str(page.pagination_key))
    assert (len(page.items) + len(rest.items), rest.has_more) == (103, False)
    numbers.delete("+442079460000")
    with pytest.raises(UnprocessableEntityError):
        numbers.retrieve("+442079460000")


def test_weights_of_a_numbers_agents_add_up_to_one(sandbox: Sandbox) -> None:
    halves: Any = [{"agent_id": sandbox.agent_id, "weight": 0.5}]
    with pytest.raises(BadRequestError):
        sandbox.sdk.phone_number.update(FROM, outbound_agents=halves)
    updated = sandbox.sdk.phone_number.update(FROM, outbound_agents=halves * 2, nickname="Desk")
    assert (len(updated.outbound_agents or []), updated.nickname) == (2, "Desk")
    assert sandbox.sdk.phone_number.update(FROM, outbound_agents=None).outbound_agents is None


def test_voices_identity_and_web_calls(sandbox: Sandbox) -> None:
    voices = sandbox.sdk.voice.list()
    assert sandbox.sdk.voice.retrieve(voices[0].voice_id) == voices[0]
    assert sandbox.sdk.identity.retrieve().org_name == "Sandbox"
    web = sandbox.sdk.call.create_web_call(agent_id=sandbox.agent_id)
    assert web.transport == "gateway"


def test_needs_the_right_key_and_refuses_production_ones(empty: Sandbox) -> None:
    for key in ("wrong", "key_1c8f2b7e5a9d4f3e8b6a7c2d1e0f"):
        with (
            Retell(api_key=key, base_url=empty.url) as stranger,
            pytest.raises(AuthenticationError),
        ):
            stranger.voice.list()
    assert httpx.get(f"{empty.url}/list-voices").status_code == 401
    assert "SANDBOX" in httpx.get(f"{empty.url}/").text
    assert httpx.get(f"{empty.url}/healthz").text == "ok"
