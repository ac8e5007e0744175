"""What exists at Retell against what we know: left-over objects go, missing ones are made again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from audit import actions
from audit.services import record
from campaigns.agent_settings import MARK
from campaigns.models import Campaign, KnowledgeBase
from campaigns.services.preparing import mark_of
from convomono.lib.db import atomic
from telephony.models import VoiceAgent
from telephony.provider import NotFound, ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from uuid import UUID

    from accounts.models import User
    from telephony.retell import RetellGateway

type Kind = Literal["agent", "llm", "knowledge"]
# ours: a row names it; left_over: it carries the mark of a row that names another; missing: a row
# names it and Retell doesn't have it; foreign: made by somebody else, never touched.
type State = Literal["ours", "left_over", "missing", "foreign"]

MOST_ROWS = 5_000
# The agent of an archived campaign stays a day: a call may still be talking.
ARCHIVED_FOR = timedelta(days=1)


@dataclass(frozen=True)
class ProviderObject:
    """One object at Retell, or one that should be there; `client_id` is None for foreign ones."""

    kind: Kind
    provider_id: str
    name: str
    state: State
    client_id: UUID | None = None


@dataclass(frozen=True)
class _Known:
    """What our rows name, and which of them carry which mark."""

    ids: dict[str, tuple[Kind, str, UUID]]
    marks: dict[tuple[Kind, str], tuple[str, UUID]]  # the id its row names, "" while in the making


def survey(*, gateway: RetellGateway) -> list[ProviderObject]:
    """
    Compare Retell's lists with our rows; changes nothing.

    :raises ProviderError: if Retell can't be asked
    """
    known = _known()
    found: dict[str, ProviderObject] = {}
    for kind, provider_id, name, mark in _there(gateway):
        found[provider_id] = _judge(known, kind, provider_id, name, mark)
    for provider_id, (kind, name, client_id) in known.ids.items():
        if provider_id not in found:
            found[provider_id] = ProviderObject(kind, provider_id, name, "missing", client_id)
    order = ("missing", "left_over", "ours", "foreign")
    return sorted(found.values(), key=lambda one: (order.index(one.state), one.kind, one.name))


def _there(gateway: RetellGateway) -> Iterable[tuple[Kind, str, str, str]]:
    for agent in gateway.list_agents():
        yield "agent", agent.agent_id, agent.name, agent.name.rpartition(" ")[2]
    for llm in gateway.list_llms():
        mark = llm.default_dynamic_variables.get(MARK, "")
        yield "llm", llm.llm_id, mark or llm.llm_id, mark
    for base in gateway.list_knowledge_bases():
        yield "knowledge", base.knowledge_base_id, base.name, base.name.rpartition(" ")[2]


def _judge(known: _Known, kind: Kind, provider_id: str, name: str, mark: str) -> ProviderObject:
    if provider_id in known.ids:
        return ProviderObject(kind, provider_id, name, "ours", known.ids[provider_id][2])
    named, client_id = known.marks.get((kind, mark), ("", None))
    # A row that names nothing yet is in the making: its job finds this object by the mark.
    state: State = "left_over" if named and client_id else "foreign"
    return ProviderObject(kind, provider_id, name, state, client_id if named else None)


def _known() -> _Known:
    ids: dict[str, tuple[Kind, str, UUID]] = {}
    marks: dict[tuple[Kind, str], tuple[str, UUID]] = {}

    def add(kind: Kind, provider_id: str, name: str, client_id: UUID, mark: str) -> None:
        if provider_id:
            ids[provider_id] = (kind, name, client_id)
        marks[kind, mark] = (provider_id, client_id)

    names = dict(Campaign.objects.values_list("pk", "name")[:MOST_ROWS])
    for row in VoiceAgent.objects.order_by("pk")[:MOST_ROWS]:
        name = names.get(row.campaign_id, "")
        add("agent", row.provider_agent_id, name, row.client_id, mark_of(row))
        add("llm", row.provider_llm_id, name, row.client_id, mark_of(row))
    for base in KnowledgeBase.objects.order_by("pk")[:MOST_ROWS]:
        add("knowledge", base.provider_id, base.name, base.client_id, base.mark)
        add("agent", base.tester_agent_id, base.name, base.client_id, base.mark)
        add("llm", base.tester_llm_id, base.name, base.client_id, base.mark)
    return _Known(ids, marks)


# -- Putting right ---------------------------------------------------------------------------------


@atomic
def request_repair(*, actor: User, now: datetime) -> None:
    """Note who asked for the repair, which a job does."""
    record(actions.WORKSPACE_REPAIRED, resource=actor, actor=actor, now=now)


def repair(*, gateway: RetellGateway, now: datetime) -> list[UUID]:
    """
    Delete what is left over and forget ids that Retell doesn't know; return campaigns to prepare again.

    Foreign objects are never touched. Safe to run twice.

    :raises ProviderError: if Retell can't be asked
    """
    missing = []
    for one in survey(gateway=gateway):
        if one.state == "left_over":
            delete(kind=one.kind, provider_id=one.provider_id, gateway=gateway)
        elif one.state == "missing":
            missing.append(one.provider_id)
    return _forget(missing, gateway, now)


def _forget(missing: list[str], gateway: RetellGateway, now: datetime) -> list[UUID]:
    again = []
    for agent in VoiceAgent.objects.filter(provider_agent_id__in=missing):
        VoiceAgent.objects.filter(pk=agent.pk).update(
            provider_agent_id="", published_version=None, fingerprint=""
        )
        again.append(agent.campaign_id)
    for agent in VoiceAgent.objects.filter(provider_llm_id__in=missing):
        # An agent without its prompt engine can't be mended: both are made anew, and the old one
        # would be found by its mark.
        if agent.provider_agent_id not in {"", *missing}:
            delete(kind="agent", provider_id=agent.provider_agent_id, gateway=gateway)
        VoiceAgent.objects.filter(pk=agent.pk).update(
            provider_llm_id="", provider_agent_id="", published_version=None, fingerprint=""
        )
        again.append(agent.campaign_id)
    KnowledgeBase.objects.filter(tester_agent_id__in=missing).update(tester_agent_id="")
    for base in KnowledgeBase.objects.filter(tester_llm_id__in=missing):
        if base.tester_agent_id not in {"", *missing}:
            delete(kind="agent", provider_id=base.tester_agent_id, gateway=gateway)
        KnowledgeBase.objects.filter(pk=base.pk).update(tester_llm_id="", tester_agent_id="")
    KnowledgeBase.objects.filter(provider_id__in=missing).update(
        provider_id="", sent_at=None, status=KnowledgeBase.Status.RETIRED
    )
    again += _speaking_from_retired()
    Campaign.objects.filter(pk__in=again, status=Campaign.Status.READY).update(
        status=Campaign.Status.PREPARING, updated_at=now
    )
    preparing = Campaign.objects.filter(pk__in=again, status=Campaign.Status.PREPARING)
    return list(preparing.values_list("pk", flat=True))


def _speaking_from_retired() -> list[UUID]:
    """Return ready campaigns whose knowledge isn't at Retell: preparing them indexes it again."""
    retired = list(
        KnowledgeBase.objects.filter(status=KnowledgeBase.Status.RETIRED).values_list(
            "pk", flat=True
        )[:MOST_ROWS]
    )
    ready = Campaign.objects.filter(status=Campaign.Status.READY)
    found = list(ready.filter(knowledge_base_id__in=retired).values_list("pk", flat=True))
    return found + list(ready.filter(shared_base_id__in=retired).values_list("pk", flat=True))


