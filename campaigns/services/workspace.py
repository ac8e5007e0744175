"""What exists at Retell against what we know: left-over objects go, missing ones are made again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from django.db.models import Model, Q

from audit import actions
from audit.services import record
from campaigns.agent_settings import MARK
from campaigns.launch_requests import outdate_requests
from campaigns.models import Campaign, KnowledgeBase
from campaigns.services.preparing import mark_of
from convomono.lib.db import atomic, run_atomic
from telephony.models import VoiceAgent
from telephony.provider import NotFound, ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User
    from telephony.retell import RetellGateway

type Kind = Literal["agent", "llm", "knowledge"]
# ours: a row names it, or a job is making it; left_over: it carries the mark of a row that doesn't name
# it; missing: a row names it and Retell doesn't have it; foreign: it has no mark of ours, never touched.
type State = Literal["ours", "left_over", "missing", "foreign"]

CHUNK = 1_000
# What carries the mark of a row whose making began so long ago at most may be in the making. In real time,
# but for knowledge, which is dated as it is sent.
IN_THE_MAKING = timedelta(hours=1)
# The agent of an archived campaign stays a day: a call may still be talking.
ARCHIVED_FOR = timedelta(days=1)
RETIRED_AT_ONCE = 50


@dataclass(frozen=True)
class ProviderObject:
    """One object at Retell, or one that should be there; `client_id` is None for foreign ones."""

    kind: Kind
    provider_id: str
    name: str
    state: State
    client_id: UUID | None = None


@dataclass(frozen=True)
class _Mark:
    """The row that a mark is of: whose it is, and whether a job may be making objects for it now."""

    client_id: UUID
    is_making: bool


@dataclass
class _Known:
    """What our rows name, and which marks they have."""

    ids: dict[str, tuple[Kind, str, UUID]] = field(default_factory=dict)
    marks: dict[tuple[Kind, str], _Mark] = field(default_factory=dict)

    def add(self, kind: Kind, provider_id: str, name: str, mark: str, of: _Mark) -> None:
        if provider_id:
            self.ids[provider_id] = (kind, name, of.client_id)
            # One that is named is made: a second one is over.
            of = _Mark(of.client_id, is_making=False)
        self.marks[kind, mark] = of


def survey(*, gateway: RetellGateway, now: datetime, real_now: datetime) -> list[ProviderObject]:
    """
    Compare Retell's lists with our rows, however many there are; changes nothing.

    :raises ProviderError: if Retell can't be asked
    """
    there = list(_there(gateway))
    known = _known(now, real_now)  # after the lists: what is made meanwhile isn't in them
    found: dict[str, ProviderObject] = {}
    for kind, provider_id, name, mark in there:
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
    of = known.marks.get((kind, mark))
    if of is None:
        return ProviderObject(kind, provider_id, name, "foreign")
    # A job that makes it now finds it by the mark, and its row names it in a moment.
    return ProviderObject(
        kind, provider_id, name, "ours" if of.is_making else "left_over", of.client_id
    )


def _known(now: datetime, real_now: datetime) -> _Known:
    known = _Known()
    for agents in _chunks(VoiceAgent.objects.all()):
        campaigns = Campaign.objects.only("name", "status").in_bulk(
            [row.campaign_id for row in agents]
        )
        for row in agents:
            _add_agent(known, row, campaigns.get(row.campaign_id), real_now)
    for bases in _chunks(KnowledgeBase.objects.all()):
        for base in bases:
            _add_base(known, base, now, real_now)
    return known


def _add_agent(
    known: _Known, row: VoiceAgent, campaign: Campaign | None, real_now: datetime
) -> None:
    is_preparing = campaign is not None and campaign.status == Campaign.Status.PREPARING
    is_busy = row.busy_until is not None and row.busy_until > real_now
    of = _Mark(row.client_id, is_making=is_preparing or is_busy)
    name = campaign.name if campaign else ""
    known.add("agent", row.provider_agent_id, name, mark_of(row), of)
    known.add("llm", row.provider_llm_id, name, mark_of(row), of)


def _add_base(known: _Known, base: KnowledgeBase, now: datetime, real_now: datetime) -> None:
    # Before it was sent there is nothing, and what was sent long ago is named or lost.
    is_sent = base.sent_at is not None and base.sent_at > now - IN_THE_MAKING
    is_indexing = base.status == KnowledgeBase.Status.INDEXING
    of = _Mark(base.client_id, is_making=is_indexing and is_sent)
    # What Retell could not read is nobody's, although its id is kept until it is deleted there.
    failed = base.status == KnowledgeBase.Status.ERROR
    known.add("knowledge", "" if failed else base.provider_id, base.name, base.mark, of)
    since = base.tester_since
    tester = _Mark(base.client_id, is_making=since is not None and since > real_now - IN_THE_MAKING)
    known.add("agent", base.tester_agent_id, base.name, base.mark, tester)
    known.add("llm", base.tester_llm_id, base.name, base.mark, tester)


def _chunks[Row: Model](rows: QuerySet[Row]) -> Iterator[list[Row]]:
    """Return all rows, some at a time, by their key."""
    last = None
    while True:
        later = rows if last is None else rows.filter(pk__gt=last)
        chunk = list(later.order_by("pk")[:CHUNK])
        if not chunk:
            return
        yield chunk
        last = chunk[-1].pk


# -- Putting right ---------------------------------------------------------------------------------


@atomic
def request_repair(*, actor: User, now: datetime) -> None:
    """Note who asked for the repair, which a job does."""
    record(actions.WORKSPACE_REPAIRED, resource=actor, actor=actor, now=now)


def repair(*, gateway: RetellGateway, now: datetime, real_now: datetime) -> list[UUID]:
    """
    Delete what is left over and forget ids that Retell doesn't know; return campaigns to prepare again.

    Foreign objects are never touched. Safe to run twice.

    :raises ProviderError: if Retell can't be asked
    """
    missing = []
    for one in survey(gateway=gateway, now=now, real_now=real_now):
        if one.state == "left_over":
            _delete_left_over(one, gateway)
        elif one.state == "missing":
            missing.append(one.provider_id)
    return _forget(missing, gateway, now)


def _delete_left_over(one: ProviderObject, gateway: RetellGateway) -> None:
    named = Q(provider_agent_id=one.provider_id) | Q(provider_llm_id=one.provider_id)
    tested = Q(tester_agent_id=one.provider_id) | Q(tester_llm_id=one.provider_id)
    failed = KnowledgeBase.Status.ERROR
    kept = KnowledgeBase.objects.filter(provider_id=one.provider_id).exclude(status=failed)
    tests = KnowledgeBase.objects.filter(tested)
    if VoiceAgent.objects.filter(named).exists() or tests.exists() or kept.exists():
        return  # a job has taken it up since the survey
    if delete(kind=one.kind, provider_id=one.provider_id, gateway=gateway):
        KnowledgeBase.objects.filter(provider_id=one.provider_id, status=failed).update(
            provider_id="", sent_at=None
        )


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
    KnowledgeBase.objects.filter(tester_agent_id__in=missing).update(
        tester_agent_id="", tester_since=None
    )
    for base in KnowledgeBase.objects.filter(tester_llm_id__in=missing):
        if base.tester_agent_id not in {"", *missing}:
            delete(kind="agent", provider_id=base.tester_agent_id, gateway=gateway)
        KnowledgeBase.objects.filter(pk=base.pk).update(
            tester_llm_id="", tester_agent_id="", tester_since=None
        )
    KnowledgeBase.objects.filter(provider_id__in=missing).update(
        provider_id="", sent_at=None, status=KnowledgeBase.Status.RETIRED
    )
    again += _speaking_from_retired()

    def block() -> None:
        outdate_requests(campaign_ids=again, now=now)
        Campaign.objects.filter(pk__in=again, status=Campaign.Status.READY).update(
            status=Campaign.Status.PREPARING, updated_at=now
        )

    run_atomic(block)
    preparing = Campaign.objects.filter(pk__in=again, status=Campaign.Status.PREPARING)
    return list(preparing.values_list("pk", flat=True))


def _speaking_from_retired() -> list[UUID]:
    """Return ready campaigns whose knowledge isn't at Retell: preparing them indexes it again."""
    found: list[UUID] = []
    ready = Campaign.objects.filter(status=Campaign.Status.READY)
    for bases in _chunks(KnowledgeBase.objects.filter(status=KnowledgeBase.Status.RETIRED)):
        ids = [base.pk for base in bases]
        either = Q(knowledge_base_id__in=ids) | Q(shared_base_id__in=ids)
        found += ready.filter(either).values_list("pk", flat=True)
    return found


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
    done = 0
    for rows in _chunks(VoiceAgent.objects.exclude(provider_llm_id="")):
        old = Campaign.objects.filter(
            pk__in=[row.campaign_id for row in rows],
            status=Campaign.Status.ARCHIVED,
            archived_at__lte=now - ARCHIVED_FOR,
        )
        archived = set(old.values_list("pk", flat=True))
        for row in rows:
            if row.campaign_id in archived:
                done += _retire(row, gateway)
            if done >= RETIRED_AT_ONCE:
                return done
    return done


def _retire(row: VoiceAgent, gateway: RetellGateway) -> bool:
    agent_gone = not row.provider_agent_id or delete(
        kind="agent", provider_id=row.provider_agent_id, gateway=gateway
    )
    if not agent_gone or not delete(kind="llm", provider_id=row.provider_llm_id, gateway=gateway):
        return False
    VoiceAgent.objects.filter(pk=row.pk).update(
        provider_agent_id="", provider_llm_id="", published_version=None, fingerprint=""
    )
    return True
