"""Two months of calls that were: the real dispatcher and handler, with a Retell that lives in the past."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

from django.conf import settings

from campaigns.dialling.bookkeeping import check_launch
from campaigns.dialling.pacing import CallsPerSecond
from campaigns.dialling.sending import AtOnce
from campaigns.dispatcher import Dispatcher
from campaigns.jobs import WEBHOOK_PATH
from campaigns.models import BatchCall, Campaign
from campaigns.services import preparing
from campaigns.services.authoring import create_campaign
from campaigns.services.experimenting import judge_experiment
from campaigns.services.lifecycle import launch_campaign
from convomono.demo.campaigns import content, upload
from convomono.demo.people import AREAS_PAST, people
from convomono.demo.writing import begin_trial
from convomono.lib import clock
from convomono.lib.ids import uuid7
from telephony.payloads import agent_body, epoch_ms, llm_body
from telephony.provider import Batch, CallPage, Concurrency, PlacedCall, Rejected
from telephony.retell import retell_gateway
from telephony.sandbox.calls import Call
from telephony.sandbox.documents import event_document, started_document
from telephony.sandbox.outcomes import plan_call
from webhooks.deliveries import read_delivery
from webhooks.drain import Drain
from webhooks.inbox import store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from campaigns.services.authoring import CampaignContent
    from convomono.demo.agency import Agency
    from telephony.provider import AgentSettings, LlmSettings

DAYS = 62  # the month before is whole on any day, so its statement tells of a month's calls
STEP = timedelta(seconds=30)
LONGEST_LAUNCH = timedelta(hours=12)
ENDED_AFTER = timedelta(seconds=1)
# How many days ago a campaign was launched, and with how many leads.
LAUNCHES: tuple[tuple[int, int], ...] = (
    (58, 12),
    (45, 16),
    (36, 10),
    (29, 24),
    (25, 18),
    (22, 30),
    (18, 16),
    (15, 34),
    (11, 22),
    (8, 32),
    (4, 26),
)
_NAMES: tuple[str, ...] = (
    "Night guards",
    "Fluoride weeks",
    "Family plans",
    "Spring recall",
    "Whitening offer",
    "New patients",
    "Braces consultation",
    "Summer check-up",
    "Missed visits",
    "Insurance renewal",
    "Autumn recall",
)
# In this one half of the leads heard another opening line.
TRIED = "Autumn recall"


@dataclass
class PastRetell:
    """What dialling asks of Retell, answered at a time that is long gone; events wait in a heap."""

    agent: AgentSettings
    llm: LlmSettings
    agent_id: str
    now: datetime
    live: int = 0
    news: list[tuple[datetime, int, str, dict[str, Any]]] = field(default_factory=list)
    _tie: count[int] = field(default_factory=count)

    def concurrency(self) -> Concurrency:
        return Concurrency(current=self.live, limit=20, reserved_inbound=0)

    def list_calls(self, **_filters: Any) -> CallPage:
        return CallPage(calls=(), pagination_key=None)

    def create_batch_call(self, **_request: Any) -> Batch:
        """
        Refuse: the demonstration's launches are dialled call by call.

        :raises Rejected: always
        """
        raise Rejected("The past takes no lists.", 400)

    def create_phone_call(self, **request: Any) -> PlacedCall:
        call = self._call(request)
        self.live += 1
        at = self.now + timedelta(milliseconds=call.plan.ring_ms)
        if call.plan.connects:
            call.status, call.started_ms = "ongoing", epoch_ms(at)
            self._tell(at, "call_started", started_document(call))
            at += timedelta(milliseconds=call.plan.talk_ms)
        call.status, call.reason, call.ended_ms = (
            call.plan.final_status,
            call.plan.reason,
            epoch_ms(at),
        )
        self._tell(at + ENDED_AFTER, "call_ended", self._document(call))
        call.analysed = True
        analysed_at = at + ENDED_AFTER + timedelta(milliseconds=call.plan.analysis_ms)
        self._tell(analysed_at, "call_analyzed", self._document(call))
        return PlacedCall(
            call_id=call.call_id,
            call_status="registered",
            agent_id=self.agent_id,
            agent_version=0,
        )

    def due_news(self, now: datetime) -> list[bytes]:
        """Return the bodies of what has happened until now, in order."""
        bodies = []
        while self.news and self.news[0][0] <= now:
            at, _tie, event, document = heappop(self.news)
            self.live -= event == "call_ended"
            body = {"event": event, "call": document, "event_timestamp": epoch_ms(at)}
            bodies.append(json.dumps(body).encode())
        return bodies

    def _call(self, request: dict[str, Any]) -> Call:
        agent = {
            **agent_body(self.agent),
            "agent_id": self.agent_id,
            "version": 0,
            "max_call_duration_ms": request["max_call_duration_ms"],
        }
        return Call(
            call_id=f"call_{uuid7().hex}",
            from_number=request["from_number"],
            to_number=request["to_number"],
            agent=agent,
            llm=llm_body(self.llm),
            variables=dict(request["dynamic_variables"]),
            metadata=dict(request["metadata"]),
            override={},
            created_ms=epoch_ms(self.now),
            plan=plan_call(
                to_number=request["to_number"],
                seed=f"{self.now:%Y-%m-%d}:{len(self.news)}",
                profile="warm",
                agent=agent,
            ),
        )

    def _document(self, call: Call) -> dict[str, Any]:
        document = event_document(call, now_ms=call.ended_ms or 0, base_url="")
        # The stand-in of today has no recordings of these calls.
        return {name: value for name, value in document.items() if not name.endswith("_url")}

    def _tell(self, at: datetime, event: str, document: dict[str, Any]) -> None:
        heappush(self.news, (at, next(self._tie), event, document))


def write_history(*, agency: Agency, now: datetime) -> Iterator[str]:
    """Let each past campaign happen, oldest first; yield its name once it has."""
    leads = people(sum(size for _ago, size in LAUNCHES), areas=AREAS_PAST, seed=7)
    for name, (days_ago, size) in zip(_NAMES, LAUNCHES, strict=True):
        part, leads = leads[:size], leads[size:]
        if Campaign.objects.filter(client=agency.acme, name=name).exists():
            continue
        start = (now - timedelta(days=days_ago)).replace(hour=14, minute=0, second=0, microsecond=0)
        campaign = create_campaign(
            client=agency.acme, content=_content(name), actor=agency.alice, now=start
        )
        upload(
            campaign=campaign,
            rows=part,
            actor=agency.alice,
            now=start,
            real_now=clock.real_now(),
        )
        _run(campaign, agency, start)
        yield name


def _run(campaign: Campaign, agency: Agency, start: datetime) -> None:
    phone = _publish(campaign, start)
    trial = None
    if campaign.name == TRIED:
        trial = begin_trial(campaign=campaign, agency=agency, webhook_url=_webhook_url(), now=start)
    launch_campaign(
        campaign=campaign, launch_key=uuid7(), actor=agency.alice, now=start, is_sandbox=True
    )
    dispatcher = Dispatcher(
        gateway=phone,
        executor=AtOnce(),
        speed=CallsPerSecond(1, burst_seconds=STEP.total_seconds()),
        is_sandbox=True,
        real_now=lambda: phone.now,  # its lease and its pauses are of that day too
    )
    drain = Drain()
    now = start
    # The last call's analysis comes after its end, with which the launch is over.
    while now < start + LONGEST_LAUNCH and (phone.news or _is_going_on(campaign)):
        phone.now = now
        dispatcher.step(now=now)
        dispatcher.write_answers(now=now)
        for body in phone.due_news(now):
            store(read_delivery(body), now=now)
        while drain.step(now=now):
            pass
        now += STEP
    dispatcher.release()
    for launch in BatchCall.objects.filter(campaign=campaign).select_related("campaign"):
        check_launch(batch_call=launch, now=now)
    if trial is not None:
        trial.refresh_from_db()
        judge_experiment(experiment=trial, now=now + timedelta(hours=1))


def _content(name: str) -> CampaignContent:
    """Return a campaign's content; one with a trial has no facts that Retell would have to index first."""
    return replace(content(name), knowledge_text="") if name == TRIED else content(name)


