"""Experiments in verbs: start one, get its variant from Retell, judge it, end it, let the winner speak."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from audit import actions
from audit.services import System, record
from campaigns import script
from campaigns.experiment_notices import tell_of_end
from campaigns.experiments import arm_of, judge
from campaigns.launch_requests import live_launches, outdate_request, wants_two_people
from campaigns.models import (
    BatchCall,
    Campaign,
    CampaignVersion,
    Experiment,
    KnowledgeBase,
)
from campaigns.queries.experiment_outcomes import outcomes
from campaigns.services import preparing
from campaigns.services.authoring import LIVE
from campaigns.settings_schema import with_defaults
from campaigns.trial_words import trial_problems
from convomono.lib.db import IntegrityError, run_atomic
from convomono.lib.ids import uuid7
from telephony.models import VoiceAgent

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor
    from campaigns.experiments import Judgement
    from campaigns.models import Enrolment
    from campaigns.script import ScriptProblem
    from telephony.retell import RetellGateway

Status = Experiment.Status


class ExperimentRefused(Exception):
    """An experiment that can't begin; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TrialUnsound(Exception):
    """Words that can't be tried as they are; `problems` says why, those that only have to be confirmed too."""

    def __init__(self, problems: list[ScriptProblem]) -> None:
        super().__init__([problem.code for problem in problems])
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What somebody wants to try: the part, and its other words or voice; `is_confirmed` without some notice."""

    part: str
    text: str = ""
    voice_id: str = ""
    voice_name: str = ""
    is_confirmed: bool = False

    def changes(self) -> dict[str, str]:
        """Return the columns of a campaign that the variant has instead."""
        if self.part == Experiment.Part.VOICE:
            return {"voice_id": self.voice_id, "voice_name": self.voice_name}
        return {"script_raw" if self.part == Experiment.Part.SCRIPT else "opening_line": self.text}


def start_experiment(
    *, campaign: Campaign, trial: Trial, actor: Actor, now: datetime
) -> Experiment:
    """
    Write an experiment against the published version; a job gets the variant from Retell.

    :raises ExperimentRefused: `not_ready`, `no_goal`, `same` or `another`
    :raises TrialUnsound: if its words have a blocker, or lack a notice and nobody confirmed that
    """
    control = CampaignVersion.objects.filter(
        campaign=campaign, number=campaign.published_version or 0
    ).first()
    if control is None or campaign.status != Campaign.Status.READY:
        raise ExperimentRefused("not_ready")
    if not with_defaults(control.settings)["conversion"]:
        raise ExperimentRefused("no_goal")
    changes = trial.changes()
    if all(getattr(control, name) == value for name, value in changes.items()):
        raise ExperimentRefused("same")
    problems = trial_problems(campaign=campaign, control=control, changes=changes)
    if any(one.is_blocker for one in problems) or (problems and not trial.is_confirmed):
        raise TrialUnsound(problems)
    row = Experiment(
        client_id=campaign.client_id,
        campaign=campaign,
        part=trial.part,
        live_key=str(campaign.pk),
        control=control,
        changes=changes,
        created_by_email=actor.actor_email,
        created_at=now,
    )

    def block() -> None:
        row.pk = row.id = uuid7()
        row.save(force_insert=True)
        outdate_request(campaign_id=campaign.pk, now=now)
        record(
            actions.EXPERIMENT_STARTED,
            resource=row,
            actor=actor,
            now=now,
            details={"part": trial.part, "campaign": campaign.name},
        )

    try:
        run_atomic(block)
    except IntegrityError:
        raise ExperimentRefused("another") from None
    return row


def prepare_variant(
    *,
    experiment: Experiment,
    agent: VoiceAgent,
    gateway: RetellGateway,
    webhook_url: str,
    now: datetime,
) -> None:
    """
    Publish the variant as the agent's next version at Retell and begin to draw arms.

    The caller has claimed the agent.

    Safe to run twice and to be killed anywhere: an unpublished draft is used, and the version is
    written in one block with the beginning.

    :raises ProviderError: if Retell refused or can't be reached
    :raises KnowledgeNotIndexed: if the control's knowledge can't be had
    """
    campaign = Campaign.objects.select_related("client").get(pk=experiment.campaign_id)
    spoken = _spoken(campaign, experiment)
    prep = preparing.Preparation(
        campaign=spoken,
        agent=agent,
        webhook_url=webhook_url,
        time_zone=campaign.client.time_zone,
    )
    bases = preparing.index_knowledge(prep=prep, gateway=gateway, now=now)
    if bases is None:
        return  # Retell is still reading; the next run comes back
    llm, settings = prep.settings(bases)
    number = preparing.publish(agent=agent, llm=llm, settings=settings, gateway=gateway)
    _begin(experiment, spoken, agent, number, now)


def _spoken(campaign: Campaign, experiment: Experiment) -> Campaign:
    """
    Return the campaign as the control says it, its knowledge too, with what is tried.

    The campaign itself may have been edited since: none of that is part of the trial.

    :raises KnowledgeNotIndexed: if the control's knowledge is no more
    """
    control = experiment.control
    spoken = copy.copy(campaign)
    for name in ("script_raw", "opening_line", "voice_id", "voice_name", "settings"):
        setattr(spoken, name, getattr(control, name))
    keys = {key for key in (control.knowledge_base_id, control.shared_base_id) if key}
    bases = KnowledgeBase.objects.filter(client_id=control.client_id).in_bulk(keys)
    if len(bases) < len(keys):
        raise preparing.KnowledgeNotIndexed
    spoken.knowledge_base = bases.get(control.knowledge_base_id)
    spoken.shared_base = bases.get(control.shared_base_id)
    for name, value in experiment.changes.items():
        setattr(spoken, name, value)
    return spoken


def _begin(
    experiment: Experiment, spoken: Campaign, agent: VoiceAgent, number: int, now: datetime
) -> None:
    control = experiment.control

    def block() -> None:
        version = CampaignVersion.objects.create(
            client_id=experiment.client_id,
            campaign_id=experiment.campaign_id,
            number=preparing.next_number(spoken),
            name=control.name,
            script_raw=spoken.script_raw,
            opening_line=spoken.opening_line,
            voice_id=spoken.voice_id,
            voice_name=spoken.voice_name,
            knowledge_base_id=control.knowledge_base_id,
            shared_base_id=control.shared_base_id,
            settings=control.settings,
            variables=script.own_variables(*script.spoken(spoken)),
            variable_rules=control.variable_rules,
            fingerprint="",
            provider_agent_id=agent.provider_agent_id,
            provider_agent_version=number,
            published_at=now,
            published_by_email=experiment.created_by_email,
        )
        begun = Experiment.objects.filter(pk=experiment.pk, status=Status.PREPARING).update(
            status=Status.RUNNING, variant=version, started_at=now, prepare_error=""
        )
        if not begun:
            raise IntegrityError  # stopped meanwhile: undo the version
        if wants_two_people(client_id=experiment.client_id):
            return  # nobody agreed to it for launches that run: new ones draw both arms
        launches = live_launches(client_id=experiment.client_id, campaign_id=experiment.campaign_id)
        launches.filter(version=control, mode=BatchCall.Mode.DISPATCHER).update(
            variant=version, experiment_id=experiment.pk
        )

    try:
        run_atomic(block)
    except IntegrityError:
        return


def version_for(batch_call: BatchCall, enrolment: Enrolment) -> CampaignVersion:
    """Return the version that a lead hears: its arm's while an experiment runs."""
    if batch_call.variant is None or batch_call.experiment_id is None:
        return batch_call.version
    arm = arm_of(experiment_id=batch_call.experiment_id, lead_id=enrolment.lead_id)
    return batch_call.variant if arm == "variant" else batch_call.version


