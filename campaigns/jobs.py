"""What workers do for campaigns: prepare agents, put leads in line, and take up what stayed behind."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from django.conf import settings
from django.utils.translation import gettext as _

from accounts.notifications import mail, notify
from audit.services import System
from campaigns import agent_settings, line_jobs
from campaigns.dialling.bookkeeping import check_completeness, watch_dispatcher
from campaigns.models import Campaign, Experiment, KnowledgeBase
from campaigns.services import (
    answers,
    asking,
    experimenting,
    follow_ups,
    following,
    funding,
    indexing,
    launching,
    preparing,
    setbacks,
    steering,
    waking,
    workspace,
)
from campaigns.services.knowledge import KnowledgeNotReady
from convomono.lib import clock
from convomono.lib.jobs import enqueue, enqueue_once
from telephony.models import Call, VoiceAgent
from telephony.provider import (
    PaymentRequired,
    ProviderError,
    Rejected,
    Unauthorised,
)
from telephony.retell import retell_gateway

if TYPE_CHECKING:
    from datetime import datetime

log = structlog.get_logger()

# A run that takes longer has died with its worker, or waits for Retell to index the knowledge.
STAYED_BEHIND = timedelta(seconds=60)
# Between two slices of leads the webhook path gets the database.
PAUSE_SECONDS = 0.005
AT_ONCE = 200
HANGS_UP_WITHIN = timedelta(seconds=10)
WEBHOOK_PATH = "/api/v1/webhooks/retell"


def prepare_agent(*, campaign_id: str, **_later: object) -> None:
    """
    Get a campaign's agent from Retell and make the campaign ready; a draft again if Retell refuses.

    While Retell is busy or away it stays as it is, and `resume_campaigns` comes back.

    Safe to run twice and to be killed anywhere: each step looks at what the earlier ones kept.
    """
    now = clock.now()
    campaign = (
        Campaign.objects.select_related("client", "knowledge_base", "shared_base")
        .filter(pk=UUID(campaign_id), status=Campaign.Status.PREPARING)
        .first()
    )
    if campaign is None:
        return
    agent = preparing.find_or_make_agent(campaign=campaign, now=now)
    if not preparing.claim_agent(agent=agent, real_now=clock.real_now()):
        return  # another run is at it; `resume_campaigns` looks again
    try:
        _prepare(campaign, agent, now)
    except preparing.KnowledgeNotIndexed:
        why = setbacks.why_not_indexed(campaign)
        setbacks.give_up(campaign=campaign, sentence=why, now=now)
    except Rejected as error:
        setbacks.give_up(campaign=campaign, sentence=what_to_do(error), now=now)
    except ProviderError as error:
        if not setbacks.try_later(campaign=campaign, agent=agent, now=now):
            setbacks.give_up(campaign=campaign, sentence=what_to_do(error), now=now)
    except Exception:
        # A fault of ours: a few runs, and then somebody is told instead of waiting for ever.
        log.exception("campaign.not_prepared", campaign_id=campaign_id)
        if preparing.note_failure(agent):
            sentence = _("It could not be made ready. The agency has been told; try again later.")
            setbacks.give_up(campaign=campaign, sentence=sentence, now=now)
            _tell_agency(campaign, now)
    finally:
        preparing.release_agent(agent)


def _tell_agency(campaign: Campaign, now: datetime) -> None:
    notify(
        client=None,
        level="bad",
        title=_("A campaign could not be made ready"),
        body=_("%(name)s of %(client)s: the log of the workers says why (campaign.not_prepared).")
        % {"name": campaign.name, "client": campaign.client.name},
        url="/agency/health/",
        key=f"campaign.not_prepared:{campaign.pk}:{now.isoformat()}",
        now=now,
    )


def _prepare(campaign: Campaign, agent_row: VoiceAgent, now: datetime) -> None:
    gateway = retell_gateway()
    prep = preparing.Preparation(
        campaign=campaign,
        agent=agent_row,
        webhook_url=settings.PUBLIC_BASE_URL.rstrip("/") + WEBHOOK_PATH,
        time_zone=campaign.client.time_zone,
    )
    knowledge_base_ids = preparing.index_knowledge(prep=prep, gateway=gateway, now=now)
    if knowledge_base_ids is None:
        return  # Retell is still reading; `resume_campaigns` comes back
    llm, agent = prep.settings(knowledge_base_ids)
    fingerprint = agent_settings.fingerprint(llm=llm, agent=agent)
    version = prep.agent.published_version
    if version is None or prep.agent.fingerprint != fingerprint:
        version = preparing.publish(
            agent=prep.agent,
            llm=llm,
            settings=agent,
            gateway=gateway,
            may_exist=prep.agent.created_at != now,
        )
    made = preparing.mark_ready(prep=prep, agent_version=version, fingerprint=fingerprint, now=now)
    if made is not None:
        experimenting.stop_for_new_version(campaign=campaign, actor=System("experiments"), now=now)


def what_to_do(error: ProviderError) -> str:
    """Return the sentence that tells a client's person what to do about Retell's refusal."""
    if isinstance(error, Unauthorised | PaymentRequired):
        return _(
            "Retell refuses the agency's account. Ask your agency to look at it, then try again."
        )
    if isinstance(error, Rejected):
        return _("Retell refused these settings: %(why)s. Change them and try again.") % {
            "why": error.message.rstrip(".")[:250]
        }
    return _("Retell can't be reached just now. Nothing is lost: try again in a few minutes.")


def index_knowledge(*, base_id: str, **_later: object) -> None:
    """Bring a knowledge base to Retell, or look how far its indexing is; safe to run twice."""
    base = KnowledgeBase.objects.filter(
        pk=UUID(base_id), status=KnowledgeBase.Status.INDEXING
    ).first()
    if base is None:
        return
    now = clock.now()
    try:
        indexing.ensure_indexed(base=base, gateway=retell_gateway(), now=now)
        if base.status == KnowledgeBase.Status.COMPLETE and answers.order_answers(
            base=base, actor=System("knowledge"), now=now
        ):
            enqueue_once(ask_kept_questions, queue="calls", base_id=base_id)
    except Rejected as error:
        KnowledgeBase.objects.filter(pk=base.pk).update(
            status=KnowledgeBase.Status.ERROR, error=what_to_do(error)[:400], sent_at=None
        )
    except ProviderError as error:
        KnowledgeBase.objects.filter(pk=base.pk).update(error=what_to_do(error)[:400])


def ask_kept_questions(*, base_id: str, **_later: object) -> None:
    """Ask a version the questions that wait for it; safe to run twice and to be killed anywhere."""
    base = KnowledgeBase.objects.filter(pk=UUID(base_id)).first()
    if base is None:
        return
    sentence = ""
    try:
        answers.answer_waiting(
            base=base, gateway=retell_gateway(), now=clock.now(), real_now=clock.real_now()
        )
    except asking.AskedAlready:
        return  # `resume_campaigns` comes back
    except KnowledgeNotReady:
        sentence = _("Have it indexed first: only then can it be asked.")
    except ProviderError as error:
        sentence = what_to_do(error)
    if sentence:
        answers.give_up_waiting(base=base, sentence=sentence)


def retire_knowledge(**_later: object) -> None:
    """Take knowledge away at Retell that nothing speaks from any more."""
    for base in indexing.superseded(now=clock.now()):
        indexing.retire(base=base, gateway=retell_gateway())


def retire_agents(**_later: object) -> None:
    """Take the agents of archived campaigns away at Retell."""
    workspace.retire_agents(gateway=retell_gateway(), now=clock.now())


def repair_workspace(**_later: object) -> None:
    """Take left-over objects away at Retell and make the missing ones again; safe to run twice."""
    gateway, now = retell_gateway(), clock.now()
    for campaign_id in workspace.repair(gateway=gateway, now=now, real_now=clock.real_now()):
        enqueue(prepare_agent, queue="calls", campaign_id=str(campaign_id))


def prepare_experiment(*, experiment_id: str, **_later: object) -> None:
    """Get an experiment's variant from Retell and let it begin; safe to run twice."""
    row = (
        Experiment.objects.select_related("control", "campaign")
        .filter(pk=UUID(experiment_id), status=Experiment.Status.PREPARING)
        .first()
    )
    if row is None:
        return
    if row.campaign.status == Campaign.Status.ARCHIVED:  # while somebody started it
        actor = System("experiments")
        experimenting.stop_for_new_version(campaign=row.campaign, actor=actor, now=clock.now())
        return
    agent = VoiceAgent.objects.get(campaign_id=row.campaign_id)
    if not preparing.claim_agent(agent=agent, real_now=clock.real_now()):
        return  # the campaign itself is being published; `judge_experiments` comes back
    url = settings.PUBLIC_BASE_URL.rstrip("/") + WEBHOOK_PATH
    sentence = ""
    try:
        experimenting.prepare_variant(
            experiment=row, agent=agent, gateway=retell_gateway(), webhook_url=url, now=clock.now()
        )
    except preparing.KnowledgeNotIndexed:
        sentence = _("Retell could not read the knowledge. Have it indexed again, then try again.")
    except ProviderError as error:
        sentence = what_to_do(error)
    except Exception:
        log.exception("experiment.not_prepared", experiment_id=experiment_id)
        sentence = _(
            "The trial could not be published. Try again; tell your agency if it stays so."
        )
    finally:
        preparing.release_agent(agent)
    if sentence:
        Experiment.objects.filter(pk=row.pk).update(prepare_error=sentence[:400])


