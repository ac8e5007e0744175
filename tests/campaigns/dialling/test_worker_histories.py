"""Random histories with workers that die at any write: what each job promises holds, beside the never-true list."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.db.models import Q

from accounts.models import ClientEvent, Notification
from audit import actions
from audit.models import AuditLog
from billing.models import Reservation
from campaigns import enrolments, jobs, line_jobs
from campaigns.models import (
    Attempt,
    AutomationRule,
    AutomationRun,
    BatchCall,
    CallingWindow,
    CampaignVersion,
    Enrolment,
    FollowUp,
    FollowUpRule,
)
from campaigns.services import automating, launching, lifecycle, steering
from campaigns.services.authoring import create_campaign
from convomono.lib import clock
from telephony.models import Call, VoiceAgent
from tests.campaigns.dialling.conftest import policy
from tests.campaigns.dialling.histories import STARTS
from tests.campaigns.dialling.staff import HOURS, Staffed
from tests.campaigns.dialling.test_histories import (
    RESULTS_WITHIN,
    adds_up,
    is_paid_for_once,
    rang_once,
    took_effect_once,
)
from tests.factories.billing import open_wallet
from tests.factories.campaigns import TESTS, campaign_content, make_number
from tests.factories.webhooks import EndpointFactory
from tests.mongo import fewer
from webhooks.client_events import LISTENERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from accounts.models import Client, User
    from campaigns.models import Campaign
    from tests.campaigns.dialling.conftest import Rig

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HISTORIES = fewer(3, 1)  # quick ones; the rest runs with --long
ACTS = 80
ASKED = (
    "create_phone_call", "list_calls", "retrieve_call", "stop_call", "create_llm", "update_llm", "list_llms",
    "create_agent", "retrieve_agent", "update_agent", "list_agents", "create_agent_version", "publish_agent",
)  # fmt: skip
# Rules on outcomes: what is done, once, after which calls.
RULES: tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...] = (
    ("tag", ("human", "converted"), {"tag": "talked"}),
    ("follow_up", ("no_contact",), {"note": "Write", "delay_minutes": 10}),
    ("notify", ("machine", "failed"), {"note": "Look"}),
    ("webhook", ("human", "machine"), {}),
    ("enrol", ("human", "converted"), {}),
    ("retry", ("human",), {"delay_minutes": 30}),
    ("wait", ("no_contact",), {"delay_minutes": 45}),
)


@pytest.fixture
def history(
    rig: Rig,
    acme: Client,
    alice: User,
    take_jobs: Callable[[], list[Callable[[], object]]],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[int], Staffed]:
    """Make a history of a campaign that has yet to be made ready, with rules, and new leads launched by themselves."""

    def make(seed: int) -> Staffed:
        rig.now = rig.real = STARTS[seed % 2]
        open_wallet(acme, seconds=3000, now=rig.now)
        make_number(acme)
        EndpointFactory.create(client=acme)
        LISTENERS.forget()
        automating._known.clear()
        campaign, other = (
            create_campaign(client=acme, content=content, actor=TESTS, now=rig.now)
            for content in (campaign_content(**HOURS), campaign_content(name="Other"))
        )
        policy(campaign, busy_delay_seconds=600, technical_delay_seconds=300)
        rule_everything(campaign, other, rig)
        made = Staffed(rig, campaign, seed, take=take_jobs, launcher=alice)
        for name in ASKED:
            monkeypatch.setattr(rig.retell, name, made.asks(getattr(rig.retell, name)))
        made.launch()
        made.switch_on()
        return made

    monkeypatch.setattr(enrolments, "RESULTS_WITHIN", RESULTS_WITHIN)
    monkeypatch.setattr(clock, "now", lambda: rig.now)
    monkeypatch.setattr(clock, "real_now", lambda: rig.real)
    for room in ("campaigns.jobs", "campaigns.services.dialling", "webhooks.jobs"):
        monkeypatch.setattr(f"{room}.retell_gateway", lambda: rig.retell)
    for module in (launching, steering):
        monkeypatch.setattr(module, "SLICE", 2)
    monkeypatch.setattr(lifecycle, "SLICES_AT_ONCE", 1)
    for where in (jobs, line_jobs):
        monkeypatch.setattr(where, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(line_jobs, "SETTLES_SECONDS", 0)
    return make


def rule_everything(campaign: Campaign, other: Campaign, rig: Rig) -> None:
    """Switch rules on: one for each action, and two that make follow-ups right after a call."""
    by = {"client": campaign.client, "created_by_email": "alice@acme.test", "created_at": rig.now}
    for action, outcomes, params in RULES:
        AutomationRule.objects.create(
            name=action, campaign=campaign, outcomes=list(outcomes), action=action, is_active=True,
            params=params if action != "enrol" else {"campaign_id": str(other.pk)},
            tested_at=rig.now, activated_at=rig.now, **by,
        )  # fmt: skip
    for outcome in ("human", "no_contact"):
        FollowUpRule.objects.create(outcome=outcome, delay_seconds=300, note="Thank", **by)


@pytest.mark.parametrize(
    "seed",
    [
        *range(HISTORIES),
        *(pytest.param(seed, marks=pytest.mark.load) for seed in range(HISTORIES, 200)),
    ],
)
def test_jobs_keep_their_promises(history: Callable[[int], Staffed], seed: int) -> None:
    told = history(seed)
    for _ in range(ACTS):
        told.act()
    told.come_to_an_end()
    assert told.deaths  # the mishaps met somebody at work

    rang_once(told)
    is_paid_for_once(told)
    took_effect_once()
    stopped = stopped_at()
    for batch_call in BatchCall.objects.all():
        adds_up(
            batch_call, told.rig.now, ended="cancelled" if batch_call.pk in stopped else "finished"
        )
    calls_nobody_once_stopped(stopped)
    is_published_whole(told)
    launched_each_lead_once(told)
    acted_once_for_each_call()
    promised_and_reminded_once()
    hung_up_on_request(told)
    told_the_client_once()
    told_of_each_pause()


def stopped_at() -> dict[UUID, datetime]:
    """Return when each launch that somebody stopped was stopped."""
    rows = AuditLog.objects.filter(action=actions.CAMPAIGN_STOPPED)
    found = [
        (UUID(details["batch_id"]), at) for at, details in rows.values_list("created_at", "details")
    ]
    assert len(found) == len(dict(found))
    return dict(found)


def calls_nobody_once_stopped(stopped: dict[UUID, datetime]) -> None:
    """Of a launch that was stopped nobody was called any more, nobody waits, and no minute is kept."""
    for pk, at in stopped.items():
        assert not Attempt.objects.filter(batch_call_id=pk, created_at__gt=at).exists()
        assert not Enrolment.objects.filter(batch_call_id=pk, status="queued").exists()
        kept = Reservation.objects.get(batch_call_id=pk)
        assert (kept.free_seconds, kept.held_seconds) == (0, 0)


def is_published_whole(told: Staffed) -> None:
    """One agent with one prompt at Retell, and a version of ours for each that calls were made with."""
    campaign, retell = told.campaign, told.rig.retell
    agent = VoiceAgent.objects.get()
    assert {key for key, _version in retell.agents} == {agent.provider_agent_id}
    assert {key for key, _version in retell.llms} == {agent.provider_llm_id}
    versions = list(CampaignVersion.objects.order_by("number"))
    assert [row.number for row in versions] == list(range(1, len(versions) + 1))
    assert campaign.published_version == len(versions)
    assert agent.published_version == versions[-1].provider_agent_version
    assert AuditLog.objects.filter(action=actions.CAMPAIGN_PUBLISHED).count() == len(versions)
    said = {row.provider_agent_version: row.opening_line for row in versions}
    for dial in retell.dials:
        version = int(dial.agent_version)
        assert retell.agents[dial.agent_id, version].is_published
        assert retell.llms[agent.provider_llm_id, version].begin_message == said[version]


def launched_each_lead_once(told: Staffed) -> None:
    """Each lead is in one launch, and nobody is left who could be called."""
    told.campaign.refresh_from_db()
    assert told.campaign.launching_id is None
    assert CallingWindow.objects.get(campaign=told.campaign).wake_asked_at is None
    assert not BatchCall.objects.filter(attached_at=None).exists()
    mine = Enrolment.objects.filter(campaign=told.campaign)
    left = set(mine.filter(batch_call=None).values_list("phone_number", flat=True))
    assert left <= set(told.opted_out)
    launched = Counter(mine.exclude(batch_call=None).values_list("batch_call_id", flat=True))
    assert launched == Counter(dict(BatchCall.objects.values_list("pk", "tasks_count")))


def acted_once_for_each_call() -> None:
    """Each rule looked at each call that came to something, and did what it says that it did, once."""
    rules = {row.pk: row for row in AutomationRule.objects.all()}
    heard = Attempt.objects.exclude(outcome_class="")
    runs = list(AutomationRun.objects.all())
    assert {(run.rule_id, run.attempt_id) for run in runs} == {
        (rule, attempt) for rule in rules for attempt in heard.values_list("pk", flat=True)
    }
    assert {run.status for run in runs} <= {"done", "skipped"}
    done = {name: [run for run in runs if run.status == "done" and rules[run.rule_id].action == name]
            for name, _outcomes, _params in RULES}  # fmt: skip
    keys = {
        name: {f"automation:{run.rule_id}:{run.attempt_id}" for run in done[name]} for name in done
    }
    made = FollowUp.objects.filter(key__startswith="automation:")
    assert set(made.values_list("key", flat=True)) == keys["follow_up"]
    told = Notification.objects.filter(key__startswith="automation:")
    assert set(told.values_list("key", flat=True)) == keys["notify"]
    sent = ClientEvent.objects.filter(kind=ClientEvent.Kind.AUTOMATION)
    assert set(sent.values_list("key", flat=True)) == keys["webhook"]
    # The audit log has no keys: what was made twice would stand there twice.
    made_by_hand = AuditLog.objects.filter(action=actions.FOLLOW_UP_CREATED)
    assert made_by_hand.count() == len(keys["follow_up"])
    attempts = Attempt.objects.in_bulk([run.attempt_id for run in runs])
    for name in ("tag", "enrol"):
        leads = {attempts[run.attempt_id].lead_id for run in done[name]}
        assert touched(name) == Counter(dict.fromkeys(leads, 1)), name


def touched(action: str) -> Counter[Any]:
    """Count how often each lead was tagged, or enrolled in the other campaign, by what is left of it."""
    if action == "tag":
        rows = Enrolment.objects.filter(campaign__name="Autumn check-ups").select_related("lead")
        return Counter(row.lead_id for row in rows for tag in row.lead.tags if tag == "talked")
    return Counter(
        Enrolment.objects.filter(campaign__name="Other").values_list("lead_id", flat=True)
    )


def promised_and_reminded_once() -> None:
    """What rules ask for after a call was promised however late its news came, and told when due, once each."""
    promised = Counter(FollowUp.objects.values_list("key", flat=True))
    for rule in FollowUpRule.objects.all():
        for row in Attempt.objects.filter(status="ended", outcome_class=rule.outcome):
            assert promised[f"rule:{rule.pk}:{row.pk}"] == 1
    told = Counter(
        key.split(":")[1]
        for key in Notification.objects.filter(key__startswith="follow_up.due:").values_list(
            "key", flat=True
        )
    )
    assert told == Counter(str(pk) for pk in FollowUp.objects.values_list("pk", flat=True))


def hung_up_on_request(told: Staffed) -> None:
    """Calls that somebody wanted ended are the only ones that Retell was asked to end."""
    wanted = Call.objects.exclude(end_requested_at=None)
    assert set(told.rig.retell.stopped) <= set(wanted.values_list("provider_call_id", flat=True))


def told_the_client_once() -> None:
    """The end of each call and launch is told to the client's own system, and of each launch to its people."""
    ended = Call.objects.exclude(outcome_class="").values_list("pk", flat=True)
    finished = BatchCall.objects.filter(status="finished").values_list("pk", flat=True)
    for kind, of in (("call.ended", ended), ("campaign.finished", finished)):
        sent = ClientEvent.objects.filter(key__startswith=f"{kind}:")
        assert Counter(sent.values_list("key", flat=True)) == Counter(f"{kind}:{pk}" for pk in of)
    told = Notification.objects.filter(key__startswith="batch.finished:")
    assert Counter(told.values_list("key", flat=True)) == Counter(
        f"batch.finished:{pk}" for pk in finished
    )


def told_of_each_pause() -> None:
    """Whenever the product paused a launch, its client's people were told why."""
    paused = AuditLog.objects.filter(action=actions.CAMPAIGN_PAUSED, user_email="dispatcher")
    for at, details in paused.values_list("created_at", "details"):
        of_dry = Q(key__startswith=f"dry:{details['batch_id']}:")
        assert Notification.objects.filter(of_dry | Q(created_at=at, level="bad")).exists()