def _webhook_url() -> str:
    return settings.PUBLIC_BASE_URL.rstrip("/") + WEBHOOK_PATH


def _is_going_on(campaign: Campaign) -> bool:
    over = (BatchCall.Status.FINISHED, BatchCall.Status.CANCELLED)
    return BatchCall.objects.filter(campaign=campaign).exclude(status__in=over).exists()


def _publish(campaign: Campaign, now: datetime) -> PastRetell:
    """Make the campaign's agent at the sandbox and publish the version that its calls name."""
    campaign.status = Campaign.Status.PREPARING
    Campaign.objects.filter(pk=campaign.pk).update(status=campaign.status)
    prep = preparing.Preparation(
        campaign=campaign,
        agent=preparing.find_or_make_agent(campaign=campaign, now=now),
        webhook_url=_webhook_url(),
        time_zone=campaign.client.time_zone,
    )
    llm, agent = prep.settings(())
    version = preparing.publish(agent=prep.agent, llm=llm, settings=agent, gateway=retell_gateway())
    preparing.mark_ready(prep=prep, agent_version=version, fingerprint=campaign.name, now=now)
    campaign.refresh_from_db()
    prep.agent.refresh_from_db()
    return PastRetell(agent=agent, llm=llm, agent_id=prep.agent.provider_agent_id, now=now)