def judge_experiment(*, experiment: Experiment, now: datetime) -> Judgement:
    """Count, and end it if there is a winner or harm; running it again changes nothing more."""
    found = judge(outcomes(experiment, now))
    Experiment.objects.filter(pk=experiment.pk, status=Status.RUNNING).update(
        results={
            "control": asdict(found.control),
            "variant": asdict(found.variant),
            "evidence": round(found.evidence, 3),
            "harm_evidence": round(found.harm_evidence, 3),
            "cost_evidence": round(found.cost_evidence, 3),
            "harm": found.harm,
        }
    )
    actor = System("experiments")
    if found.harm:
        end_experiment(experiment=experiment, status=Status.HARMFUL, actor=actor, now=now)
    elif found.winner:
        end_experiment(
            experiment=experiment, status=Status.DECIDED, winner=found.winner, actor=actor, now=now
        )
    return found


def end_experiment(
    *, experiment: Experiment, status: str, actor: Actor, now: datetime, winner: str = ""
) -> bool:
    """
    End an experiment once; every lead hears the control again, or the variant if that won.

    A variant that won becomes the published version, unless the campaign was edited since. The client's people
    are told in the same block.
    """

    def block() -> bool:
        live = Experiment.objects.filter(pk=experiment.pk, status__in=Experiment.LIVE)
        ended = live.update(status=status, winner=winner, ended_at=now, live_key=str(experiment.pk))
        if not ended:
            return False
        rows = Experiment.objects.select_related("variant", "control", "campaign", "client")
        fresh = rows.get(pk=experiment.pk)
        launches = BatchCall.objects.filter(
            client_id=fresh.client_id, campaign_id=fresh.campaign_id, experiment_id=fresh.pk
        )
        after: dict[str, Any] = {"variant": None, "experiment_id": None}
        won = _publish_winner(fresh, now) if winner == "variant" else None
        if won is not None:
            after["version"] = won
        # What is over keeps both arms: half of its leads heard each.
        launches.filter(status__in=LIVE).update(**after)
        if won is not None and wants_two_people(client_id=fresh.client_id):
            preparing.ask_for_adoption(won, now)  # of launches that drew no arms
        record(
            actions.EXPERIMENT_ENDED,
            resource=fresh,
            actor=actor,
            now=now,
            details={"status": status, "winner": winner},
        )
        tell_of_end(experiment=fresh, is_published=won is not None, now=now)
        return True

    ended = run_atomic(block)
    experiment.refresh_from_db()
    return ended


def _publish_winner(experiment: Experiment, now: datetime) -> CampaignVersion | None:
    version = experiment.variant
    if version is None:
        return None
    changed = Campaign.objects.filter(
        pk=experiment.campaign_id,
        status=Campaign.Status.READY,
        published_version=experiment.control.number,
    ).update(**experiment.changes, published_version=version.number, updated_at=now)
    outdate_request(campaign_id=experiment.campaign_id, now=now)
    if changed:
        # What the next publishing compares with is unknown: it makes a version of its own.
        VoiceAgent.objects.filter(campaign_id=experiment.campaign_id).update(
            published_version=version.provider_agent_version, fingerprint="", published_at=now
        )
    return version if changed else None


def stop_for_new_version(*, campaign: Campaign, actor: Actor, now: datetime) -> None:
    """End an experiment whose control isn't what the campaign says any more."""
    for experiment in Experiment.objects.filter(live_key=str(campaign.pk)):
        end_experiment(experiment=experiment, status=Status.STOPPED, actor=actor, now=now)