def delete(*, kind: Kind, provider_id: str, gateway: RetellGateway) -> bool:
    """Delete one object at Retell; what is gone already is gone. False if Retell doesn't let us."""
    ways: dict[str, Callable[[], None]] = {
        "agent": lambda: gateway.delete_agent(agent_id=provider_id),
        "llm": lambda: gateway.delete_llm(llm_id=provider_id),
        "knowledge": lambda: gateway.delete_knowledge_base(knowledge_base_id=provider_id),
    }
    try:
        ways[kind]()
    except NotFound:
        return True
    except ProviderError:
        return False
    return True


def retire_agents(*, gateway: RetellGateway, now: datetime) -> int:
    """Take the agents of campaigns archived a day ago away at Retell; return how many."""
    old = Campaign.objects.filter(
        status=Campaign.Status.ARCHIVED, archived_at__lte=now - ARCHIVED_FOR
    )
    ids = list(old.order_by("-archived_at").values_list("pk", flat=True)[:500])
    rows = VoiceAgent.objects.filter(campaign_id__in=ids).exclude(provider_llm_id="")
    done = 0
    for row in rows[:50]:
        agent_gone = not row.provider_agent_id or delete(
            kind="agent", provider_id=row.provider_agent_id, gateway=gateway
        )
        if agent_gone and delete(kind="llm", provider_id=row.provider_llm_id, gateway=gateway):
            VoiceAgent.objects.filter(pk=row.pk).update(
                provider_agent_id="", provider_llm_id="", published_version=None, fingerprint=""
            )
            done += 1
    return done
