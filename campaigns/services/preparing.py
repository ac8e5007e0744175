"""Making a campaign ready: its agent at Retell, step by step, and the version that calls name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import F, Q

from audit import actions
from audit.services import System, record
from campaigns import agent_settings, script
from campaigns.agent_settings import MARK
from campaigns.blanks import blank_problems, blanks_of
from campaigns.launch_requests import (
    live_launches,
    tell_of_held,
    tell_of_version,
    wants_two_people,
)
from campaigns.models import BatchCall, Campaign, CampaignVersion, KnowledgeBase
from campaigns.services.indexing import ensure_indexed
from campaigns.services.variables import variable_rules
from campaigns.settings_schema import languages, with_defaults
from campaigns.variables import stored
from convomono.lib.db import IntegrityError, atomic, compare_and_set, insert_once, run_atomic
from telephony.models import VoiceAgent

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.services import Actor
    from telephony.provider import AgentSettings, LlmSettings
    from telephony.retell import RetellGateway


# Real time: the longest row of requests to Retell; a killed worker's campaign waits as long.
WRITES_WITHIN = timedelta(minutes=3)
MOST_TRIES = 3


class ScriptRefused(Exception):
    """The script can't be spoken as it is; `problems` says why."""

    def __init__(self, problems: list[script.ScriptProblem]) -> None:
        super().__init__([problem.code for problem in problems])
        self.problems = problems


class CampaignNotDraft(Exception):
    """Somebody asked to make a campaign ready that is no draft (any more)."""


class KnowledgeNotIndexed(Exception):
    """Retell could not index the knowledge base."""


@dataclass(frozen=True)
class Preparation:
    """One run of the job: the campaign as it was read, and what its agent shall be."""

    campaign: Campaign
    agent: VoiceAgent
    webhook_url: str
    time_zone: str

    @property
    def mark(self) -> str:
        """What the agent's objects at Retell carry, so that a lost answer's are found again."""
        return mark_of(self.agent)

    def settings(self, knowledge_base_ids: tuple[str, ...]) -> tuple[LlmSettings, AgentSettings]:
        llm = agent_settings.llm_settings(
            self.campaign, knowledge_base_ids=knowledge_base_ids, mark=self.mark
        )
        agent = agent_settings.agent_settings(
            self.campaign, webhook_url=self.webhook_url, time_zone=self.time_zone, mark=self.mark
        )
        return llm, agent


def request_agent(*, campaign: Campaign, actor: Actor, now: datetime) -> None:
    """
    Make a draft `preparing`, which is what the job acts on; asking again changes nothing.

    :raises ScriptRefused: if the script has a blocker, no voice is chosen, or running launches have nothing to say
    :raises CampaignNotDraft: if the campaign is ready or archived
    """
    # Outside the block: leads may have to be read.
    problems = [p for p in script_problems(campaign) if p.is_blocker]
    if problems:
        raise ScriptRefused(problems)
    _mark_preparing(campaign=campaign, actor=actor, now=now)


@atomic
def _mark_preparing(*, campaign: Campaign, actor: Actor, now: datetime) -> None:
    changed = Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.DRAFT).update(
        status=Campaign.Status.PREPARING,
        prepare_error="",
        prepared_by_email=actor.actor_email,
        updated_at=now,
    )
    campaign.refresh_from_db()
    if not changed and campaign.status != Campaign.Status.PREPARING:
        raise CampaignNotDraft
    if changed:
        record(actions.CAMPAIGN_PREPARED, resource=campaign, actor=actor, now=now)


def script_problems(campaign: Campaign) -> list[script.ScriptProblem]:
    """Return everything to look at before a campaign is made ready."""
    problems = script.check(
        script=campaign.script_raw,
        opening_line=campaign.opening_line,
        business=campaign.client.name,
        languages=languages(with_defaults(campaign.settings)),
    )
    if not campaign.voice_id:
        problems.insert(0, script.voice_missing())
    return problems + blank_problems(campaign)


def mark_of(agent: VoiceAgent) -> str:
    """Return the mark of an agent's objects at Retell."""
    return f"cm-{agent.pk.hex[-8:]}"