def judge_experiments(**_later: object) -> None:
    """Count every running experiment, and end those with a winner or harm."""
    for row in Experiment.objects.select_related("control", "campaign").filter(
        status=Experiment.Status.RUNNING
    ):
        if row.control.number != row.campaign.published_version:
            actor = System("experiments")
            experimenting.stop_for_new_version(campaign=row.campaign, actor=actor, now=clock.now())
        else:
            experimenting.judge_experiment(experiment=row, now=clock.now())
    waiting = Experiment.objects.filter(status=Experiment.Status.PREPARING, prepare_error="")
    for experiment_id in waiting.values_list("pk", flat=True)[:AT_ONCE]:
        enqueue_once(prepare_experiment, queue="calls", experiment_id=str(experiment_id))


def attach_leads(*, batch_call_id: str, **_later: object) -> None:
    """Put the leads of a launch in line until none is left outside; safe to run twice."""
    while not launching.attach_slice(batch_call_id=UUID(batch_call_id), now=clock.now()):
        time.sleep(PAUSE_SECONDS)


def cancel_leads(*, batch_call_id: str, **_later: object) -> None:
    """Take the waiting leads of a stopped launch out of the line; safe to run twice."""
    while not steering.cancel_slice(batch_call_id=UUID(batch_call_id), now=clock.now()):
        time.sleep(PAUSE_SECONDS)


