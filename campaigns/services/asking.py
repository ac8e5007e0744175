"""Asking an agent or a knowledge base something without a phone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q

from campaigns.agent_settings import MARK
from campaigns.models import KnowledgeBase
from campaigns.services.knowledge import KnowledgeNotReady
from campaigns.services.preparing import find_agent, find_llm
from telephony.provider import AgentSettings, Llm, LlmSettings, PlaygroundMessage, ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from telephony.retell import RetellGateway

QUESTION_CHARS = 500
MOST_LINES = 40
_TESTER = (
    "Answer questions from what was looked up, in two sentences. "
    "If nothing fits, say that you don't know."
)


# Real time: so long one question makes the tester, and others wait for it.
MADE_WITHIN = timedelta(seconds=60)


class AskedAlready(Exception):
    """The first question is making the agent that answers; the next one may be asked in a moment."""


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


def ask_knowledge(
    *, base: KnowledgeBase, question: str, gateway: RetellGateway, real_now: datetime
) -> Reply:
    """
    Answer one question from this version alone, by an agent that is made at the first question.

    :raises KnowledgeNotReady: if Retell hasn't indexed it
    :raises AskedAlready: if another question is making that agent at this moment
    :raises ProviderError: if Retell refused or can't be reached
    """
    if base.status != KnowledgeBase.Status.COMPLETE:
        raise KnowledgeNotReady
    agent_id = base.tester_agent_id or _tester(base, gateway, real_now)
    lines = [Line("user", question)]
    return ask_agent(agent_id=agent_id, version=0, lines=lines, variables={}, gateway=gateway)


def _tester(base: KnowledgeBase, gateway: RetellGateway, real_now: datetime) -> str:
    try:
        return _make_tester(base, gateway, real_now)
    except ProviderError:
        # The next press may try at once; that it began is kept, so that it looks for what there is.
        KnowledgeBase.objects.filter(pk=base.pk, tester_since=real_now).update(
            tester_since=real_now - MADE_WITHIN
        )
        raise


def _make_tester(base: KnowledgeBase, gateway: RetellGateway, real_now: datetime) -> str:
    """Make the tester, keeping each id as soon as there is one; what a lost answer made is found first."""
    base.refresh_from_db()
    may_exist = base.tester_since is not None
    free = Q(tester_since=None) | Q(tester_since__lte=real_now - MADE_WITHIN)
    if not KnowledgeBase.objects.filter(free, pk=base.pk).update(tester_since=real_now):
        raise AskedAlready
    settings = LlmSettings(
        general_prompt=_TESTER,
        begin_message="",
        knowledge_base_ids=(base.provider_id,),
        default_dynamic_variables={MARK: base.mark},
    )
    if not base.tester_llm_id:
        llm_id = find_llm(base.mark, gateway) if may_exist else ""
        _keep(base, "tester_llm_id", llm_id or gateway.create_llm(settings=settings).llm_id)
    agent_id = find_agent(base.mark, gateway) if may_exist else ""
    if not agent_id:
        voice = gateway.list_voices()[0]
        agent_id = gateway.create_agent(
            llm=Llm(llm_id=base.tester_llm_id, version=0, is_published=False),
            settings=AgentSettings(
                agent_name=f"Knowledge test {base.mark}", voice_id=voice.voice_id
            ),
        ).agent_id
    _keep(base, "tester_agent_id", agent_id)
    return base.tester_agent_id


def _keep(base: KnowledgeBase, column: str, value: str) -> None:
    """Keep an id of Retell's; if somebody else was quicker, use theirs."""
    KnowledgeBase.objects.filter(pk=base.pk, **{column: ""}).update(**{column: value})
    base.refresh_from_db(fields=[column])