def find_or_make_agent(*, campaign: Campaign, now: datetime) -> VoiceAgent:
    """Return the row of the campaign's agent, made on first use."""
    row = VoiceAgent(client_id=campaign.client_id, campaign_id=campaign.pk, created_at=now)
    insert_once(row, "campaign_id")
    return VoiceAgent.objects.get(campaign_id=campaign.pk)


def claim_agent(*, agent: VoiceAgent, real_now: datetime) -> bool:
    """
    Be the only job that writes this agent at Retell, for `WRITES_WITHIN`; False if another is at it.

    Two at once would publish one's words under the other's version.
    """
    free = Q(busy_until=None) | Q(busy_until__lte=real_now)
    claimed = VoiceAgent.objects.filter(free, pk=agent.pk).update(
        busy_until=real_now + WRITES_WITHIN
    )
    if claimed:
        agent.refresh_from_db()
    return bool(claimed)


def release_agent(agent: VoiceAgent) -> None:
    """Let other jobs write the agent again; if one has come after our time was up, its claim stays."""
    compare_and_set(agent, "busy_until", busy_until=None)


def note_failure(agent: VoiceAgent) -> bool:
    """Count a try that broke off for a reason of our own; True once nobody should try again."""
    VoiceAgent.objects.filter(pk=agent.pk).update(tries_count=F("tries_count") + 1)
    agent.refresh_from_db(fields=["tries_count"])
    return agent.tries_count >= MOST_TRIES


def index_knowledge(
    *, prep: Preparation, gateway: RetellGateway, now: datetime
) -> tuple[str, ...] | None:
    """
    Return the ids of the indexed knowledge bases, None while Retell still reads one.

    :raises KnowledgeNotIndexed: if Retell gave up
    """
    found = []
    for base in (prep.campaign.knowledge_base, prep.campaign.shared_base):
        if base is None:
            continue
        status = ensure_indexed(base=base, gateway=gateway, now=now)
        if status == KnowledgeBase.Status.ERROR:
            raise KnowledgeNotIndexed
        if status != KnowledgeBase.Status.COMPLETE:
            return None
        found.append(base.provider_id)
    return tuple(found)


def publish(
    *,
    agent: VoiceAgent,
    llm: LlmSettings,
    settings: AgentSettings,
    gateway: RetellGateway,
    may_exist: bool = True,
) -> int:
    """
    Bring the agent at Retell to these settings and publish it; return Retell's version number.

    Each id is kept as soon as Retell gives it, so that a run after a crash goes on from there: an
    unpublished draft is used, a published version gets a successor. An earlier run may have made
    something and died, or lost the answer: unless there was none (`may_exist`), Retell's lists are
    searched for the agent's mark first, so that nothing is left over. Outside any transaction.
    """
    if not agent.provider_llm_id:
        llm_id = find_llm(mark_of(agent), gateway) if may_exist else ""
        _keep(agent, "provider_llm_id", llm_id or gateway.create_llm(settings=llm).llm_id)
    if not agent.provider_agent_id:
        agent_id = find_agent(mark_of(agent), gateway) if may_exist else ""
        if not agent_id:
            engine = gateway.update_llm(llm_id=agent.provider_llm_id, version=0, settings=llm)
            agent_id = gateway.create_agent(llm=engine, settings=settings).agent_id
        _keep(agent, "provider_agent_id", agent_id)
    latest = gateway.retrieve_agent(agent_id=agent.provider_agent_id)
    if latest.is_published:
        latest = gateway.create_agent_version(agent_id=latest.agent_id, base_version=latest.version)
    version = latest.version
    engine_version = version if latest.llm_version is None else latest.llm_version
    gateway.update_llm(llm_id=agent.provider_llm_id, version=engine_version, settings=llm)
    gateway.update_agent(agent_id=agent.provider_agent_id, version=version, settings=settings)
    gateway.publish_agent(agent_id=agent.provider_agent_id, version=version)
    return version


def find_llm(mark: str, gateway: RetellGateway) -> str:
    """Return the id of the prompt that carries a mark; empty if there is none."""
    known = gateway.list_llms()
    return next(
        (one.llm_id for one in known if one.default_dynamic_variables.get(MARK) == mark), ""
    )


def find_agent(mark: str, gateway: RetellGateway) -> str:
    """Return the id of the agent that carries a mark; empty if there is none."""
    known = gateway.list_agents()
    return next((one.agent_id for one in known if one.name.endswith(mark)), "")


