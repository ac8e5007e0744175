"""Asking an agent or a knowledge base something without a phone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns.agent_settings import MARK
from campaigns.models import KnowledgeBase
from campaigns.services.knowledge import KnowledgeNotReady
from telephony.provider import AgentSettings, Llm, LlmSettings, PlaygroundMessage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telephony.retell import RetellGateway

QUESTION_CHARS = 500
MOST_LINES = 40
_TESTER = (
    "Answer questions from what was looked up, in two sentences. "
    "If nothing fits, say that you don't know."
)


@dataclass(frozen=True)
class Line:
    """One line of a talk: role is agent or user."""

    role: str
    text: str


@dataclass(frozen=True)
class Reply:
    """What the agent says, and which passages it looked up for that."""

    text: str
    passages: tuple[str, ...]
    has_ended: bool


def ask_agent(
    *,
    agent_id: str,
    version: int,
    lines: Sequence[Line],
    variables: Mapping[str, str],
    gateway: RetellGateway,
) -> Reply:
    """
    Return what an agent says next; Retell bills it like a text message.

    :raises ProviderError: if Retell refused or can't be reached
    """
    answer = gateway.playground(
        agent_id=agent_id,
        version=version,
        messages=[
            PlaygroundMessage(role="user" if line.role == "user" else "agent", content=line.text)
            for line in lines
        ],
        dynamic_variables=variables,
    )
    said = " ".join(item.content for item in answer.messages if item.role == "agent")
    return Reply(text=said, passages=answer.retrieved, has_ended=answer.call_ended)


def ask_knowledge(*, base: KnowledgeBase, question: str, gateway: RetellGateway) -> Reply:
    """
    Answer one question from this version alone, by an agent that is made at the first question.

    :raises KnowledgeNotReady: if Retell hasn't indexed it
    :raises ProviderError: if Retell refused or can't be reached
    """
    if base.status != KnowledgeBase.Status.COMPLETE:
        raise KnowledgeNotReady
    agent_id = base.tester_agent_id or _make_tester(base, gateway)
    lines = [Line("user", question)]
    return ask_agent(agent_id=agent_id, version=0, lines=lines, variables={}, gateway=gateway)


def _make_tester(base: KnowledgeBase, gateway: RetellGateway) -> str:
    """Make the tester, keeping each id as soon as there is one."""
    settings = LlmSettings(
        general_prompt=_TESTER,
        begin_message="",
        knowledge_base_ids=(base.provider_id,),
        default_dynamic_variables={MARK: base.mark},
    )
    if not base.tester_llm_id:
        made = gateway.create_llm(settings=settings)
        _keep(base, "tester_llm_id", made.llm_id)
    voice = gateway.list_voices()[0]
    agent = gateway.create_agent(
        llm=Llm(llm_id=base.tester_llm_id, version=0, is_published=False),
        settings=AgentSettings(agent_name=f"Knowledge test {base.mark}", voice_id=voice.voice_id),
    )
    _keep(base, "tester_agent_id", agent.agent_id)
    return base.tester_agent_id


def _keep(base: KnowledgeBase, column: str, value: str) -> None:
    """Keep an id of Retell's; if somebody else was quicker, use theirs."""
    KnowledgeBase.objects.filter(pk=base.pk, **{column: ""}).update(**{column: value})
    base.refresh_from_db(fields=[column])
