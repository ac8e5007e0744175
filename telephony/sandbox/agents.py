"""Voice agents with the prompts that follow their versions."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from telephony.sandbox.agent_settings import answerable, check_settings
from telephony.sandbox.prompt_settings import check_prompt
from telephony.sandbox.refusals import bad_request, not_found
from telephony.sandbox.versions import Document, VersionedDocuments

if TYPE_CHECKING:
    from telephony.sandbox.clock import SandboxClock


def new_id(prefix: str, length: int) -> str:
    """Return an id as they look in the wild: a prefix and so many hex digits."""
    return prefix + secrets.token_hex(length)[:length]


class Agents:
    def __init__(self, clock: SandboxClock) -> None:
        self.agents = VersionedDocuments(id_field="agent_id", clock=clock)
        self.llms = VersionedDocuments(id_field="llm_id", clock=clock)

    def create_llm(self, body: Document) -> Document:
        check_prompt(body)
        return self.llms.create(new_id("llm_", 26), {"start_speaker": "agent", **body})

    def update_llm(self, llm_id: str, version: int | str | None, body: Document) -> Document:
        check_prompt(body)
        return self.llms.update(llm_id, version, body)

    def delete_llm(self, llm_id: str, *, force: bool) -> None:
        used = any(
            agent["response_engine"].get("llm_id") == llm_id
            for versions in self.agents.documents.values()
            for agent in versions.values()
        )
        if used and not force:
            raise bad_request("Cannot delete a Retell LLM that an agent still uses.")
        self.llms.delete(llm_id)

    def create_agent(self, body: Document) -> Document:
        if "response_engine" not in body or "voice_id" not in body:
            raise bad_request("response_engine and voice_id are required.")
        check_settings(body)
        return self.agents.create(new_id("agent_", 26), self._with_engine(answerable(body)))

    def update_agent(self, agent_id: str, version: int | str | None, body: Document) -> Document:
        check_settings(body)
        if "response_engine" in body:
            body = self._with_engine(body)
        return self.agents.update(agent_id, version, answerable(body))

    def create_version(self, agent_id: str, base: int) -> Document:
        """Start the next draft; the prompt gets a draft of its own for it."""
        engine = dict(self.agents.get(agent_id, base)["response_engine"])
        if engine["type"] == "retell-llm":
            llm = self.llms.add_version(engine["llm_id"], engine["version"], {})
            engine["version"] = llm["version"]
        return self.agents.add_version(agent_id, base, {"response_engine": engine})

    def publish(self, agent_id: str, version: int, titles: Document) -> None:
        engine = self.agents.get(agent_id, version)["response_engine"]
        if engine["type"] == "retell-llm":
            self.llms.publish(engine["llm_id"], engine["version"], {})
        self.agents.publish(agent_id, version, titles)

    def llm_of(self, agent: Document) -> Document:
        """Return the prompt an agent speaks by, empty for other engines."""
        engine = agent["response_engine"]
        if engine["type"] != "retell-llm":
            return {}
        return self.llms.get(engine["llm_id"], engine["version"])

    def _with_engine(self, body: Document) -> Document:
        engine = dict(body["response_engine"])
        if engine.get("type") == "retell-llm":
            llm = self.llms.get(engine.get("llm_id", ""), engine.get("version"))
            engine["version"] = llm["version"]
        return {**body, "response_engine": engine}


def outbound_agent(number: Document) -> Document:
    """
    Return the first outbound agent of a number, {agent_id, agent_version}.

    :raises Refused: if there is none
    """
    agents = number.get("outbound_agents") or []
    if not agents:
        raise not_found()
    first: Document = agents[0]
    return first