def _keep(agent: VoiceAgent, column: str, value: str) -> None:
    """Keep an id of Retell's; if another run was quicker, use that one's."""
    VoiceAgent.objects.filter(pk=agent.pk, **{column: ""}).update(**{column: value})
    agent.refresh_from_db(fields=[column])


def mark_ready(
    *, prep: Preparation, agent_version: int, fingerprint: str, now: datetime
) -> CampaignVersion | None:
    """
    Publish a version of the campaign and make it ready, in one block; None if it was edited since.

    Launches that the dispatcher works on use it from their next call on; each attempt names its own. Those
    whose leads have nothing for a variable that is new keep theirs, and the client's people are told.
    Where the client wants two people for a launch, another one has to let them (`use_in_launches`).
    The version is the campaign as it was read at the start, which is what Retell was told.
    """
    campaign = prep.campaign
    blanks = blanks_of(campaign, campaign)  # before the block: leads may have to be read

    def block() -> CampaignVersion | None:
        number = next_number(campaign)
        # Compare-and-set on the edit too: an edit may have come and asked for a run of its own.
        changed = Campaign.objects.filter(
            pk=campaign.pk, status=Campaign.Status.PREPARING, updated_at=campaign.updated_at
        ).update(status=Campaign.Status.READY, published_version=number, prepare_error="")
        if not changed:
            return None
        version = CampaignVersion.objects.create(
            client_id=campaign.client_id,
            campaign=campaign,
            number=number,
            name=campaign.name,
            script_raw=campaign.script_raw,
            opening_line=campaign.opening_line,
            voice_id=campaign.voice_id,
            voice_name=campaign.voice_name,
            knowledge_base_id=campaign.knowledge_base_id,
            shared_base_id=campaign.shared_base_id,
            settings=campaign.settings,
            variables=script.own_variables(*script.spoken(campaign)),
            variable_rules=stored(variable_rules(campaign.pk)),
            fingerprint=fingerprint,
            provider_agent_id=prep.agent.provider_agent_id,
            provider_agent_version=agent_version,
            published_at=now,
            published_by_email=campaign.prepared_by_email or campaign.created_by_email,
        )
        if wants_two_people(client_id=campaign.client_id):
            ask_for_adoption(version, now)
        else:
            adopt(version, apart_from=blanks.by_launch)
            if blanks.by_launch:
                tell_of_held(version=version, names=blanks.names, now=now)
        VoiceAgent.objects.filter(pk=prep.agent.pk).update(
            published_version=agent_version,
            fingerprint=fingerprint,
            published_at=now,
            tries_count=0,
        )
        record(
            actions.CAMPAIGN_PUBLISHED,
            resource=campaign,
            actor=System("agents"),
            now=now,
            details={"version": number},
        )
        return version

    try:
        return run_atomic(block)
    except IntegrityError:  # another run published this very number
        return None


def next_number(campaign: Campaign) -> int:
    """Return the number of the campaign's next version."""
    last = CampaignVersion.objects.filter(campaign=campaign).order_by("-number").first()
    return last.number + 1 if last else 1


def adopt(version: CampaignVersion, *, apart_from: Collection[UUID] = ()) -> int:
    """Let the launches that the dispatcher works on call with a version from now on; return how many."""
    launches = adopting(version).exclude(pk__in=list(apart_from))
    return launches.update(version=version, variant=None, experiment_id=None)


def adopting(version: CampaignVersion) -> QuerySet[BatchCall]:
    """Return the launches that could take a version up: a list that was handed over keeps its own."""
    launches = live_launches(client_id=version.client_id, campaign_id=version.campaign_id)
    return launches.filter(mode=BatchCall.Mode.DISPATCHER).exclude(version=version)


def ask_for_adoption(version: CampaignVersion, now: datetime) -> None:
    if adopting(version).exists():
        tell_of_version(version=version, now=now)


def put_back(*, campaign: Campaign, sentence: str, now: datetime) -> None:
    """Make a campaign that could not be prepared a draft again, with what to do about it."""
    VoiceAgent.objects.filter(campaign_id=campaign.pk).update(tries_count=0)
    Campaign.objects.filter(
        pk=campaign.pk, status=Campaign.Status.PREPARING, updated_at=campaign.updated_at
    ).update(status=Campaign.Status.DRAFT, prepare_error=sentence[:400], updated_at=now)