def hang_up(*, call_id: str, **_later: object) -> None:
    """End a call that a person wants ended; nothing is done if it is over, or twice."""
    call = Call.objects.filter(pk=UUID(call_id), status__in=Call.LIVE).first()
    if call is None or call.end_requested_at is None:
        return
    try:
        retell_gateway().stop_call(call_id=call.provider_call_id)
    except Rejected:
        log.info("call.over_before_its_end", call_id=call_id)  # its news is on the way


def hang_up_some(*, call_ids: list[str], **_later: object) -> None:
    """End some of the calls that a person wants ended; one that fails leaves the others to be ended."""
    for call_id in call_ids:
        try:
            hang_up(call_id=call_id)
        except ProviderError:
            log.info("call.not_ended_yet", call_id=call_id)  # `hang_up_left` asks again


def hang_up_left(**_later: object) -> None:
    """Ask again for calls that are still going on: a worker was killed, Redis or Retell away."""
    since = clock.now() - HANGS_UP_WITHIN
    wanted = Call.objects.filter(status__in=Call.LIVE, end_requested_at__lte=since)
    for call_id in wanted.order_by("created_at", "pk").values_list("pk", flat=True)[:AT_ONCE]:
        enqueue_once(hang_up, queue="calls", call_id=str(call_id))


def resume_funded(**_later: object) -> int:
    """Let launches that ran dry go on once minutes were bought."""
    return funding.resume_funded(now=clock.now())


def check_launches(**_later: object) -> None:
    """Check the completeness equation of every launch; each minute."""
    check_completeness(now=clock.now())


def resume_campaigns(**_later: object) -> None:
    """Enqueue what a killed worker, an absent Redis or a slow index left behind."""
    watch_dispatcher(now=clock.now(), real_now=clock.real_now())
    since = clock.now() - STAYED_BEHIND
    waiting = Campaign.objects.filter(status=Campaign.Status.PREPARING, updated_at__lte=since)
    # The longest waiting first: those that Retell had no time for go to the end.
    preparing_ids = waiting.order_by("updated_at", "pk").values_list("pk", flat=True)
    for campaign_id in preparing_ids[:AT_ONCE]:
        enqueue_once(prepare_agent, queue="calls", campaign_id=str(campaign_id))
    bases = KnowledgeBase.objects.filter(
        status=KnowledgeBase.Status.INDEXING, is_shared=True, archived_at=None
    )
    for base_id in bases.order_by("created_at").values_list("pk", flat=True)[:AT_ONCE]:
        enqueue_once(index_knowledge, queue="calls", base_id=str(base_id))
    for base in answers.left_behind(since=since, most=AT_ONCE):
        enqueue_once(ask_kept_questions, queue="calls", base_id=str(base.pk))
    for batch_call_id in launching.left_behind(since=since)[:AT_ONCE]:
        enqueue_once(attach_leads, queue="calls", batch_call_id=str(batch_call_id))
    for batch_call_id in steering.left_behind()[:AT_ONCE]:
        enqueue_once(cancel_leads, queue="calls", batch_call_id=str(batch_call_id))
    for client_id, where in waking.left_behind(since=since, most=AT_ONCE):
        enqueue_once(line_jobs.decide_again, queue="calls", client_id=client_id, campaign_id=where)


def remind_follow_ups(**_later: object) -> int:
    """Tell of follow-ups that are due, and make those that rules missed; returns how many were told."""
    now = clock.now()
    following.follow_what_was_missed(now=now)
    due = follow_ups.remind(now=now)
    for row in due:
        assert row.assignee is not None  # only those are returned
        mail(
            [row.assignee.email],
            subject=_("Follow-up due: %s") % row.lead,
            text=f"{row.note}\n\n{settings.PUBLIC_BASE_URL}/app/leads/{row.lead_id}/",
        )
    return len(due)
